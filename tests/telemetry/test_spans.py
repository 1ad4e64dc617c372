"""What OpenTelemetry is told: seen by the exporter in memory that its SDK has for tests."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from api.stored import EXAMPLE, repository_of
from litestar.testing import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from kinesis_handler import KinesisHandler, RepositoryError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.telemetry.spans import MAX_RECORDED, span
from kinesis_handler.testing import FakeClock, invocation
from user_limits.api.app import build_api
from user_limits.api.instrumented import instrumented
from user_limits.processor import UserLimitEventProcessor


class Traces:
    """Begins spans, and has those that ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("tests")

    @property
    def ended(self) -> list[ReadableSpan]:
        return [*self._exporter.get_finished_spans()]

    def named(self, name: str) -> ReadableSpan:
        [found] = [each for each in self.ended if each.name == name]
        return found


@pytest.fixture
def traces() -> Traces:
    return Traces()


def created(number: int, correlation_id: str | None = None, **fields: Any) -> dict[str, Any]:
    payload = {"userId": "anna", "userLimitId": f"bet-{number}", "value": 1, **fields}
    context = {"context": {"correlationId": correlation_id}} if correlation_id else {}
    return {
        "eventId": f"e{number}",
        "type": "USER_LIMIT_CREATED",
        "createdAt": 1,
        "payload": payload,
        **context,
    }


def handle(traces: Traces, events: Iterable[object], **options: Any) -> LocalContext:
    context = LocalContext(FakeClock(), FakeClock()() + 60)
    handler = KinesisHandler(
        [UserLimitEventProcessor(MemoryRepository(), slice_size=2)], tracer=traces.tracer, **options
    )
    handler(invocation(events), context)
    return context


def test_a_batch_is_one_span_with_children_for_load_fold_and_save(traces: Traces) -> None:
    handle(traces, [created(1), created(2)])
    assert [each.name for each in traces.ended] == ["load", "fold", "save", "process batch"]
    batch = traces.named("process batch")
    assert batch.kind is SpanKind.CONSUMER
    assert batch.parent is None
    for each in traces.ended[:-1]:
        assert each.parent == batch.context
        assert dict(each.attributes or {}) == {"keys": 2}


def test_each_slice_has_children_of_its_own(traces: Traces) -> None:
    handle(traces, [created(number) for number in range(5)])
    assert [each.name for each in traces.ended].count("save") == 3


def test_the_span_of_a_batch_shows_what_became_of_its_records(traces: Traces) -> None:
    context = handle(traces, [created(1), created(1), {**created(2), "type": "FOREIGN"}, b"{"])
    attributes = dict(traces.named("process batch").attributes or {})
    assert attributes["messaging.batch.message_count"] == 4
    assert attributes["faas.invocation_id"] == context.aws_request_id
    counts = {name: attributes[f"kinesis_handler.{name}"] for name in ("applied", "duplicate", "ignored")}
    assert counts == {"applied": 1, "duplicate": 1, "ignored": 1}
    assert attributes["kinesis_handler.rejected"] == 1


def test_the_correlation_ids_of_its_events_lead_from_a_request_to_the_span(traces: Traces) -> None:
    handle(traces, [created(1, "req-1"), created(2, "req-1"), created(3), created(4, "req-2")])
    attributes = dict(traces.named("process batch").attributes or {})
    assert attributes["kinesis_handler.correlation_ids"] == ("req-1", "req-2")


def test_a_record_that_was_not_applied_is_an_event_of_the_span_with_the_fields_of_the_log(
    traces: Traces,
) -> None:
    handle(traces, [created(1, "req-1", value="s3cr3t"), created(2, progress=2)])
    rejected, exceeded = traces.named("process batch").events
    assert (rejected.name, exceeded.name) == ("record rejected", "exceeded")
    fields = dict(rejected.attributes or {})
    assert (fields["event_id"], fields["correlation_id"]) == ("e1", "req-1")
    assert fields["error"] == "InvalidEventError"
    assert "s3cr3t" not in str(fields)
    assert dict(exceeded.attributes or {})["detail"] == "the progress is above the limit's value"


def test_a_span_shows_a_bounded_number_of_records(traces: Traces) -> None:
    handle(traces, [*[b"{"] * (MAX_RECORDED + 1), *(created(n, f"req-{n}") for n in range(MAX_RECORDED + 1))])
    batch = traces.named("process batch")
    assert len(batch.events) == MAX_RECORDED
    ids = dict(batch.attributes or {})["kinesis_handler.correlation_ids"]
    assert isinstance(ids, tuple)
    assert len(ids) == MAX_RECORDED


def test_a_batch_in_which_a_record_failed_is_an_error(traces: Traces) -> None:
    reset = {
        **created(1),
        "type": "USER_LIMIT_RESET",
        "payload": {"userId": "anna", "userLimitId": "unknown"},
    }
    handle(traces, [reset])
    assert traces.named("process batch").status.status_code is StatusCode.ERROR


