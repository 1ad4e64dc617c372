"""The URLs of stores and quarantines, and what is opened by them."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import ConfigurationError, open_quarantine, open_store
from kinesis_handler.local.stream.checkpoint_repository import checkpoint_table_in, checkpoints_in
from kinesis_handler.quarantine.opening import QUARANTINE_FORMS
from kinesis_handler.stores import Change, Repository, Store
from kinesis_handler.stores.url import LASTING_STORE_FORMS, STORE_FORMS, Address, DynamoDB, InMemory, SQLite
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import aggregate
from testkit.tables import Tables


def open_of_an_application(url: str) -> Store:
    return open_store(url, file="set.db", table="Set", region="eu-north-1")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("inmemory:", InMemory()),
        ("sqlite:", SQLite("set.db")),
        ("sqlite:///limits.db", SQLite("limits.db")),
        ("sqlite:///some/Limits.db", SQLite("some/Limits.db")),
        ("sqlite:////var/lib/limits.db", SQLite("/var/lib/limits.db")),
        ("dynamodb:", DynamoDB("Set", "eu-north-1")),
        ("dynamodb://", DynamoDB("Set", "eu-north-1")),
        ("dynamodb://My.Table_2", DynamoDB("My.Table_2", "eu-north-1")),
        ("dynamodb://Table?region=us-west-2", DynamoDB("Table", "us-west-2")),
        (
            "dynamodb://Table?endpoint=http://127.0.0.1:8001",
            DynamoDB("Table", "eu-north-1", "http://127.0.0.1:8001"),
        ),
    ],
)
def test_a_url_names_a_store_and_what_it_leaves_out_the_application_says(url: str, address: Address) -> None:
    assert open_of_an_application(url).address == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "limits.db",
        "oracle://limits",
        "inmemory://limits",
        "sqlite:limits.db",
        "sqlite://limits.db",
        "sqlite:///",
        "sqlite:///limits.db?mode=ro",
        "dynamodb://a",
        "dynamodb://Table/limits",
        "dynamodb://Table?Region=us-west-2",
        "dynamodb://Table?region=US",
        "sqlite:///a\0b.db",
        "sqlite://[",
        "dynamodb://\N{ACCOUNT OF}",
    ],
)
def test_a_url_that_names_no_store_is_quoted_with_what_is_allowed(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_of_an_application(url)
    of_name = ", where TABLE has 3 to 255 letters, digits, _ . and -" if url.startswith("dynamodb") else ""
    assert str(caught.value) == f"the store is {url!r}; allowed: {STORE_FORMS}{of_name}"


@pytest.mark.parametrize(
    "endpoint", ["http://[", "http://\N{ACCOUNT OF}", "http://host:x", "http://host:65536"]
)
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    store = open_store(f"dynamodb://Table?region=eu-north-1&endpoint={endpoint}")
    with pytest.raises(ConfigurationError, match=f"Invalid endpoint: {re.escape(endpoint)};"):
        store.repository(Other)


@pytest.mark.parametrize("url", ["sqlite:", "dynamodb:", "dynamodb://"])
def test_where_nothing_is_said_of_it_a_url_must_name_the_file_or_the_table(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the store is"):
        open_store(url)


class Other(Struct):
    name: str


@pytest.fixture(
    params=["inmemory:", "sqlite:///{folder}/states.db", "dynamodb://Opened-{name}?endpoint={endpoint}"]
)
def url(request: pytest.FixtureRequest, tables: Tables, tmp_path: Path) -> str:
    form: str = request.param
    return form.format(folder=tmp_path, name=uuid4(), endpoint=tables.endpoint)


@pytest.fixture
def in_dynamodb(tables: Tables) -> Store:
    return open_store(f"dynamodb://Opened-{uuid4()}?endpoint={tables.endpoint}")


def test_a_store_has_a_repository_for_each_type_of_state_by_its_name(url: str) -> None:
    store = open_store(url)
    first = store.repository(LawState)
    second = store.repository(Other, name="others")
    store.provision()
    store.check()
    key = ("a", "1")
    first.save([Change(None, aggregate(key, count=7))])
    assert first.load([key]).found[key].state.count == 7
    assert not second.load([key]).found


class Longer(Struct):
    name: str
    length: int


def test_states_of_another_shape_than_their_type_are_found_at_the_start(url: str) -> None:
    store = open_store(url)
    written: Repository[Any] = store.repository(Other)
    store.provision()
    others = [replace(aggregate(("a", f"{number}")), state=Other("x")) for number in range(3)]
    written.save([Change(None, each) for each in others])
    store.check_states()
    again = open_store(url, setting=f"STORE is {url!r}")
    longer: Repository[Any] = again.repository(Longer)
    if store.in_memory:
        again.check_states()  # nothing is there
        return
    with pytest.raises(ConfigurationError) as caught:
        again.check_states()
    sentence = str(caught.value)
    assert sentence.startswith(
        f"STORE is {url!r}: none of the first 3 stored states can be read: what is stored"
    )
    assert "missing required field `length`" in sentence
    assert "Give its repository an `upgrade`" in sentence
    upgrading = open_store(url)
    upgrading.repository(Longer, upgrade=lambda stored: {**stored, "length": 1})
    upgrading.check_states()
    failing = open_store(url)
    failing.repository(Longer, upgrade=lambda stored: {"length": stored["width"]})
    with pytest.raises(ConfigurationError, match="Correct the `upgrade` of its repository"):
        failing.check_states()
    longer.save([Change(None, replace(aggregate(("a", "3")), state=Longer("y", 1)))])
    again.check_states()  # as one of them can be, the others may be damaged


async def later(stored: dict[str, Any]) -> dict[str, Any]:
    return stored


@pytest.mark.parametrize("wrong", [later, {"length": 1}], ids=["coroutine function", "no function"])
@pytest.mark.parametrize(
    "kept_in", ["inmemory:", "sqlite:///{folder}/a.db", "dynamodb://Longer?region=eu-west-1"]
)
def test_an_upgrade_that_runs_nothing_is_refused_when_its_repository_is_opened(
    kept_in: str, wrong: Any, tmp_path: Path
) -> None:
    store = open_store(kept_in.format(folder=tmp_path))
    with pytest.raises(ConfigurationError, match="the upgrade of Longer is "):
        store.repository(Longer, upgrade=wrong)


def test_of_a_table_that_does_not_answer_nothing_is_known_of_its_states(in_dynamodb: Store) -> None:
    in_dynamodb.repository(Other)
    in_dynamodb.check_states()


def test_checkpoints_are_in_the_same_store_and_their_table_is_made_with_them(url: str) -> None:
    for _ in range(2):
        store = open_store(url)
        limits = store.repository(LawState)
        store.provision()
        assert not list(limits.scan())
        assert not list(checkpoints_in(store).scan())
        table = checkpoint_table_in(store)
        assert table is None or table.exists()


def test_the_table_of_the_checkpoints_is_not_one_that_the_handler_needs(in_dynamodb: Store) -> None:
    checkpoints_in(in_dynamodb)
    assert not in_dynamodb.tables
    table = checkpoint_table_in(in_dynamodb)
    assert table is not None
    assert table.name.endswith("-checkpoints")


def test_in_dynamodb_each_repository_has_a_table_with_keys_of_its_own(in_dynamodb: Store) -> None:
    in_dynamodb.repository(LawState, keys=("one", "two"))
    in_dynamodb.repository(Other, keys=("three", "four"), name="others")
    in_dynamodb.provision()
    first, second = in_dynamodb.tables
    assert first.describe()["keys"] == ["one", "two"]
    assert (second.name, second.describe()["keys"]) == (f"{first.name}-others", ["three", "four"])


def test_a_repository_that_is_opened_twice_has_one_table(in_dynamodb: Store) -> None:
    for _ in range(2):
        in_dynamodb.repository(LawState)
    assert len(in_dynamodb.tables) == 1


def test_what_exists_already_is_not_made_again(in_dynamodb: Store) -> None:
    in_dynamodb.repository(LawState)
    in_dynamodb.provision()
    in_dynamodb.repository(Other, name="others")
    in_dynamodb.provision()
    in_dynamodb.check()


def test_a_table_that_is_missing_is_reported_with_the_command_that_makes_it(in_dynamodb: Store) -> None:
    in_dynamodb.repository(Other, name="others")
    with pytest.raises(ConfigurationError, match=r"-others' .*`kinesis-handler table create` makes it"):
        in_dynamodb.check()


def test_each_error_of_a_store_begins_with_the_setting_that_named_it(tables: Tables, tmp_path: Path) -> None:
    missing = f"dynamodb://Missing-{uuid4()}?endpoint={tables.endpoint}"
    nowhere = f"sqlite:///{tmp_path}/nowhere/states.db"
    for url in ("oracle:", nowhere, missing):
        setting = f"STORE is {url!r}"
        with pytest.raises(ConfigurationError) as caught:  # noqa: PT012 - each step may be the one that fails
            store = open_store(url, setting=setting)
            store.repository(LawState)
            store.check()
        assert str(caught.value).startswith(f"{setting}: the ")
        assert str(caught.value).count("STORE") == 1


def test_memory_is_no_store_for_a_lambda_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "parcels")
    with pytest.raises(ConfigurationError) as caught:
        open_store("inmemory:").repository(LawState)
    assert str(caught.value) == (
        f"the store is 'inmemory:', which a Lambda function forgets; allowed: {LASTING_STORE_FORMS}"
    )


@pytest.mark.parametrize("url", ["rejected", "file://rejected", "s3://A", "https://bucket"])
def test_a_url_that_names_no_quarantine_is_quoted_with_what_is_allowed(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_quarantine(url)
    assert str(caught.value) == f"the quarantine is {url!r}; allowed: {QUARANTINE_FORMS}"


def test_a_quarantine_is_opened_by_its_url_and_there_is_none_without(tmp_path: Path) -> None:
    quarantine = open_quarantine(f"file://{tmp_path}/rejected")
    assert quarantine is not None
    quarantine.keep("one.jsonl", b"content")
    assert (tmp_path / "rejected" / "one.jsonl").read_bytes() == b"content"
    assert open_quarantine("") is None
