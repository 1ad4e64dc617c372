"""`kinesis-handler consume` as a process: how it is stopped, what it waits for, what a terminal shows."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.sqlite import SQLiteRepository
from stream.facts import created, unknown
from stream.processes import Command, until
from stream.real_stream import FIRST, SECOND, Stream
from user_limits.limit import Limit

CAUGHT_UP = "--until-caught-up"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves a terminal's cursor, and colours what it writes."""


@pytest.fixture
def command(stream: Stream, kinesis_endpoint: str, tmp_path: Path) -> Command:
    return Command(
        stream,
        kinesis_endpoint,
        f"sqlite:///{tmp_path / 'limits.db'}",
        QUARANTINE_URL=(tmp_path / "kept").as_uri(),
        PARK_AFTER="never",
    )


@pytest.fixture
def applied(tmp_path: Path) -> Callable[[], int]:
    """Return what counts the events that have been applied."""
    SQLiteRepository(tmp_path / "limits.db", Limit)
    limits = SQLiteRepository(tmp_path / "limits.db", Limit)
    return lambda: sum(each.version for each in limits.scan())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_a_restart_goes_on_where_it_was(
    stream: Stream, command: Command, applied: Callable[[], int], number: int
) -> None:
    stream.put(*(created(each) for each in range(5)))
    with command.running("--batch-size", "2") as process:
        until(lambda: applied() == 5, process)
        process.send_signal(number)
        printed, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert printed == "5 records: 5 applied\n"
    assert said == ""
    stream.put(created(5), created(6))
    again = command.run(CAUGHT_UP)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1] == "2 records: 2 applied"


def test_a_signal_while_a_record_waits_for_its_retry_ends_it_at_once_and_gives_nothing_up(
    stream: Stream, command: Command, applied: Callable[[], int], tmp_path: Path
) -> None:
    stream.put(created(1), unknown(2), created(3))
    with command.running("--retries", "9") as process:
        until(lambda: applied() == 2, process)
        process.terminate()
        printed, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert printed == "0 records\n", "its batch has not been settled"
    assert not (tmp_path / "kept").exists()
    again = command.run(CAUGHT_UP, "--retries", "0")
    assert again.returncode == 1
    assert "3 records: 2 duplicate, 1 failed" in again.stdout


def test_while_the_quarantine_is_down_a_shard_waits_and_then_goes_on(
    stream: Stream, command: Command, applied: Callable[[], int], tmp_path: Path
) -> None:
    # A file in the place of the folder: nobody can write below it.
    (tmp_path / "kept").write_text("in the way")
    [given_up] = stream.put(unknown(1))
    [rejected] = stream.put(b"no event")
    stream.put(created(2))
    with command.running("--retries", "0", "--batch-size", "1") as process:
        assert process.stderr
        assert "the limit is not known" in process.stderr.readline()
        assert applied() == 0
        (tmp_path / "kept").unlink()
        until(lambda: applied() == 1, process)
        process.terminate()
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "3 records: 1 applied, 1 rejected, 1 failed" in printed
    kept = read_contents(DirectoryQuarantine(tmp_path / "kept"))
    assert {entry.sequence_number: entry.error for _, _, entry in waiting_in([kept]).values()} == {
        given_up: "RetryAttemptsExhausted",
        rejected: "InvalidEventError",
    }


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Open both ends of a terminal: a person's, and a process's."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        with suppress(OSError):
            os.close(theirs)


def test_a_terminal_shows_a_line_for_each_shard(
    make_stream: Callable[[int], Stream], kinesis_endpoint: str, tmp_path: Path
) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, *(created(number) for number in range(12)))
    stream.put_on(SECOND, unknown(1))
    store = f"sqlite:///{tmp_path / 'limits.db'}"
    command = Command(stream, kinesis_endpoint, store, TERM="xterm", COLUMNS="120", LINES="20")
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [*command.arguments, "--retries", "0"],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=command.environment,
            text=True,
        )
        os.close(theirs)
        with process:
            shown = ""
            while not (
                re.search(rf"{FIRST} +reading +12", shown) and re.search(rf"{SECOND} +reading +1", shown)
            ):
                shown += ESCAPES.sub("", os.read(ours, 65_536).decode(errors="replace"))
            process.terminate()
            with suppress(OSError):  # what Linux says at the end of a terminal
                while more := os.read(ours, 65_536):
                    shown += ESCAPES.sub("", more.decode(errors="replace"))
            printed, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert printed.startswith("13 records: 12 applied, 1 failed")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "shard state records a second age behind failed" in lines
    *_, first, second = [line for line in lines if line.startswith("shardId")]
    assert re.fullmatch(rf"{FIRST} stopped 12 [\d,]+ \d+\.\d s", first)
    assert re.fullmatch(rf"{SECOND} stopped 1 [\d,]+ \d+\.\d s 1", second)