def test_a_batch_in_which_nothing_failed_is_none(traces: Traces) -> None:
    handle(traces, [created(1), b"{"])
    assert traces.named("process batch").status.status_code is StatusCode.UNSET


def test_a_parked_record_is_counted_and_is_an_event_of_the_span_and_no_error(
    traces: Traces, tmp_path: Path
) -> None:
    changed = {"userId": "anna", "userLimitId": "unknown", "amount": "1"}
    event = {**created(1), "type": "USER_LIMIT_PROGRESS_CHANGED", "payload": changed}
    processor = UserLimitEventProcessor(MemoryRepository(), park_after=0)
    quarantine = DirectoryQuarantine(tmp_path)
    handler = KinesisHandler([processor], tracer=traces.tracer, quarantine=quarantine)
    handler.handle(invocation([event]))
    batch = traces.named("process batch")
    assert (batch.attributes or {})["kinesis_handler.parked"] == 1
    [parked] = batch.events
    assert (parked.name, (parked.attributes or {})["error"]) == ("record parked", "BusinessError")
    assert batch.status.status_code is StatusCode.UNSET
    assert traces.named("quarantine").parent is not None


def test_to_keep_what_is_rejected_is_a_child_too(traces: Traces, tmp_path: Any) -> None:
    handle(traces, [b"{"], quarantine=DirectoryQuarantine(str(tmp_path)))
    assert traces.named("quarantine").parent == traces.named("process batch").context
    assert (traces.named("quarantine").attributes or {})["records"] == 1


@pytest.mark.other_programs
def test_without_a_provider_of_the_sdk_the_batch_is_handled_all_the_same() -> None:
    program = """
from opentelemetry.trace import get_tracer
from kinesis_handler import KinesisHandler
from kinesis_handler.testing import invocation
assert KinesisHandler(tracer=get_tracer("t"))(invocation([{}])) == {"batchItemFailures": []}
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.other_programs
def test_where_nothing_is_traced_a_span_is_none_and_opentelemetry_is_not_imported() -> None:
    with span("load", keys=1) as begun:
        assert begun is None
    program = """
import sys, user_limits.lambda_consumer
from kinesis_handler.testing import invocation
user_limits.lambda_consumer.handler(invocation([{}]))
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def ask(traces: Traces, path: str, **headers: str) -> int:
    app: Any = instrumented(build_api(repository_of(EXAMPLE)), None, traces.tracer)
    status: int = TestClient(app).get(path, headers=headers).status_code
    return status


def test_a_request_is_a_span_named_by_its_route_without_an_id_in_it(traces: Traces) -> None:
    assert ask(traces, "/api/v1/users/usr_456/limits/lmt_123") == 200
    [request] = traces.ended
    assert request.name == "GET /api/v1/users/{userId}/limits/{limitId}"
    assert request.kind is SpanKind.SERVER
    attributes = dict(request.attributes or {})
    assert attributes["http.response.status_code"] == 200
    assert "usr_456" not in str(attributes)


def test_the_span_of_a_head_request_says_that_it_was_one(traces: Traces) -> None:
    app: Any = instrumented(build_api(repository_of(EXAMPLE)), None, traces.tracer)
    assert TestClient(app).head("/api/v1/users/usr_456/limits").status_code == 200
    [request] = traces.ended
    assert request.name == "HEAD /api/v1/users/{userId}/limits"


def test_a_request_has_the_correlation_id_of_its_caller(traces: Traces) -> None:
    ask(traces, "/api/v1/users/usr_456/limits", **{"X-Correlation-Id": "req-1"})
    assert dict(traces.ended[0].attributes or {})["correlation_id"] == "req-1"


def test_a_request_belongs_to_the_trace_that_its_caller_began(traces: Traces) -> None:
    ask(traces, "/api/v1/users/usr_456/limits", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    request = traces.ended[0]
    assert request.context is not None
    assert f"{request.context.trace_id:x}" == "a" * 32


def test_on_lambda_a_request_is_below_the_span_of_its_invocation(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("invocation") as invoked:
        app: Any = instrumented(build_api(repository_of(EXAMPLE)), None, traces.tracer)
        with TestClient(app) as client:
            client.get("/health", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    request = next(each for each in traces.ended if each.kind is SpanKind.SERVER)
    assert request.parent == invoked.get_span_context()


def test_a_request_that_cannot_be_answered_is_an_error(traces: Traces) -> None:
    class Down(MemoryRepository[Any]):
        def find(self, *_: Any, **__: Any) -> Any:
            raise RepositoryError("down")

    app: Any = instrumented(build_api(Down()), None, traces.tracer)
    assert TestClient(app).get("/api/v1/users/usr_456/limits").status_code == 503
    assert dict(traces.ended[0].attributes or {})["error.type"] == "503"
