"""`kinesis-handler checkpoints`: what it shows, and what a reset leads to."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stores.sqlite import SQLiteRepository
from stream.facts import created
from stream.real_stream import FIRST, SECOND, Stream

if TYPE_CHECKING:
    from typer.testing import Result


class Commands:
    """The commands on one stream and one store."""

    def __init__(self, stream: Stream, database: Path) -> None:
        self.stream = stream
        self.database = database

    def __call__(self, *arguments: str) -> "Result":
        where = ["--stream", self.stream.name, "--store", f"sqlite:///{self.database}"]
        return CliRunner().invoke(app, [*arguments, *where])

    def consume(self, *arguments: str) -> str:
        """Read to the tip; return the summary."""
        result = self("consume", "--until-caught-up", *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout.splitlines()[-1]

    def reset(self, *arguments: str) -> str:
        result = self("checkpoints", "reset", *arguments, "--yes")
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def shown(self) -> list[dict[str, Any]]:
        result = self("checkpoints", "show", "--json")
        assert result.exit_code == 0, result.stderr
        shown: list[dict[str, Any]] = json.loads(result.stdout)
        return shown

    def checkpoints(self) -> Checkpoints:
        repository = SQLiteRepository(self.database, Checkpoint, table="checkpoints")
        return Checkpoints(repository, self.stream.reader().identity)


@pytest.fixture
def make_commands(
    make_stream: Callable[[int], Stream],
    kinesis_endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int], Commands]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("STORAGE_TTL", "0")
    monkeypatch.setenv("LOG_LEVEL", "error")
    return lambda shards: Commands(make_stream(shards), tmp_path / "limits.db")


@pytest.fixture
def commands(make_commands: Callable[[int], Commands]) -> Commands:
    return make_commands(1)


def test_it_shows_where_each_shard_goes_on_and_when_that_was_moved(
    make_commands: Callable[[int], Commands],
) -> None:
    commands = make_commands(2)
    [number] = commands.stream.put_on(FIRST, created(1))
    first, second = commands.shown()
    assert (first["shard"], first["goesOn"], first["moved"]) == (FIRST, "at its beginning: not begun", None)
    commands.consume("--from", "1h")
    commands.stream.split(SECOND)
    first, second, *children = commands.shown()
    assert (first["shard"], first["goesOn"]) == (FIRST, f"behind {number}")
    assert first["arrived"] <= first["moved"]
    assert second["goesOn"].startswith("with what arrived since 20")
    assert [each["goesOn"] for each in children] == ["at its beginning: not begun"] * 2
    commands.consume()
    [_, second, *_] = commands.shown()
    assert second["goesOn"] == "nowhere: read to its end"
    for_people = commands("checkpoints", "show").stdout
    assert for_people.startswith("read by no process\n")
    assert f"behind {number}" in for_people


def test_it_shows_which_process_reads_the_stream_and_a_reset_is_refused_meanwhile(commands: Commands) -> None:
    commands.consume()
    running = commands.checkpoints()
    running.begin(list, Checkpoint(), 0)
    assert commands("checkpoints", "show").stdout.startswith("read by another process (")
    refused = commands("checkpoints", "reset", "--to", "latest", "--yes")
    assert refused.exit_code == 2
    assert "is being read into this store by another process" in refused.stderr
    running.claim.release(0)
    commands.reset("--to", "latest")


def test_behind_a_reset_to_the_oldest_record_all_comes_again_and_is_known_again(commands: Commands) -> None:
    commands.stream.put(created(1), created(2))
    commands.consume()
    assert commands.reset("--to", "TRIM_HORIZON") == (
        f"put every shard of {commands.stream.name} (1) to TRIM_HORIZON\n"
    )
    assert commands.consume() == "2 records: 2 duplicate"


def test_behind_a_reset_to_a_number_of_a_shard_what_comes_behind_it_is_read(
    make_commands: Callable[[int], Commands],
) -> None:
    commands = make_commands(2)
    numbers = commands.stream.put_on(FIRST, created(1), created(2), created(3))
    commands.stream.put_on(SECOND, created(4))
    commands.consume()
    commands.reset("--shard", FIRST, "--to", numbers[0])
    assert commands.consume().startswith("2 records: ")


def test_a_store_that_nobody_has_read_into_can_be_put_somewhere_first(commands: Commands) -> None:
    commands.stream.put(created(1))
    commands.reset("--to", "1h")
    [shown] = commands.shown()
    assert shown["goesOn"].startswith("with what arrived since 20")
    assert commands.consume("--from", "latest") == "1 record: 1 applied"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--to", "latest"], r"this puts every shard of facts-\d+ \(1\) to latest"),
        (
            ["--to", "yesterday", "--yes"],
            "--to is 'yesterday'; allowed: trim-horizon, latest, a sequence number",
        ),
        (["--to", "4" * 56, "--yes"], "--to is a sequence number, which is of one shard: say --shard"),
        (["--to", "latest", "--shard", "9", "--yes"], f"--shard is '9'; the stream '.*' has {FIRST}"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_moved(
    commands: Commands, arguments: list[str], expected: str
) -> None:
    commands.stream.put(created(1))
    commands.consume()
    before = commands.shown()
    result = commands("checkpoints", "reset", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert re.search(expected, result.stderr)
    assert commands.shown() == before


def test_a_from_that_is_not_used_says_so_and_what_is(commands: Commands) -> None:
    commands.stream.put(created(1))
    first = commands("consume", "--until-caught-up", "--from", "trim-horizon")
    assert first.stderr == ""
    again = commands("consume", "--until-caught-up", "--from", "trim-horizon")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[-1] == "0 records"
    assert again.stderr == (
        "--from trim-horizon is not used: it goes on from the checkpoints in this store, which "
        f"`kinesis-handler checkpoints reset --stream {commands.stream.name} --to WHERE` moves\n"
    )
