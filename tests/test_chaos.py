"""The chaos run: it passes, a seed repeats it, and it would notice if the engine were broken."""

import io
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from chaos import faults, handlers, shard
from chaos.events import KINDS
from chaos.faults import Fault
from chaos.report import command, print_report
from chaos.run import Options, Report, run
from kinesis_handler import Event, Remarked
from kinesis_handler.aggregate import Parked
from kinesis_handler.fold import fold
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.local.redrive.items import Item
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.outcome import BatchResult, ReaderKey
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.stores.dynamodb.answer import Meaning, Problem
from kinesis_handler.stores.dynamodb.saving import Saving
from user_limits.limit import Limit, apply

ROOT = Path(__file__).parent.parent

Break = Callable[[pytest.MonkeyPatch], None]


def told(report: Report) -> str:
    """Return what the command would print."""
    console = Console(file=io.StringIO(), width=120)
    print_report(console, report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_run_in_which_nearly_every_fault_strikes_ends_as_one_clean_pass(dynamodb_endpoint: str) -> None:
    report = run(Options(seed=12, events=1_200), dynamodb_endpoint)
    assert not report.differences, told(report)
    assert "The same as one clean pass" in told(report)
    assert sum(times > 0 for times in report.injected.values()) > len(Fault) - 3


def test_a_run_of_any_seed_ends_as_one_clean_pass(dynamodb_endpoint: str) -> None:
    options = Options(seed=secrets.randbelow(10**9), events=600)
    sys.stdout.write(command(options))  # pytest shows it if the run itself breaks off
    report = run(options, dynamodb_endpoint)
    assert not report.differences, told(report)


def test_a_seed_repeats_a_run_fault_by_fault(dynamodb_endpoint: str) -> None:
    arguments = ["-m", "chaos", "--events=250", "--seed=1", f"--endpoint={dynamodb_endpoint}"]
    both = [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hash_seed in "12"
    ]
    printed = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    lines = [[line for line in output.splitlines() if "seconds" not in line] for output, _ in printed]
    assert lines[0] == lines[1]
    assert lines[0][0] == "seed 1: 250 events on 4 shards"


def drop_writes(patch: pytest.MonkeyPatch) -> None:
    """Leave some limits unwritten, and say nothing."""
    save = DynamoDBRepository.save

    def broken(self: DynamoDBRepository[Any], changes: Sequence[Change[Any]]) -> Saved:
        return save(self, [change for change in changes if not change.key[1].endswith("1")])

    patch.setattr(DynamoDBRepository, "save", broken)


def apply_again(patch: pytest.MonkeyPatch) -> None:
    """Forget which events have been applied."""

    def broken(aggregate: Any, *rest: Any) -> Any:
        if aggregate is not None:
            aggregate = replace(
                aggregate, sequence_number=None, record_sequence_number="0", recent_event_ids=()
            )
        return fold(aggregate, *rest)

    patch.setattr("kinesis_handler.parking.fold", broken)


def report_no_failure(patch: pytest.MonkeyPatch) -> None:
    """Answer that all is well, whatever failed."""
    patch.setattr(BatchResult, "response", lambda _self: {"batchItemFailures": []})


def take_lost_for_done(patch: pytest.MonkeyPatch) -> None:
    """Guess that a write whose answer was lost was done."""
    is_doubtful = Saving._is_doubtful

    def broken(self: Saving[Any], write: Any, problem: Problem) -> bool:
        if problem.meaning is Meaning.UNSURE:
            self._end(write.change.key)
            return False
        return is_doubtful(self, write, problem)

    patch.setattr(Saving, "_is_doubtful", broken)


def write_without_condition(patch: pytest.MonkeyPatch) -> None:
    """Overwrite what another handler has written in between."""
    save = DynamoDBRepository.save

    def broken(self: DynamoDBRepository[Any], changes: Sequence[Change[Any]]) -> Saved:
        self.delete([change.key for change in changes])
        return save(self, [Change(None, change.after) for change in changes])

    patch.setattr(DynamoDBRepository, "save", broken)


def believe_the_quarantine(patch: pytest.MonkeyPatch) -> None:
    """Take what is rejected for kept, even where the quarantine did not take it."""
    for module in ("batch", "handler"):
        patch.setattr(f"kinesis_handler.{module}.put_into", lambda *_: None)


def forget_the_last_reset(patch: pytest.MonkeyPatch) -> None:
    """Let an event that changes the progress lose what is known of the last reset."""

    def broken(limit: Limit | None, event: Event[Any]) -> Any:
        result = apply(limit, event)
        if limit is None or event.type != "USER_LIMIT_PROGRESS_CHANGED":
            return result
        if isinstance(result, Remarked):
            return Remarked(replace(result.state, last_reset=None), result.remarks)
        return replace(result, last_reset=None)

    patch.setattr("user_limits.processor.apply", broken)


def park_without_a_note(patch: pytest.MonkeyPatch) -> None:
    """Acknowledge what fails for too long, and forget that its key is parked."""
    patch.setattr("kinesis_handler.parking._noted", lambda aggregate, *_, **__: aggregate)


def release_without_counting(patch: pytest.MonkeyPatch) -> None:
    """Release a key without all that waits of it."""
    send = ThroughHandler.release

    def broken(self: ThroughHandler, who: ReaderKey, items: Sequence[Item]) -> Any:
        done = send(self, who, items[-1:])
        left = [entry for item in items[:-1] for entry in item.entries if who in entry.parked]
        return {**done, **{entry.position: Verdict(Result.HELD_BACK, done=False) for entry in left}}

    patch.setattr(ThroughHandler, "release", broken)
    patch.setattr("kinesis_handler.release._waiting", lambda *_: 10**6)


def forget_the_end_of_the_note(patch: pytest.MonkeyPatch) -> None:
    """Park again what comes again."""
    patch.setattr(Parked, "covers", lambda *_: False)


@pytest.mark.parametrize(
    ("broken", "fault", "others"),
    [
        (drop_writes, Fault.TIMEOUT, 0),
        (apply_again, Fault.ANSWER_LOST, 0),
        (report_no_failure, Fault.PROCESSOR, 0),
        (take_lost_for_done, Fault.CUT_BEFORE, 0),
        (write_without_condition, Fault.TIMEOUT, 0.5),
        (believe_the_quarantine, Fault.QUARANTINE_DOWN, 0),
        (forget_the_last_reset, Fault.TIMEOUT, 0),
        (park_without_a_note, Fault.PROCESSOR, 0),
        (release_without_counting, Fault.PROCESSOR, 0),
        (forget_the_end_of_the_note, Fault.ANSWER_LOST, 0),
    ],
)
def test_a_broken_engine_is_noticed(
    monkeypatch: pytest.MonkeyPatch, dynamodb_endpoint: str, broken: Break, fault: Fault, others: float
) -> None:
    broken(monkeypatch)
    # What shows it is more frequent than in a long run.
    monkeypatch.setattr(faults, "OUTAGES", [{fault: 0.5}])
    monkeypatch.setattr(faults, "OUTAGE_RATE", 1)
    monkeypatch.setattr(handlers, "BROKEN_RATE", 0.02)
    monkeypatch.setattr(shard, "SECOND_RATE", others)
    monkeypatch.setattr(shard, "STALE_RATE", others)
    report = run(Options(seed=2, events=200), dynamodb_endpoint)
    assert report.differences
    assert told(report).splitlines()[-1].startswith("NOT the same as one clean pass")
    assert told(report).endswith("Again: python -m chaos --seed 2 --events 200 --shards 4\n")


def test_an_event_that_its_fold_rejects_is_kept_before_later_ones_supersede_it(
    monkeypatch: pytest.MonkeyPatch, dynamodb_endpoint: str
) -> None:
    monkeypatch.setitem(KINDS, "inexact", 60)
    report = run(Options(seed=1, events=600), dynamodb_endpoint)
    assert not report.differences, told(report)
