"""`parked`, `quarantine drop`, and `redrive` of parked keys, as a person runs them."""

import json
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
    assert [line for line in lines(done.stdout) if line.startswith("event ")] == [
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
    assert shell("parked", "list").stdout.strip() == "no key is parked"


def test_what_shall_never_be_applied_is_dropped_with_who_and_why(shell: Shell) -> None:
    key = ("--key", "anna", "bet")
    done = shell("quarantine", "drop", *key, "--because", "a test account", "--by", "ops", "--yes")
    assert (done.returncode, done.stdout.strip()) == (0, "3 events dropped, the key goes on")
    assert shell("parked", "list").stdout.strip() == "no key is parked"
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
    assert shell("parked", "list").stdout.strip() == "no key is parked"
    readers = Parking(shell), ActivityProcessor(activities(shell), park_after=None)
    handler = KinesisHandler(readers, quarantine=shell.quarantine)
    handler({"Records": on_shard([*EVENTS, progress("e6", 2)])[5:]})
    assert "4, of which 3 are not in the quarantine" in " ".join(lines(shell("parked", "list").stdout))
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, lines(done.stdout)[0]) == (1, "1 record: 1 held back")
