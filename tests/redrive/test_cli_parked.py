"""`parked`, `quarantine drop`, and `redrive` of parked keys, as a person runs them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kinesis_handler import KinesisHandler
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores.sqlite import SQLiteRepository
from redrive.test_cli_redrive import Shell, lines
from redrive.waiting import FailingProcessor, clean_pass, created, on_shard, progress, state_of
from user_limits.activity import Activity
from user_limits.processor import ActivityProcessor

EVENTS = [created("e1"), progress("e2", 5), created("e3", "ben"), progress("e4", 7), progress("e5", 1)]


class Parking(FailingProcessor):
    """Parks what fails."""

    def __init__(self, shell: Shell, *failing: str) -> None:
        super().__init__(shell.store(), *failing)
        self._park_after = 60.0


def activities(shell: Shell) -> SQLiteRepository[Activity]:
    return SQLiteRepository(shell.folder / "limits.db", Activity, table="activity")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a shell beside a store in which one key is parked: its second event fails."""
    shell = Shell(tmp_path)
    readers = Parking(shell, "e2"), ActivityProcessor(activities(shell), park_after=None)
    handler = KinesisHandler(readers, quarantine=shell.quarantine)
    handler({"Records": on_shard(EVENTS)})
    return shell


def test_parked_keys_are_listed_with_how_many_wait_and_why(shell: Shell) -> None:
    done = shell("parked", "list")
    assert done.returncode == 0
    [heading, row, advice] = lines(done.stdout)
    assert heading.split() == ["partition", "sort", "since", "reader", "events", "why"]
    assert row.startswith("anna bet 2")
    assert " UserLimitEventProcessor 3 " in row
    assert "redrive --through handler" in advice
    [entry] = json.loads(shell("parked", "list", "--json").stdout)
    assert (entry["partition"], entry["sort"], entry["events"], entry["inQuarantine"]) == (
        "anna",
        "bet",
        3,
        3,
    )


def test_the_events_of_one_parked_key_are_shown_in_their_order(shell: Shell) -> None:
    done = shell("parked", "show", "anna", "bet")
    [heading, *shown] = lines(done.stdout)
    assert (done.returncode, heading.startswith("parked for UserLimitEventProcessor since 2")) == (0, True)
    assert heading.endswith(", events: 3. BusinessError: e2 is refused for now")
    assert [line for line in shown if line.startswith("event ")] == [
        f"event {name} of type USER_LIMIT_PROGRESS_CHANGED, parked for UserLimitEventProcessor (anna bet)"
        for name in ("e2", "e4", "e5")
    ]
    assert len(json.loads(shell("parked", "show", "anna", "bet", "--json").stdout)) == 3
    other = shell("parked", "show", "ben", "bet")
    assert (other.returncode, other.stdout.strip()) == (1, "nothing waits for ben bet")


def test_a_redrive_releases_the_key_in_the_order_of_the_stream(shell: Shell) -> None:
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, lines(done.stdout)[0]) == (0, "3 records: 3 applied")
    assert state_of(shell.store()) == clean_pass(on_shard(EVENTS))
    assert shell("parked", "list", "--scan").stdout.strip() == "no key is parked"


def test_what_shall_never_be_applied_is_dropped_with_who_and_why(shell: Shell) -> None:
    key = ("--key", "anna", "bet")
    done = shell("quarantine", "drop", *key, "--because", "a test account", "--by", "ops", "--yes")
    assert (done.returncode, done.stdout.strip()) == (0, "3 events dropped, the key goes on")
    assert shell("parked", "list", "--scan").stdout.strip() == "no key is parked"
    assert shell("redrive", "--through", "handler").stdout.strip() == "0 records to send"
    marks = [content for name, content in shell.files().items() if "/done/" in name]
    assert b'"outcome":"dropped by ops: a test account"' in b"".join(marks)
    readers = Parking(shell), ActivityProcessor(activities(shell), park_after=None)
    handler = KinesisHandler(readers, quarantine=shell.quarantine)
    assert handler({"Records": on_shard([*EVENTS, progress("e6", 2)])}) == {"batchItemFailures": []}
    assert waiting_in([read_contents(shell.quarantine)]) == {}
    [limit] = [each.state for each in shell.store().scan() if each.key == ("anna", "bet")]
    assert limit.progress == 2, "those that were dropped are not applied when they come again"


