"""The function that Lambda calls: records in, one outcome each out."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from structlog.contextvars import bind_contextvars, reset_contextvars

from kinesis_handler.batch import Batch, Source, put_into
from kinesis_handler.deadline import ENDLESS, Deadline, within
from kinesis_handler.envelopes import Envelope, checked_envelope
from kinesis_handler.errors import (
    ConfigurationError,
    InvalidInvocationError,
    ProcessingError,
    QuarantineError,
    RetryableError,
)
from kinesis_handler.ingest.event import Event, EventDecoder
from kinesis_handler.ingest.record import (
    DEFAULT_MAX_UNPACKED_BYTES,
    Record,
    refuse_repeated_numbers,
    unpack,
)
from kinesis_handler.ingest.schema import require_decodable
from kinesis_handler.ingest.upcast import chains
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.outcome import (
    IGNORED,
    OUT_OF_TIME,
    BatchResult,
    Outcome,
    Status,
    add_outcomes,
    not_applied,
)
from kinesis_handler.processor import EventProcessor, RoutingTable, name_of
from kinesis_handler.projection import Projection
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.recipients import EVERYONE, Recipients
from kinesis_handler.stores import Repository
from kinesis_handler.telemetry.logs import log_batch
from kinesis_handler.telemetry.metrics import Metrics, counting
from kinesis_handler.telemetry.spans import annotate_span, batch_span

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_NO_QUARANTINE = "what can never succeed is logged, skipped, and lost; nothing is parked"
_WITHOUT_OUTCOME = not_applied(RetryableError("the processor gave it no outcome"))


class KinesisHandler:
    """A Lambda handler for Kinesis records: every record ends with exactly one outcome.

    An instance is itself the function that Lambda calls:

        handler = KinesisHandler([UserLimitEventProcessor(repository)])

    Args:
        processors: what takes the events; more can be added by `register`.
        envelope: how a record says what event it is; None for `kinesis_handler.envelopes.Native()`.
        quarantine: where rejected and parked records are put. None to log and skip the former, and to park
            nothing: the first batch warns of it.
        max_unpacked_bytes: what one record may hold when it is unpacked. One that holds more is rejected.
        reserve_ms: milliseconds before the deadline at which no further record is unpacked, and no further
            slice begun. If the slowest slice so far took longer, its time counts instead, with half as much
            on top.
        metrics: where the figures of each batch go; None to leave them to the log.
        tracer: OpenTelemetry's, which begins the spans of each batch; None for no spans.
        clock: seconds, for the duration in the log.
        now: seconds since epoch, for the age of an event that fails: see `Projection` and `park_after`.

    Raises ConfigurationError if the envelope is none, and for a processor as `register` does.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        processors: Iterable[EventProcessor] = (),
        *,
        envelope: Envelope | None = None,
        quarantine: Quarantine | None = None,
        max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES,
        reserve_ms: int = 1_000,
        metrics: Metrics | None = None,
        tracer: "Tracer | None" = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._routes = RoutingTable()
        self.envelope = checked_envelope(envelope)
        """How a record says what event it is."""
        self._decoder = EventDecoder(self.envelope)
        self._quarantine = quarantine
        self._max_unpacked_bytes = max_unpacked_bytes
        self._reserve_ms = reserve_ms
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock
        self._now = now
        self._cold_start = True
        self._warned = quarantine is not None
        self._log = structlog.get_logger(component="handler")
        for processor in processors:
            self.register(processor)

    @property
    def processors(self) -> Sequence[EventProcessor]:
        """What takes the events, in the order of their registration."""
        return tuple(self._routes.processors)

    @property
    def readers(self) -> Mapping[str, Sequence[str]]:
        """The names of its processors, each with the event types that it takes."""
        return {
            name: list(each.event_types)
            for name, each in zip(self._routes.names, self._routes.processors, strict=True)
        }

    @property
    def repositories(self) -> Mapping[str, Repository[Any]]:
        """The repositories of its projections, by the projections' names."""
        readers = zip(self._routes.names, self._routes.processors, strict=True)
        return {name: each.repository for name, each in readers if isinstance(each, Projection)}

    def register(self, processor: EventProcessor) -> None:
        """Route the processor's event types to it from now on, beside other processors that take them.

        The outcome of an event that several take is the worst of theirs. When it is delivered again, those
        that succeeded find a duplicate.

        Raises ConfigurationError if a schema cannot be decoded into, if upcasters make no chain, if another
        processor decodes one of the types in another way or stores its states in the same repository, or if
        `process` is a coroutine function. Nothing is registered then.
        """
        schemas, name = processor.event_types, name_of(processor)
        require_decodable(schemas, name)
        upcasters = chains(getattr(processor, "upcast", {}), schemas, name)
        if upcasters and self.envelope.version_path is None:
            raise ConfigurationError(
                f"{name} has upcasters, and the envelope {type(self.envelope).__name__} carries no version: "
                "say which field has it, by its argument `version`"
            )
        self._decoder.check(schemas, upcasters, name)
        self._routes.register(processor)
        self._decoder.register(schemas, upcasters)

    def __call__(self, invocation: object, context: LambdaContext | None = None) -> BatchResponse:
        """Handle an invocation by Lambda, and return which records it is to deliver again.

        Raises InvalidInvocationError if they cannot be named: Lambda then retries the whole batch.
        """
        return self.handle(invocation, context).response()

    def handle(
        self,
        invocation: object,
        context: LambdaContext | None = None,
        *,
        source: Source = Source.STREAM,
        recipients: Recipients = EVERYONE,
        rebuild: bool = False,
    ) -> BatchResult:
        """Handle an invocation as a call does, and return the outcome of each record.

        Args:
            invocation: as Lambda hands it over, with its `Records`.
            context: Lambda's.
            source: where the records come from. What comes out of the quarantine is not put there again.
            recipients: for which readers and keys redriven records are.
            rebuild: whether they have been processed before, into another store: then no `on_change` is
                called.
        """
        if not self._warned and source is Source.STREAM:
            self._warned = True
            self._log.warning("no quarantine", detail=_NO_QUARANTINE)
        started = self._clock()
        cold_start, self._cold_start = self._cold_start, False
        request_id = context.aws_request_id if context is not None else None
        bound = bind_contextvars(request_id=request_id, cold_start=cold_start)
        try:
            with batch_span(self._tracer, request_id) as handling, counting() as counted:
                result = self._handle(invocation, context, source, recipients, rebuild=rebuild)
                log_batch(self._log, result, counted, duration_ms=(self._clock() - started) * 1_000)
                annotate_span(handling, result)
                if self._metrics is not None:
                    self._metrics.batch(result, counted)
        finally:
            reset_contextvars(**bound)
        return result

    def _handle(
        self,
        invocation: object,
        context: LambdaContext | None,
        source: Source,
        recipients: Recipients,
        *,
        rebuild: bool,
    ) -> BatchResult:
        records = invocation.get("Records") if isinstance(invocation, dict) else None
        if not isinstance(records, list):
            raise InvalidInvocationError("there is no list of `Records`: is the trigger a Kinesis stream?")
        refuse_repeated_numbers(records)
        deadline = _deadline(context, self._reserve_ms)
        in_order, queues, outcomes = self._read(records, deadline, recipients)
        batch = Batch(
            deadline,
            self._reserve_ms / 1_000,
            self._quarantine,
            source=source,
            recipients=recipients,
            now=self._now,
            is_rebuild=rebuild,
            is_last_delivery=getattr(context, "is_last_delivery", False),
        )
        routes, readers = self._routes, dict[str, Mapping[Status, int]]()
        several = len(queues) > 1
        with within(deadline):
            for name, processor, events in zip(routes.names, routes.processors, queues, strict=True):
                if not events:
                    continue
                batch.reader = name
                batch.outcomes = {} if several else outcomes  # of one processor it needs no copy
                _process(processor, events, batch)
                if source is not Source.STREAM:
                    batch.complete_parts(events)
                if several:
                    counts = Counter(outcome.status for outcome in batch.outcomes.values())
                    readers[name] = counts
                    if counts[Status.REJECTED]:
                        batch.name_rejections()
                    add_outcomes(outcomes, batch.outcomes)
        result = BatchResult(in_order, outcomes, readers, batch.parts, batch.rejections)
        quarantine = self._quarantine if source is Source.STREAM else None
        if quarantine is not None and (rejected := result.rejected()):
            try:
                put_into(quarantine, rejected, batch.reader)  # of several each has named its own
            except QuarantineError as error:  # they must not be acknowledged: they fail, and come again
                failed = not_applied(error)
                outcomes.update({each.event or each.record: failed for each in rejected})
                result = BatchResult(in_order, outcomes, readers)
        return result

    def _read(
        self, records: list[LambdaRecord], deadline: Deadline, recipients: Recipients
    ) -> tuple[list[Event[Any] | Record], list[list[Event[Any]]], dict[Event[Any] | Record, Outcome]]:
        """Return the batch in stream order; the events of each processor; the outcomes of the rest."""
        decode, indexes_of, names = self._decoder.decode, self._routes.indexes_of, self._routes.names
        in_order: list[Event[Any] | Record] = []
        queues: list[list[Event[Any]]] = [[] for _ in self._routes.processors]
        outcomes: dict[Event[Any] | Record, Outcome] = {}
        limit, packing = self._max_unpacked_bytes, self.envelope.packing
        for record, content in unpack(records, limit, deadline.has_passed, packing):
            event = decode(record, content) if isinstance(content, bytes) else content
            if isinstance(event, ProcessingError):
                in_order.append(record)
                outcomes[record] = not_applied(event)
                continue
            in_order.append(event)
            indexes = indexes_of.get(event.type)
            if recipients is not EVERYONE and indexes is not None:
                indexes = tuple(each for each in indexes if recipients.include(record, names[each]))
            if not indexes:
                outcomes[event] = IGNORED
                continue
            for index in indexes:
                queues[index].append(event)
        return in_order, queues, outcomes


def _process(processor: EventProcessor, events: list[Event[Any]], batch: Batch) -> None:
    """Have the events processed. Each has an outcome afterwards, whatever the processor does."""
    outcomes = batch.outcomes
    failure: Exception | None = None
    if batch.has_time:
        try:
            processor.process(events, batch)
        except Exception as error:  # noqa: BLE001 - a bug of one processor fails its own events, and no others
            failure = error
    if unsettled := [event for event in events if event not in outcomes]:
        if failure is not None:
            otherwise = not_applied(failure)
        else:
            otherwise = _WITHOUT_OUTCOME if batch.has_time else OUT_OF_TIME
        outcomes.update(dict.fromkeys(unsettled, otherwise))


def _deadline(context: LambdaContext | None, reserve_ms: int) -> Deadline:
    """Return when the reserve begins."""
    if context is None:
        return ENDLESS
    remaining = context.get_remaining_time_in_millis
    return Deadline(lambda: (remaining() - reserve_ms) / 1_000)
