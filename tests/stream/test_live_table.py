"""The line of each shard, out of what its thread has written."""

import io

import pytest
from rich.console import Console

from kinesis_handler.cli.shards import ShardTable, live, span
from kinesis_handler.cli.tally import Tally
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.outcome import Status
from stream.real_stream import FIRST, SECOND


def written(table: ShardTable) -> list[str]:
    console = Console(file=io.StringIO(), width=140)
    console.print(table.table())
    file = console.file
    assert isinstance(file, io.StringIO)
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_each_shard_has_a_line_with_what_failed_and_what_it_waits_for() -> None:
    progress = {
        FIRST: ShardProgress(records=1_234, behind_ms=90_000, age=5_400.0),
        SECOND: ShardProgress(state=State.ENDED, problem="Rate exceeded\x1b[2J"),
    }
    tally = Tally()
    tally.outcomes[Status.FAILED] = 2
    assert written(ShardTable(progress, {FIRST: tally})) == [
        "shard state records a second age behind failed",
        f"{FIRST} reading 1,234 0 1.5 h 1.5 min 2",
        f"{SECOND} ended 0 0 Rate exceeded\\x1b[2J",
    ]


def test_a_shard_that_is_begun_later_gets_a_line_too() -> None:
    progress = {FIRST: ShardProgress()}
    table = ShardTable(progress, {})
    assert len(written(table)) == 2
    progress[SECOND] = ShardProgress()
    assert len(written(table)) == 3


def test_the_rate_has_nothing_of_what_was_read_before_the_first_look() -> None:
    table = ShardTable({FIRST: ShardProgress(records=1_000)}, {})
    written(table)
    assert written(table)[1] == f"{FIRST} reading 1,000 0"


def test_where_there_is_no_terminal_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    with live({FIRST: ShardProgress()}, {}):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (60.0, "1.0 min"),
        (3_600.0, "1.0 h"),
        (86_400.0, "1.0 d"),
        (30 * 86_400.0, "30.0 d"),
    ],
)
def test_a_span_is_written_in_its_largest_unit(seconds: float | None, expected: str) -> None:
    assert span(seconds) == expected
