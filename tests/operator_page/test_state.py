"""What the operator's page shows: the truth of the stores, whichever process wrote there."""

import time
from pathlib import Path

import pytest

from kinesis_handler.errors import QuarantineError, RepositoryError
from kinesis_handler.local.minutes import MINUTES, Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in, known_checkpoints_in
from kinesis_handler.local.stream.claim import LOST_AFTER
from kinesis_handler.operator_page.state import MAX_GROUPS, MAX_RECORDS, REMEMBERED, RememberedQuarantine
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.testing import FakeClock
from operated import STREAM, Operated
from operator_page.asking import ask, state


@pytest.fixture
def operated(tmp_path: Path) -> Operated:
    return Operated(tmp_path)


def test_where_nothing_waits_nothing_is_shown(operated: Operated) -> None:
    shown = state(operated.page(reports=False))
    assert (shown["parked"], shown["waiting"], shown["streams"], shown["sources"]) == ([], [], [], [])
    assert (shown["records"], shown["problems"], shown["remarks"], shown["jobs"]) == (0, {}, [], [])


def test_a_parked_key_is_shown_with_how_many_wait_and_why(operated: Operated) -> None:
    operated.broken.add("anna")
    assert operated.move("anna", 1, 2) == [Status.PARKED, Status.PARKED]
    [parked] = state(operated.page())["parked"]
    assert parked["key"] == parked["shown"] == ["bank", "anna"]
    assert (parked["count"], parked["inQuarantine"], parked["isIncomplete"]) == ("2", 2, False)
    assert parked["reason"] == "BusinessError: the ledger of anna is closed"


def test_the_events_that_wait_for_a_key_are_shown_in_their_order(operated: Operated) -> None:
    operated.broken.add("anna")
    operated.move("anna", 1, 2)
    found = ask(operated.page(), "/operator/api/records?partition=bank&sort=anna").json
    assert [each["event"] for each in found] == [
        f"event {name} of type MOVED, parked for Strict (bank anna)" for name in ("e1", "e2")
    ]
    assert '"number":2' in found[1]["data"]


def test_what_was_rejected_is_grouped_by_its_reason_and_parked_events_are_not_among_it(
    operated: Operated,
) -> None:
    operated.broken.add("anna")
    operated.reasons |= {-1: "below zero", -2: "far below zero"}
    operated.move("anna", 1)
    operated.move("ben", -1, -1, -2)
    shown = state(operated.page())
    assert [(each["records"], each["reason"]) for each in shown["waiting"]] == [
        (2, "below zero"),
        (1, "far below zero"),
    ]
    assert shown["records"] == 3
    group = shown["waiting"][0]["group"]
    found = ask(operated.page(), f"/operator/api/records?group={group}").json
    assert [each["event"] for each in found] == [
        f"event {name} of type MOVED, rejected by Strict (bank ben)" for name in ("e3", "e2")
    ]


def test_of_very_many_the_first_are_shown_and_all_are_counted(operated: Operated) -> None:
    operated.reasons |= {-number: f"reason {number}" for number in range(1, 151)}
    operated.move("ben", *(-number for number in range(1, 151)), *[-1] * 40)
    shown = state(operated.page())
    assert (len(shown["waiting"]), shown["waitingCount"], shown["records"]) == (MAX_GROUPS, 150, 190)
    group = shown["waiting"][0]["group"]
    assert len(ask(operated.page(), f"/operator/api/records?group={group}").json) == MAX_RECORDS


def test_characters_that_mislead_are_shown_and_not_obeyed(operated: Operated) -> None:
    account = "anna\u202e\u200b"
    operated.broken.add(account)
    operated.move(account, 1)
    [parked] = state(operated.page())["parked"]
    assert parked["key"] == ["bank", account], "by it the key is found"
    assert parked["shown"] == ["bank", "anna\\u202e\\u200b"]
    assert "\u202e" not in parked["reason"]


