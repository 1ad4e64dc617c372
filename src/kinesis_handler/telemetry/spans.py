"""Traces where the time of a batch or a request went, by the OpenTelemetry API.

OpenTelemetry is imported only if there is a tracer: without one a span costs a look at a context variable.
Code below the handler or the API begins its spans with `span`, and does not need the tracer.
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

MAX_RECORDED = 100
"""Most correlation ids, and most records, in the span of one batch. A span has its bounds, too."""

_tracer: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)

_NO_SPAN = nullcontext()


def span(name: str, **attributes: Any) -> AbstractContextManager["Span | None"]:
    """Begin a child of the current span; None without a tracer."""
    tracer = _tracer.get()
    if tracer is None:
        return _NO_SPAN
    return tracer.start_as_current_span(name, attributes=attributes)


def batch_span(tracer: "Tracer | None", request_id: str | None) -> AbstractContextManager["Span | None"]:
    """Begin the span of a batch, and let `span` begin its children while the context lasts."""
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
    """Begin the span of a request: a child of the current span, or else of the one that its headers name."""
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
    """Let `span` begin spans of this tracer while the context lasts."""
    token = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)


def annotate_span(handling: "Span | None", result: BatchResult) -> None:
    """Annotate the span of a batch with its counts, and with the records that need attention."""
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
    handling.set_attribute("kinesis_handler.correlation_ids", [*islice(correlation_ids, MAX_RECORDED)])
    for each in islice(result.needs_attention(), MAX_RECORDED):
        fields = {name: value for name, value in fields_of(each).items() if value is not None}
        for remark in each.outcome.remarks:
            handling.add_event(remark.name, {**fields, "detail": remark.detail})
        if each.outcome.error is not None:
            handling.add_event(f"record {each.outcome.status}", fields)