def test_nothing_is_dropped_without_a_yes_or_a_reason_or_where_nothing_waits(shell: Shell) -> None:
    before = shell.files()
    key = ("--key", "anna", "bet")
    assert shell("quarantine", "drop", *key, "--because", "x").returncode == 1
    without = shell("quarantine", "drop", *key, "--because", " ", "--yes")
    assert (without.returncode, "--because is empty" in without.stderr) == (2, True)
    asked = shell("quarantine", "drop", "--key", "ben", "bet", "--because", "x", "--yes", "--json")
    assert (asked.returncode, json.loads(asked.stdout)) == (1, {"notes": 0, "records": 0})
    other = shell("quarantine", "drop", "--key", "ben", "bet", "--because", "x", "--yes")
    assert (other.returncode, other.stdout.strip()) == (1, "nothing waits for ben bet")
    assert shell.files() == before


def test_a_key_of_which_something_is_missing_says_so_and_stays_parked(shell: Shell) -> None:
    for path in shell.files():
        Path(path).unlink()
    readers = Parking(shell), ActivityProcessor(activities(shell), park_after=None)
    handler = KinesisHandler(readers, quarantine=shell.quarantine)
    handler({"Records": on_shard([*EVENTS, progress("e6", 2)])[5:]})
    listed = " ".join(lines(shell("parked", "list").stdout))
    assert "4, of which 3 are not in the quarantine" in listed
    assert "restore its objects, or give it up by `kinesis-handler quarantine drop`" in listed
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, lines(done.stdout)[0]) == (1, "1 record: 1 held back")


def test_a_key_of_which_nothing_is_left_is_found_in_the_store_and_can_be_given_up(shell: Shell) -> None:
    for path in shell.files():
        Path(path).unlink()
    listed = shell("parked", "list")
    assert (listed.returncode, listed.stdout.startswith("no parked key in the quarantine; --scan")) == (
        0,
        True,
    )
    assert "3, of which 3 are not in the quarantine" in shell("parked", "list", "--scan").stdout
    [entry] = json.loads(shell("parked", "list", "--scan", "--json").stdout)
    assert (entry["partition"], entry["events"], entry["inQuarantine"]) == ("anna", 3, 0)
    shown = shell("parked", "show", "anna", "bet")
    assert (shown.returncode, ", of which 3 are not in the quarantine. " in shown.stdout) == (1, True)
    assert "is not released: restore its objects" in shown.stderr
    assert json.loads(shell("parked", "show", "anna", "bet", "--json").stdout) == []
    dropped = shell("quarantine", "drop", "--key", "anna", "bet", "--because", "lost", "--yes")
    assert (dropped.returncode, dropped.stdout.strip()) == (0, "0 events dropped, the key goes on")
    assert shell("parked", "list", "--scan").stdout.strip() == "no key is parked"


def test_what_waits_for_a_reader_that_was_renamed_is_not_called_missing(tmp_path: Path) -> None:
    class Renamed(Parking):
        reader_name = "LimitProjection"

    shell = Shell(tmp_path)
    handler = KinesisHandler([Renamed(shell, "e2")], quarantine=shell.quarantine)
    handler({"Records": on_shard(EVENTS)})
    listed = shell("parked", "list").stdout
    assert (" 3 " in listed, "not in the quarantine" in listed) == (True, False)
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, lines(done.stdout)[0]) == (1, "3 records: 3 no reader")


@pytest.mark.parametrize(
    "command",
    [
        ("parked", "list"),
        ("parked", "list", "--json"),
        ("parked", "show", "anna", "bet"),
        ("quarantine", "drop", "--key", "anna", "bet", "--because", "x", "--yes"),
    ],
)
def test_an_object_that_cannot_be_read_is_named_because_it_may_hold_what_is_parked(
    shell: Shell, command: tuple[str, ...]
) -> None:
    shell.quarantine.keep("2026-11-27/damaged.jsonl", b"{")
    done = shell(*command)
    assert (done.returncode, "not read: 2026-11-27/damaged.jsonl" in done.stderr) == (1, True)


@pytest.mark.parametrize("command", [("list",), ("list", "--scan"), ("show", "ben", "bet")])
def test_a_damaged_row_is_named_and_stops_nothing(shell: Shell, command: tuple[str, ...]) -> None:
    readers = Parking(shell, "e7"), ActivityProcessor(activities(shell), park_after=None)
    handler = KinesisHandler(readers, quarantine=shell.quarantine)
    handler({"Records": on_shard([progress("e7", 1, "ben")], first=6)})
    with closing(sqlite3.connect(shell.folder / "limits.db")) as database, database:
        database.execute("UPDATE aggregates SET document = '{' WHERE sort = 'bet' AND partition = 'ben'")
    done = shell("parked", *command)
    assert (done.returncode, "anna" in done.stdout) == (1, command[0] == "list")
    assert "what is stored under ('ben', 'bet')" in done.stderr
    assert ("event e7" in done.stdout) == (command[0] == "show")
