"""Spans: where the time of a batch, or of a request, went, by the OpenTelemetry API.

OpenTelemetry is not imported here before there is a tracer: without one a span costs a look at a context
variable. What is below the handler or the API begins its spans with `span`, and need not know of the tracer.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any

from kinesis_handler.outcome import BatchResult, Status
from kinesis_handler.telemetry.logs import fields_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

MAX_TOLD = 100
"""Correlation ids, and records, that the span of one batch tells of. A span has its bounds, too."""

_tracer: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)

_NO_SPAN = nullcontext()


def span(name: str, **attributes: Any) -> AbstractContextManager["Span | None"]:
    """Begin a span below the one at hand; None where nothing is traced."""
    tracer = _tracer.get()
    if tracer is None:
        return _NO_SPAN
    return tracer.start_as_current_span(name, attributes=attributes)


def batch_span(tracer: "Tracer | None", request_id: str | None) -> AbstractContextManager["Span | None"]:
    """Begin the span of a batch, and let `span` begin others below it as long as the context lasts."""
    return _NO_SPAN if tracer is None else _batch_span(tracer, request_id)


@contextmanager
def _batch_span(tracer: "Tracer", request_id: str | None) -> Iterator["Span"]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - only where something is traced

    attributes: dict[str, Any] = {"messaging.system": "aws_kinesis", "messaging.operation.type": "process"}
    if request_id is not None:
        attributes["faas.invocation_id"] = request_id
    with (
        tracing(tracer),
        tracer.start_as_current_span("process batch", kind=SpanKind.CONSUMER, attributes=attributes) as begun,
    ):
        yield begun


@contextmanager
def request_span(
    tracer: "Tracer", method: str, headers: Mapping[str, str], **attributes: Any
) -> Iterator["Span"]:
    """Begin the span of a request, below the one that its headers name unless there is one at hand."""
    from opentelemetry import propagate, trace  # noqa: PLC0415 - only where something is traced

    at_hand = trace.get_current_span().get_span_context().is_valid
    above = None if at_hand else propagate.extract(headers)
    attributes = {"http.request.method": method, **attributes}
    with (
        tracing(tracer),
        tracer.start_as_current_span(method, above, trace.SpanKind.SERVER, attributes) as begun,
    ):
        yield begun


@contextmanager
def tracing(tracer: "Tracer") -> Iterator[None]:
    """Let `span` begin spans of this tracer as long as the context lasts."""
    token = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)


def annotate_span(handling: "Span | None", result: BatchResult) -> None:
    """Tell the span of a batch what became of its records: the counts, and those that were odd."""
    if handling is None or not handling.is_recording():
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where something is traced

    counts = result.counts()
    if counts[Status.FAILED]:
        handling.set_status(StatusCode.ERROR, f"{counts[Status.FAILED]} records failed")
    handling.set_attribute("messaging.batch.message_count", len(result))
    for status, number in counts.items():
        handling.set_attribute(f"kinesis_handler.{status}", number)
    correlation_ids = dict.fromkeys(
        known for each in result if (known := each.identity.correlation_id) is not None
    )
    handling.set_attribute("kinesis_handler.correlation_ids", [*islice(correlation_ids, MAX_TOLD)])
    for each in islice(result.needs_attention(), MAX_TOLD):
        fields = {name: value for name, value in fields_of(each).items() if value is not None}
        for remark in each.outcome.remarks:
            handling.add_event(remark.name, {**fields, "detail": remark.detail})
        if each.outcome.error is not None:
            handling.add_event(f"record {each.outcome.status}", fields)
