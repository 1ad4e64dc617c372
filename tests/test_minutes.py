"""What a process has done lately is counted by minute, and stored with its claim on the stream."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kinesis_handler.ingest.record import Record
from kinesis_handler.local.minutes import MINUTES, Minutes, Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from kinesis_handler.local.stream.checkpoint_store import CheckpointStore
from kinesis_handler.local.stream.claim import CLAIM
from kinesis_handler.outcome import HandledRecord, Outcome, Status
from kinesis_handler.stores.opening import open_store
from kinesis_handler.testing import invocation


def handled(status: Status, arrived: float) -> HandledRecord:
    source = invocation([{}])["Records"][0]
    source["kinesis"]["approximateArrivalTimestamp"] = arrived
    return HandledRecord(Record(source, "1", 0, None), None, Outcome(status))


def test_outcomes_are_counted_in_the_minute_in_which_they_are_settled() -> None:
    minutes = Minutes()
    minutes.add([handled(Status.APPLIED, 60.0), handled(Status.REJECTED, 90.0)], 100.0)
    minutes.add([handled(Status.APPLIED, 118.0)], 119.5)
    minutes.add([handled(Status.APPLIED, 185.0)], 185.0)
    report = minutes.report(185.0)
    assert report.begin == 3 - MINUTES + 1
    assert report.outcomes == {"applied": (0,) * 27 + (2, 0, 1), "rejected": (0,) * 27 + (1, 0, 0)}
    assert report.ages == (-1,) * 27 + (40_000, -1, 0)


def test_what_is_older_than_half_an_hour_is_forgotten() -> None:
    minutes = Minutes()
    minutes.add([handled(Status.APPLIED, 0.0)], 0.0)
    assert minutes.report(60.0 * (MINUTES - 1)).outcomes == {"applied": (1, *(0,) * (MINUTES - 1))}
    assert sum(minutes.report(60.0 * MINUTES).outcomes["applied"]) == 0


@given(st.lists(st.tuples(st.sampled_from(Status), st.integers(0, 60 * MINUTES - 1)), max_size=50))
def test_the_counts_add_up(settled: list[tuple[Status, int]]) -> None:
    minutes = Minutes()
    for status, at in sorted(settled, key=lambda each: each[1]):
        minutes.add([handled(status, float(at))], float(at))
    report = minutes.report(60.0 * MINUTES - 1)
    assert {name: sum(counts) for name, counts in report.outcomes.items()} == Counter(
        str(status) for status, _ in settled
    )


REPORT = Report(29_500_000, {"applied": (12, 0, 300), "parked": (0, 0, 1)}, (1_500, -1, 0))


def stored_report(url: str) -> object:
    store = open_store(url)
    checkpoints = Checkpoints(checkpoints_in(store), "facts", report=lambda _at: REPORT)
    checkpoints.begin(lambda: ["shard-1"], Checkpoint(), 1.0)
    checkpoints.save([("shard-1", Checkpoint(after="7", behind_ms=2_500))], 2.0)
    assert Checkpoints(checkpoints_in(store), "facts").load() == {
        "shard-1": Checkpoint(after="7", behind_ms=2_500)
    }
    row = CheckpointStore(checkpoints_in(store), "facts").read(CLAIM)
    assert row is not None
    return row.state.report


def test_a_report_is_read_from_a_file_as_it_was_stored(tmp_path: Path) -> None:
    assert stored_report(f"sqlite:///{tmp_path}/state.db") == REPORT


def test_a_report_is_read_from_dynamodb_as_it_was_stored(dynamodb_endpoint: str) -> None:
    assert stored_report(f"dynamodb://Reported?endpoint={dynamodb_endpoint}") == REPORT
