"""The URLs of stores and quarantines, and what is opened by them."""

from pathlib import Path

import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.opening import OpenStore, open_quarantine
from kinesis_handler.places import (
    LASTING_STORE_FORMS,
    QUARANTINE_FORMS,
    STORE_FORMS,
    DynamoDB,
    InMemory,
    SQLite,
    Store,
    parse_store,
)
from kinesis_handler.repository import Change
from kinesis_handler.testing import LawState
from kinesis_handler.testing.laws import aggregate
from tables import Tables

DEFAULTS = {"file": "set.db", "table": "Set", "region": "eu-north-1"}


@pytest.mark.parametrize(
    ("url", "store"),
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
def test_a_url_names_a_store_and_what_it_leaves_out_the_application_says(url: str, store: Store) -> None:
    assert parse_store(url, **DEFAULTS) == store


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
    ],
)
def test_a_url_that_names_no_store_is_quoted_with_what_is_allowed(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_store(url, **DEFAULTS)
    assert str(caught.value) == f"the store is {url!r}; allowed: {STORE_FORMS}"


@pytest.mark.parametrize("url", ["sqlite:", "dynamodb:", "dynamodb://"])
def test_where_nothing_is_said_of_it_a_url_must_name_the_file_or_the_table(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the store is"):
        parse_store(url)


class Other(Struct):
    name: str


@pytest.mark.parametrize("kind", ["inmemory", "sqlite", "dynamodb"])
def test_a_store_keeps_states_of_several_kinds_each_under_its_own_name(
    kind: str, tables: Tables, tmp_path: Path
) -> None:
    store = opened(kind, tables, tmp_path)
    first = store.keep(LawState, ("one", "two"))
    second = store.keep(Other, ("three", "four"), beside="others")
    for each in (*first.tables, *second.tables):
        each.create()
    key = ("a", "1")
    first.repository.save([Change(None, aggregate(key, count=7))])
    assert first.repository.load([key]).found[key].state.count == 7
    assert not second.repository.load([key]).found


def test_in_dynamodb_each_kind_has_a_table_with_keys_of_its_own(tables: Tables, tmp_path: Path) -> None:
    store = opened("dynamodb", tables, tmp_path)
    [first] = store.keep(LawState, ("one", "two")).tables
    [second] = store.keep(Other, ("three", "four"), beside="others").tables
    for each in (first, second):
        each.create()
    assert first.describe()["keys"] == ["one", "two"]
    assert (second.name, second.describe()["keys"]) == (f"{first.name}-others", ["three", "four"])


def test_a_table_that_is_missing_beside_another_is_made_like_it(tables: Tables, tmp_path: Path) -> None:
    [missing] = opened("dynamodb", tables, tmp_path).keep(Other, ("three", "four"), beside="others").tables
    with pytest.raises(ConfigurationError, match=r"-others' .*`kinesis-handler table create` makes it"):
        missing.check()


def test_in_a_file_states_are_kept_beside_the_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    for _ in range(2):
        store = OpenStore(SQLite(str(path)))
        assert not list(store.keep(LawState, ("one", "two")).repository.scan())
        assert not list(store.checkpoints().repository.scan())


def test_memory_is_no_store_for_a_lambda_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "parcels")
    with pytest.raises(ConfigurationError) as caught:
        OpenStore(InMemory()).keep(LawState, ("one", "two"))
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


def opened(kind: str, tables: Tables, folder: Path) -> OpenStore:
    name = tables.table().name
    stores: dict[str, Store] = {
        "inmemory": InMemory(),
        "sqlite": SQLite(str(folder / "kept.db")),
        "dynamodb": DynamoDB(f"{name}-opened", "us-east-1", tables.endpoint),
    }
    return OpenStore(stores[kind])