def test_a_key_of_which_something_is_missing_says_so(operated: Operated) -> None:
    operated.broken.add("anna")
    operated.move("anna", 1)
    operated.move("anna", 2)
    name = next(operated.quarantine.names())
    operated.quarantine.delete(name)
    [parked] = state(operated.page())["parked"]
    assert parked["count"] == "2, of which 1 are not in the quarantine"
    assert parked["isIncomplete"]


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_there(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    operated.broken.add("anna")
    operated.reasons[-1] = "below zero"
    operated.move("anna", 1)
    operated.move("ben", -1)

    def fail(*_: object) -> None:
        raise RepositoryError("injected: the store is down")

    monkeypatch.setattr(type(operated.repository), "load", fail)
    shown = state(operated.page())
    assert shown["problems"] == {"parked": "injected: the store is down"}
    assert "below zero" in [each["reason"] for each in shown["waiting"]]


def test_a_quarantine_that_cannot_be_listed_is_a_problem(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise QuarantineError("injected: it may not be listed")

    monkeypatch.setattr(DirectoryQuarantine, "names", fail)
    assert state(operated.page())["problems"] == {"quarantine": "injected: it may not be listed"}


def test_an_object_that_cannot_be_read_is_named(operated: Operated) -> None:
    operated.quarantine.keep("broken.jsonl", b"{")
    [named] = state(operated.page())["unreadable"]
    assert named.startswith("broken.jsonl: it holds something else, or is damaged")


def test_outcomes_of_this_process_are_there_by_minute(operated: Operated) -> None:
    operated.reasons[-1] = "below zero"
    operated.move("anna", 1, 2, -1, at=time.time())
    [source] = state(operated.page())["sources"]
    assert source["process"] == "this process"
    assert len(source["ages"]) == MINUTES
    assert {name: sum(counts) for name, counts in source["outcomes"].items()} == {"applied": 2, "rejected": 1}
    assert max(source["ages"]) >= 1_990


def test_outcomes_of_another_process_come_with_its_claim_on_the_stream(operated: Operated) -> None:
    now = time.time()
    report = Report(int(now // 60) - MINUTES + 1, {"applied": (0,) * 29 + (7,)}, (0,) * 30)
    other = Checkpoints(checkpoints_in(operated.store), f"{STREAM}:1", report=lambda _at: report)
    other.begin(lambda: ["shardId-1", "shardId-2", "shardId-3"], Checkpoint(), now)
    other.save(
        [
            ("shardId-1", Checkpoint(after="7", arrived_at=1_795_000_000_000, behind_ms=90_000)),
            ("shardId-2", Checkpoint(ended=True)),
        ],
        now,
    )
    shown = state(operated.page(reports=False))
    [source] = shown["sources"]
    assert source["process"].startswith("another process (")
    assert (source["stream"], source["isOver"], source["isSilent"]) == (f"{STREAM}:1", False, False)
    assert source["outcomes"] == {"applied": [0] * 29 + [7]}
    [stream] = shown["streams"]
    assert stream["readBy"] == source["process"]
    assert [(each["shard"], each["behindMs"], each["goesOn"]) for each in stream["shards"]] == [
        ("shardId-1", 90_000, "behind 7"),
        ("shardId-3", None, "with the oldest record"),
        ("shardId-2", None, "nowhere: read to its end"),
    ]
    other.claim.release(now)
    ended = state(operated.page(reports=False))
    assert (ended["streams"][0]["readBy"], ended["sources"][0]["isOver"]) == ("", True)


def test_a_process_that_has_died_is_said_to_be_silent(operated: Operated) -> None:
    late = time.time() - LOST_AFTER - 5
    Checkpoints(checkpoints_in(operated.store), STREAM).begin(lambda: ["shardId-1"], Checkpoint(), late)
    [stream] = state(operated.page())["streams"]
    assert stream["isSilent"]


def test_looking_makes_no_table_of_checkpoints(operated: Operated) -> None:
    assert state(operated.page())["streams"] == []
    assert known_checkpoints_in(operated.store) is not None, "a file needs none to be made"


def test_objects_are_read_once_a_minute_and_listed_each_time(tmp_path: Path) -> None:
    quarantine, clock = DirectoryQuarantine(tmp_path), FakeClock()
    quarantine.keep("a", b"1")
    remembered = RememberedQuarantine(quarantine, clock)
    assert [*remembered.names(), remembered.read("a")] == ["a", b"1"]
    quarantine.keep("a", b"2")
    quarantine.keep("b", b"3")
    assert [*remembered.names(), remembered.read("a")] == ["a", "b", b"1"]
    clock.advance(REMEMBERED)
    assert remembered.read("a") == b"2"
    quarantine.keep("a", b"4")
    remembered.forget()
    assert remembered.read("a") == b"4"
    quarantine.delete("a")
    assert list(remembered.names()) == ["b"]
