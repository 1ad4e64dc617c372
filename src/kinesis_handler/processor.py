"""Processors: what takes the events of some types, and reports what became of each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import update_wrapper
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Generic, Protocol, overload

from kinesis_handler.batch import Batch
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.functions import is_coroutine_function, require_plain, require_run
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.upcast import Upcasters
from kinesis_handler.outcome import APPLIED, HELD_BACK, Outcome, Payload, Status, not_applied

if TYPE_CHECKING:
    from kinesis_handler.coroutines import CoroutineProcessor


Schemas = Mapping[str, type[Any]]
"""Event types, each with the schema of its payload: a class that msgspec or pydantic can decode into."""


class EventProcessor(Protocol):
    """What a `KinesisHandler` hands the events of some types to."""

    @property
    def event_types(self) -> Schemas:
        """The types it takes, each with the schema of its payload. Read once, at registration."""

    def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:
        """Process the events of one batch, and report what became of them, slice by slice.

        A slice is some of the events. Make its changes durable, then call `batch.settle` with their
        outcomes; return when `batch.has_time` is False. An event that is not settled is failed, also where
        this raises, and delivered again: to process it once more must be harmless. An event that is rejected
        now, and would not be when it is delivered again, goes to `batch.quarantine` first.

        Args:
            events: in stream order. The same ones come again when Lambda delivers the batch again.
            batch: of this call, and not to be used after it.
        """


class FunctionProcessor(Generic[Payload]):
    """A processor of one event at a time, without state: see `event_processor`."""

    def __init__(
        self,
        function: Callable[[Event[Payload]], object],
        event_types: Schemas,
        key: Callable[[Event[Any]], object],
        upcast: Upcasters,
    ) -> None:
        update_wrapper(self, function)
        self.reader_name: str | None = None
        """Its name, if that is not the function's."""
        self._name = name_of(self)
        require_plain(function, self._name)
        require_plain(key, f"the key of {self._name}")
        self.event_types = event_types
        self.upcast = upcast
        self._function = function
        self._key = key

    def __call__(self, event: Event[Payload]) -> None:
        """Call the function itself, as its own tests do."""
        self._function(event)

    def process(self, events: Sequence[Event[Payload]], batch: Batch) -> None:
        """Call the function for each event; after a failure, hold back the later ones of its key."""
        failed: set[object] = set()
        for event in events:
            try:
                key = self._key(event)
                require_run(key, f"the key of {self._name}")
                outcome = HELD_BACK if key in failed else self._outcome(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                outcome = not_applied(error)
            else:
                if outcome.status is Status.FAILED:
                    failed.add(key)
            batch.settle({event: outcome})
            if not batch.has_time:
                return

    def _outcome(self, event: Event[Payload]) -> Outcome:
        try:
            require_run(self._function(event), self._name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
            return not_applied(error)
        return APPLIED


def partition_key(event: Event[Any]) -> str | tuple[int, int]:
    """Return the key within which Kinesis guarantees order: the partition key of the event's record.

    A record that has none is ordered with no other: its own position is returned for it.
    """
    record = event.record
    return record.position if record.partition_key is None else record.partition_key


class MakesProcessor(Protocol):
    """Makes a processor of a function: what `event_processor` returns."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # an awaitable is an object too
        self, function: Callable[[Event[Payload]], Awaitable[object]]
    ) -> "CoroutineProcessor[Payload]": ...

    @overload
    def __call__(self, function: Callable[[Event[Payload]], object]) -> FunctionProcessor[Payload]: ...


def event_processor(
    event_types: Schemas,
    *,
    key: Callable[[Event[Any]], object] = partition_key,
    concurrency: int | None = None,
    upcast: Upcasters | None = None,
    name: str | None = None,
) -> MakesProcessor:
    """Make a processor of a function that takes one event.

    The function returns on success. It raises `RejectedError` for a permanent failure; any other exception is
    retried. Lambda delivers events again, those that succeeded too, so the function must be idempotent.

    A coroutine function takes events of different keys at once, and those of one key one after the other. At
    the deadline it is cancelled, and its event delivered again.

    Args:
        event_types: the types it takes, each with the schema of its payload.
        key: what events are ordered by. After one has failed, later ones with an equal key wait. By default
            the partition key; events of records without one do not wait for each other.
        concurrency: how many events a coroutine function processes at once, at most; None for 16.
        upcast: what turns payloads of older versions into newer ones, by event type and version: see
            `Projection.upcast`.
        name: in logs, metrics and the quarantine; None for that of the function. When the function is
            renamed, set it to the old one: what waits in a quarantine waits for it by this name.

    Raises ConfigurationError if the function is a generator function, or `key` this or a coroutine function:
    its call would run nothing. Where a plain function returns a coroutine or a generator, its event fails.
    Raises it also for a concurrency that is no whole number from 1 up, and for any if the function is no
    coroutine function.
    """

    def decorate(function: Callable[[Event[Payload]], Any]) -> Any:
        if is_coroutine_function(function):
            from kinesis_handler.coroutines import DEFAULT_CONCURRENCY, CoroutineProcessor

            at_once = DEFAULT_CONCURRENCY if concurrency is None else concurrency
            coroutine_processor = CoroutineProcessor(function, event_types, key, upcast or {}, at_once)
            coroutine_processor.reader_name = name
            return coroutine_processor
        processor = FunctionProcessor(function, event_types, key, upcast or {})
        processor.reader_name = name
        if concurrency is not None:
            raise ConfigurationError(
                f"{name_of(processor)} has a concurrency of {concurrency}, and is no coroutine function: one "
                "event is processed after the other. Write `async def`, or leave the concurrency out"
            )
        return processor

    return decorate


class RoutingTable:
    """Maps event types to processors: each type to one, or to several."""

    def __init__(self) -> None:
        self.processors: list[EventProcessor] = []
        self.names: list[str] = []
        """Name of each processor, for logs and metrics: unique."""
        self.indexes_of: dict[str, tuple[int, ...]] = {}
        """Event type → indexes of its processors in `processors`."""

    def register(self, processor: EventProcessor) -> None:
        """Route the processor's event types to it, beside others that take them.

        Raises ConfigurationError if it takes no type, if it is registered already, or if its `process` is a
        coroutine function or a generator function; and if another one that takes a type of it stores its
        states in the same repository, where each would find the other's events applied.
        """
        require_plain(processor.process, f"`process` of {name_of(processor)}")
        event_types = list(processor.event_types)
        if not event_types:
            raise ConfigurationError(f"{name_of(processor)} takes no event type: nothing would ever reach it")
        for event_type in event_types:
            for index in self.indexes_of.get(event_type, ()):
                _require_apart(self.processors[index], processor, event_type)
        for event_type in event_types:
            others = self.indexes_of.get(event_type, ())
            self.indexes_of[event_type] = (*others, len(self.processors))
        self.processors.append(processor)
        self.names.append(self._own_name(processor))

    def _own_name(self, processor: EventProcessor) -> str:
        """Return the processor's name, with a number behind it if another one has it already."""
        name = name_of(processor)
        numbered = chain([name], (f"{name}-{number}" for number in count(2)))
        return next(each for each in numbered if each not in self.names)


def _require_apart(one: EventProcessor, other: EventProcessor, event_type: str) -> None:
    """See that two processors of one event type do not get into each other's way."""
    if one is other:
        raise ConfigurationError(f"{name_of(one)} is registered twice")
    repository = getattr(one, "repository", None)
    if repository is not None and repository is getattr(other, "repository", None):
        raise ConfigurationError(
            f"{name_of(one)} and {name_of(other)} take the event type {event_type!r}, and store their states "
            "in one repository: each would take the other's events for its own. Give each its own, such as "
            'store.repository(…, name="other")'
        )


def name_of(processor: EventProcessor) -> str:
    """Return the name of a processor for a message."""
    name = getattr(processor, "reader_name", None) or getattr(processor, "__name__", None)
    return str(name or type(processor).__name__)
