"""`kinesis-handler consume`: what it says, and how it ends."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kinesis_handler import Aggregate
from kinesis_handler.cli.commands import app
from kinesis_handler.json_api import JsonApi
from kinesis_handler.local.stream.checkpoint import FIRST_START, Checkpoint
from kinesis_handler.local.stream.claim import CLAIM
from kinesis_handler.operator_page.server import OperatorPage
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.sqlite import SQLiteRepository
from operator_page.asking import state
from stream.facts import created, unknown
from stream.processes import until
from stream.real_stream import FIRST, SECOND, Stream
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.wiring import application

if TYPE_CHECKING:
    from typer.testing import Result

CAUGHT_UP = "--until-caught-up"


class Consume:
    """The command, in this process, with a store of its own."""

    def __init__(self, stream: str, database: Path) -> None:
        self.database = database
        self._arguments = ["consume", "--stream", stream, "--store", f"sqlite:///{database}"]

    def __call__(self, *arguments: str) -> "Result":
        return CliRunner().invoke(app, [*self._arguments, *arguments])

    def limits(self) -> list[str]:
        """Return the ids of the limits that it has led to."""
        return sorted(each.key[1] for each in SQLiteRepository(self.database, Limit).scan())

    def checkpoints(self) -> dict[str, Checkpoint]:
        """Return what it has kept of each shard."""
        kept = SQLiteRepository(self.database, Checkpoint, table="checkpoints")
        return {each.key[1]: each.state for each in kept.scan()}


@pytest.fixture(autouse=True)
def _settings(kinesis_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("STORAGE_TTL", "0")
    monkeypatch.setenv("LOG_LEVEL", "error")
    monkeypatch.setenv("QUARANTINE_URL", (tmp_path / "kept").as_uri())


@pytest.fixture
def consume(stream: Stream, tmp_path: Path) -> Consume:
    return Consume(stream.name, tmp_path / "limits.db")


def last_line(result: "Result") -> str:
    return result.stdout.splitlines()[-1]


def test_all_that_is_on_the_stream_is_read_shown_and_counted(
    make_stream: Callable[[int], Stream], tmp_path: Path
) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, created(1, "limit-1"), created(1, "limit-1"), b"no event")
    stream.put_on(SECOND, created(2, "limit-2"))
    consume = Consume(stream.name, tmp_path / "limits.db")
    result = consume(CAUGHT_UP)
    assert result.exit_code == 0, result.stderr
    assert last_line(result) == "4 records: 2 applied, 1 duplicate, 1 rejected"
    assert "limit-1" in result.stdout
    assert "limit-2" in result.stdout
    assert result.stderr == ""
    assert set(consume.checkpoints()) == {FIRST, SECOND, FIRST_START, CLAIM}


def test_a_second_start_counts_only_what_is_new_wherever_it_is_asked_to_begin(
    stream: Stream, consume: Consume
) -> None:
    stream.put(created(1), created(2))
    assert last_line(consume(CAUGHT_UP)) == "2 records: 2 applied"
    stream.put(created(3))
    assert last_line(consume(CAUGHT_UP, "--from", "trim-horizon")) == "1 record: 1 applied"


def test_in_a_rebuild_nobody_is_informed_of_a_change(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    informed: list[str] = []

    def on_change(_: object, before: object, after: Aggregate[Limit], events: object) -> None:  # noqa: ARG001
        informed.append(after.key[1])

    monkeypatch.setattr(UserLimitEventProcessor, "on_change", on_change)
    stream.put(created(1))
    assert (
        last_line(Consume(stream.name, tmp_path / "new.db")(CAUGHT_UP, "--rebuild")) == "1 record: 1 applied"
    )
    assert informed == []
    Consume(stream.name, tmp_path / "other.db")(CAUGHT_UP)
    assert informed == ["limit-1"]


def test_from_latest_leaves_out_what_was_there_and_nothing_that_comes_later(
    stream: Stream, consume: Consume
) -> None:
    stream.put(created(1, "old"))
    # The stream tells its time in whole seconds: what came within the same one is read.
    put_at = time.time()
    until(lambda: int(time.time()) > put_at)
    assert last_line(consume(CAUGHT_UP, "--from", "latest")) == "0 records"
    stream.put(created(2, "new"))
    assert last_line(consume(CAUGHT_UP)) == "1 record: 1 applied"
    assert consume.limits() == ["new"]


def test_from_so_long_ago_and_from_a_time_what_arrived_since_is_read(stream: Stream, tmp_path: Path) -> None:
    stream.put(created(1))
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for number, begin in enumerate(["1h", an_hour_ago.isoformat()]):
        consume = Consume(stream.name, tmp_path / f"{number}.db")
        assert last_line(consume(CAUGHT_UP, "--from", begin)) == "1 record: 1 applied"


@pytest.mark.parametrize("begin", ["yesterday", "-1h", "2026-13-01"])
def test_a_wrong_beginning_is_refused_and_what_is_allowed_is_named(consume: Consume, begin: str) -> None:
    result = consume(CAUGHT_UP, "--from", begin)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: --from is {begin!r}; allowed: ")
    for allowed in ("trim-horizon", "latest", "2026-11-22T10:00:00Z", "6h"):
        assert allowed in result.stderr
    assert consume.checkpoints() == {}


@pytest.mark.parametrize("begin", ["999999999d", "0001-01-01T00:00:00+14:00", "9999-01-01"])
def test_a_beginning_that_no_stream_can_have_is_refused_and_does_not_stay_in_the_store(
    stream: Stream, consume: Consume, begin: str
) -> None:
    stream.put(created(1))
    result = consume(CAUGHT_UP, "--from", begin)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert last_line(consume(CAUGHT_UP)) == "1 record: 1 applied"


def test_a_stream_that_is_missing_ends_with_status_2_and_a_sentence(tmp_path: Path) -> None:
    result = Consume("nowhere", tmp_path / "limits.db")()
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the stream 'nowhere': it does not exist: are its name and the region right?\n"
    )
    assert result.stdout == ""


def test_without_credentials_it_says_what_to_set(consume: Consume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = consume()
    assert result.exit_code == 2
    assert "no credentials were found: set AWS_PROFILE" in result.stderr


def test_an_application_without_a_store_for_checkpoints_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "without_checkpoints.py").write_text(
        "from kinesis_handler import KinesisHandler\n"
        "from kinesis_handler.application import Application\n"
        "def build(): return Application(KinesisHandler())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(app, ["consume", "--stream", "facts", "--app", "without_checkpoints:build"])
    assert result.exit_code == 2
    assert "--app is 'without_checkpoints:build', which has no store for checkpoints" in result.stderr


def test_what_fails_at_its_last_delivery_is_parked_and_what_comes_later_waits_behind_it(
    stream: Stream, consume: Consume, tmp_path: Path
) -> None:
    stream.put(unknown(2), created(1))
    result = consume(CAUGHT_UP, "--retries", "0")
    assert result.exit_code == 1
    assert "2 records: 1 applied, 1 parked" in result.stdout
    kept = read_contents(DirectoryQuarantine(tmp_path / "kept"))
    [(_, _, entry)] = waiting_in([kept]).values()
    assert (entry.event_id, entry.error) == ("event-2", "BusinessError")
    stream.put(unknown(2))
    assert "1 parked" in consume(CAUGHT_UP, "--retries", "0").stdout


def test_what_fails_for_good_is_named_and_kept_and_the_exit_status_is_1(
    stream: Stream, consume: Consume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARK_AFTER", "never")
    stream.put(created(1))
    [number] = stream.put(unknown(2))
    stream.put(b"no event")
    result = consume(CAUGHT_UP, "--retries", "0")
    assert result.exit_code == 1
    assert "3 records: 1 applied, 1 rejected, 1 failed" in result.stdout
    assert f"failed for good: event event-2, record {number}: the limit is not known" in result.stdout
    kept = read_contents(DirectoryQuarantine(tmp_path / "kept"))
    by_error = {entry.error: entry for _, _, entry in waiting_in([kept]).values()}
    assert set(by_error) == {"RetryAttemptsExhausted", "InvalidEventError"}
    given_up = by_error["RetryAttemptsExhausted"]
    assert (given_up.sequence_number, given_up.shard_id) == (number, FIRST)
    assert given_up.stream == stream.arn
    [name] = [name for _, name, _ in waiting_in([kept]).values() if name.endswith(".on-failure.json")]
    assert f"/{stream.name}/{FIRST}/{number}" in name
    assert consume(CAUGHT_UP).exit_code == 0, "it is not tried again by itself"


def test_without_a_quarantine_what_fails_for_good_is_named_and_gone(
    stream: Stream, consume: Consume, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QUARANTINE_URL")
    monkeypatch.setenv("LOG_LEVEL", "warning")
    stream.put(unknown(1), b"no event", created(2))
    result = consume(CAUGHT_UP, "--retries", "0")
    assert result.exit_code == 1
    assert result.stderr.count('"message":"no quarantine"') == 1
    assert "3 records: 1 applied, 1 rejected, 1 failed" in result.stdout
    assert not (tmp_path / "kept").exists()
    assert last_line(consume(CAUGHT_UP)) == "0 records"


def test_checkpoints_in_dynamodb_have_a_table_of_their_own_that_is_made_as_needed(
    stream: Stream, dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_endpoint)
    stream.put(created(1))
    table = f"Consumed-{stream.name}"
    arguments = ["--stream", stream.name, "--store", f"dynamodb://{table}", CAUGHT_UP]
    runner = CliRunner()
    without = runner.invoke(app, ["consume", *arguments])
    assert without.exit_code == 2
    assert table in without.stderr
    assert runner.invoke(app, ["table", "create", "--store", f"dynamodb://{table}"]).exit_code == 0
    assert last_line(runner.invoke(app, ["consume", *arguments])) == "1 record: 1 applied"
    stream.put(created(2))
    assert last_line(runner.invoke(app, ["consume", *arguments])) == "1 record: 1 applied"


def test_the_operators_page_shows_what_a_consumer_did_and_what_waits(
    stream: Stream, consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens the store and the quarantine, and asks no process."""
    monkeypatch.setenv("PARK_AFTER", "0")
    stream.put(created(1), created(2), unknown(3), b"no event")
    consume(CAUGHT_UP)
    shown = state(OperatorPage(application(store=f"sqlite:///{consume.database}"), JsonApi([])))
    [source] = shown["sources"]
    assert {name: sum(counts) for name, counts in source["outcomes"].items()} == {
        "applied": 2,
        "parked": 1,
        "rejected": 1,
    }
    assert source["isOver"]
    assert max(source["ages"]) >= 0
    [of_stream] = shown["streams"]
    assert of_stream["readBy"] == ""
    [shard] = of_stream["shards"]
    assert (shard["shard"], shard["behindMs"]) == (FIRST, 0)
    assert [each["key"] for each in shown["parked"]] == [["anna", "nowhere"]]
    assert shown["records"] == 1
