"""What CloudWatch is told of a batch."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from litestar.testing import TestClient

from kinesis_handler import Event, KinesisHandler, Remark, Remarked
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.telemetry.metrics import MAX_VALUES, EmbeddedMetrics, count, counting, metric_of
from kinesis_handler.testing import FakeClock, invocation
from telemetry.emf import metrics_in
from user_limits import limit
from user_limits.api.instrumented import instrumented
from user_limits.processor import UserLimitEventProcessor

NOW = FakeClock()()


def created(number: int = 1, **fields: Any) -> dict[str, Any]:
    payload = {"userId": "anna", "userLimitId": f"bet-{number}", "value": 1, **fields}
    return {
        "eventId": f"e{number}",
        "type": "USER_LIMIT_CREATED",
        "createdAt": int(NOW * 1_000) - 250,
        "payload": payload,
    }


def line_of(events: Iterable[object], repository: Any = None) -> str:
    """Return the one line that a batch of these events leads to."""
    lines: list[str] = []
    KinesisHandler(
        [UserLimitEventProcessor(repository or MemoryRepository())],
        metrics=EmbeddedMetrics("tests", lines.append, FakeClock()),
    )(invocation(events))
    [line] = lines
    return line


class Contended(MemoryRepository[Any]):
    """Lets another writer get in between the first two times."""

    times = 2

    def save(self, changes: Sequence[Change[Any]]) -> Saved:
        if self.times == 0:
            return super().save(changes)
        self.times -= 1
        return Saved(conflicts={change.key for change in changes})


def counts_of(line: str) -> Mapping[str, list[float]]:
    return {name: values for name, (unit, values) in metrics_in(line).items() if unit == "Count"}


def test_a_batch_is_one_line_with_the_count_of_every_outcome() -> None:
    known, foreign, unknown = created(), {**created(2), "type": "FOREIGN"}, created(3)
    unknown["type"], unknown["payload"] = "USER_LIMIT_RESET", {"userId": "bob", "userLimitId": "no"}
    line = line_of([known, known, foreign, unknown, b"{"])
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert counts_of(line) == {
        "Records": [5],
        "Applied": [1],
        "Duplicate": [1],
        "Superseded": [0],
        "Ignored": [1],
        "Rejected": [1],
        "Parked": [0],
        "Failed": [1],
        "Conflicts": [0],
    }


def test_its_namespace_and_its_one_dimension_are_those_of_the_documentation() -> None:
    told = json.loads(line_of([created()]))
    [directive] = told["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("KinesisHandler", [["service"]])
    assert told["service"] == "tests"
    assert told["_aws"]["Timestamp"] == NOW * 1_000


def test_the_end_to_end_age_runs_from_when_an_event_was_made_until_it_was_applied() -> None:
    early, late = created(1), {**created(2), "createdAt": int(NOW * 1_000) + 9}
    ignored = {**created(3), "type": "FOREIGN"}
    unit, ages = metrics_in(line_of([early, ignored, late]))["EndToEndAge"]
    assert (unit, ages) == ("Milliseconds", [250, 0])


def test_an_event_with_a_remark_has_an_age_as_any_other_that_was_applied() -> None:
    line = line_of([created(1), created(2, progress=2)])
    assert counts_of(line)["Exceeded"] == [1]
    assert metrics_in(line)["EndToEndAge"][1] == [250, 250]


def test_a_batch_in_which_nothing_was_applied_has_no_age() -> None:
    assert "EndToEndAge" not in metrics_in(line_of([b"{"]))


@pytest.mark.parametrize("number", [1, 99, 100, 101, 199, 200, 201, 1_000])
def test_of_a_large_batch_there_are_as_many_ages_as_a_line_may_have(number: int) -> None:
    events = [{**created(each), "createdAt": int(NOW * 1_000) - each} for each in range(number)]
    _, ages = metrics_in(line_of(events))["EndToEndAge"]
    assert ages[0] == 0
    assert len(ages) <= MAX_VALUES
    assert len(ages) == number or len(ages) > MAX_VALUES // 2
    assert ages == sorted(ages)


def test_a_remark_is_a_metric_of_its_name() -> None:
    assert counts_of(line_of([created(progress=2)]))["Exceeded"] == [1]


@pytest.mark.parametrize("remark", [limit.DRIFT, limit.EXCEEDED, limit.REBUILT], ids=lambda each: each.name)
def test_no_remark_of_the_limits_takes_the_name_of_what_is_always_reported(remark: Remark) -> None:
    assert metric_of(remark.name) not in counts_of(line_of([created()]))


def test_what_is_always_reported_wins_over_a_remark_of_its_name() -> None:
    class Odd(UserLimitEventProcessor):
        def apply(self, state: Any, event: Event[Any]) -> Any:
            return Remarked(super().apply(state, event), (Remark("applied"), Remark("conflicts")))

    lines: list[str] = []
    KinesisHandler([Odd(MemoryRepository())], metrics=EmbeddedMetrics("tests", lines.append))(
        invocation([created(1), created(2)])
    )
    assert counts_of(lines[0])["Applied"] == [2]
    assert counts_of(lines[0])["Conflicts"] == [0]


def test_each_time_that_another_writer_comes_in_between_is_a_conflict() -> None:
    assert counts_of(line_of([created()], Contended()))["Conflicts"] == [2]


def test_a_handler_without_metrics_writes_none(capsys: pytest.CaptureFixture[str]) -> None:
    KinesisHandler([UserLimitEventProcessor(MemoryRepository())])(invocation([created()]))
    assert capsys.readouterr() == ("", "")


def test_lines_go_to_standard_error_as_the_log_does(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedMetrics("tests").counts({"phase_not_readable": 1})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert counts_of(captured.err) == {"PhaseNotReadable": [1]}
    assert sys.stderr is not sys.__stderr__


def test_a_service_that_is_not_given_is_the_name_of_the_lambda_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "my-function")
    lines: list[str] = []
    EmbeddedMetrics(write=lines.append).counts({"phase_not_readable": 1})
    assert json.loads(lines[0])["service"] == "my-function"


def test_where_nothing_was_counted_there_is_no_line() -> None:
    lines: list[str] = []
    EmbeddedMetrics("tests", lines.append).counts({})
    assert lines == []


def test_what_is_counted_outside_of_a_batch_is_nobodys() -> None:
    count("conflicts")
    with counting() as counted:
        count("conflicts", 2)
        count("conflicts", 0)
        with counting() as within:
            count("conflicts")
    count("conflicts")
    assert (counted, within) == ({"conflicts": 2}, {"conflicts": 1})


def test_a_processor_may_count_what_it_likes(log_lines: Any) -> None:
    class Counting(UserLimitEventProcessor):
        def apply(self, state: Any, event: Event[Any]) -> Any:
            count("cache_misses", 3)
            return super().apply(state, event)

    lines: list[str] = []
    KinesisHandler([Counting(MemoryRepository())], metrics=EmbeddedMetrics("tests", lines.append))(
        invocation([created()])
    )
    assert counts_of(lines[0])["CacheMisses"] == [3]
    assert json.loads(log_lines.getvalue().splitlines()[-1])["cache_misses"] == 3


def test_what_a_request_to_the_api_counts_is_a_line_and_of_nothing_there_is_none() -> None:
    lines: list[str] = []

    async def conflicting(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/counted":
            count("cache_misses", 2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = TestClient(instrumented(conflicting, EmbeddedMetrics("tests", lines.append, FakeClock()), None))
    client.get("/nothing")
    assert lines == []
    client.get("/counted")
    [line] = lines
    assert counts_of(line) == {"CacheMisses": [2]}


@pytest.mark.parametrize("name", ["records", "applied", "event", "level", "duration_ms"])
def test_what_a_processor_counts_may_be_called_as_what_is_always_reported(log_lines: Any, name: str) -> None:
    class Counting(UserLimitEventProcessor):
        def apply(self, state: Any, event: Event[Any]) -> Any:
            count(name, 30)
            return super().apply(state, event)

    lines: list[str] = []
    answer = KinesisHandler([Counting(MemoryRepository())], metrics=EmbeddedMetrics("tests", lines.append))(
        invocation([created(1), created(2)])
    )
    assert answer == {"batchItemFailures": []}
    told = counts_of(lines[0])
    assert (told["Records"], told["Applied"]) == ([2], [2])
    logged = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (logged["message"], logged["level"], logged["records"], logged["applied"]) == (
        "batch handled",
        "info",
        2,
        2,
    )
