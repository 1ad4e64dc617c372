"""Processors: what takes the events of some types, and says what became of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import update_wrapper
from typing import Any, Protocol

from msgspec import Struct

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.functions import require_plain, require_run
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import APPLIED, HELD_BACK, Outcome, Status, not_applied


class EventProcessor(Protocol):
    """What a `KinesisHandler` hands the events of some types to."""

    @property
    def event_types(self) -> Mapping[str, type[Struct]]:
        """The types it takes, each with the schema of its payload. Read once, at registration."""

    def process(self, events: Sequence[Event[Any]]) -> Iterator[Mapping[Event[Any], Outcome]]:
        """Take the events of one batch, in stream order, and yield what became of them, slice by slice.

        A slice is some of the events, each with its outcome. Between two slices the handler looks at the
        clock, and asks for no further one when the deadline is near. So what a slice tells must be done,
        and what no slice has told yet must be harmless to deliver again. An event that is rejected now, and
        would not be when it comes again, has to be kept first: see `ToQuarantine`.

        Called once a batch, and again with the same events when Lambda delivers them again. Events left
        without an outcome are failed, also when it raises.
        """


class FunctionProcessor:
    """A processor of one event at a time, without state: see `event_processor`."""

    def __init__(
        self,
        function: Callable[[Event[Any]], object],
        event_types: Mapping[str, type[Struct]],
        key: Callable[[Event[Any]], object],
    ) -> None:
        update_wrapper(self, function)
        self._name = name_of(self)
        require_plain(function, self._name)
        require_plain(key, f"the key of {self._name}")
        self.event_types = event_types
        self._function = function
        self._key = key

    def __call__(self, event: Event[Any]) -> None:
        """Call the function itself, as its own tests do."""
        self._function(event)

    def process(self, events: Sequence[Event[Any]]) -> Iterator[Mapping[Event[Any], Outcome]]:
        """Call the function for each event; after a failure, hold back the later ones of its key."""
        failed: set[object] = set()
        for event in events:
            try:
                key = self._key(event)
                require_run(key, f"the key of {self._name}")
                held_back = key in failed
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                yield {event: not_applied(error)}
                continue
            outcome = HELD_BACK if held_back else self._outcome(event)
            if outcome.status is Status.FAILED:
                failed.add(key)
            yield {event: outcome}

    def _outcome(self, event: Event[Any]) -> Outcome:
        try:
            require_run(self._function(event), self._name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
            return not_applied(error)
        return APPLIED


def partition_key(event: Event[Any]) -> str | tuple[int, int]:
    """Return what Kinesis keeps in order: the partition key of the event's record.

    A record that has none is in order with no other: what is returned for it is its own position.
    """
    record = event.record
    return record.position if record.partition_key is None else record.partition_key


def event_processor(
    event_types: Mapping[str, type[Struct]], *, key: Callable[[Event[Any]], object] = partition_key
) -> Callable[[Callable[[Event[Any]], object]], FunctionProcessor]:
    """Make a processor of a function that takes one event.

    The function returns when it is done, and raises when it is not: a `RejectedError` if the event can
    never succeed, anything else if it may succeed later. Lambda delivers events again, those that
    succeeded too, so the function must be idempotent.

    Args:
        event_types: the types it takes, each with the schema of its payload.
        key: what is kept in order. After an event has failed, later ones with an equal key wait. By default
            the partition key; events of records without one do not wait for each other.

    Raises ConfigurationError if the function, or `key`, is a coroutine function or a generator function: its
    call would do nothing. Where a plain function returns a coroutine or a generator, its event fails.
    """

    def decorate(function: Callable[[Event[Any]], object]) -> FunctionProcessor:
        return FunctionProcessor(function, event_types, key)

    return decorate


class RoutingTable:
    """Which processor takes which event type."""

    def __init__(self) -> None:
        self.processors: list[EventProcessor] = []
        self.index_of: dict[str, int] = {}
        """Event type → place of its processor in `processors`."""

    def register(self, processor: EventProcessor) -> None:
        """Route the processor's event types to it.

        Raises ConfigurationError if it takes no type, or one that another processor takes, or if its
        `process` is a coroutine function.
        """
        require_plain(processor.process, f"`process` of {name_of(processor)}", generator=True)
        event_types = list(processor.event_types)
        if not event_types:
            raise ConfigurationError(f"{name_of(processor)} takes no event type: nothing would ever reach it")
        for event_type in event_types:
            if event_type in self.index_of:
                both = f"{name_of(self.processors[self.index_of[event_type]])} and {name_of(processor)}"
                raise ConfigurationError(f"two processors claim the event type {event_type!r}: {both}")
        self.index_of |= dict.fromkeys(event_types, len(self.processors))
        self.processors.append(processor)


def name_of(processor: EventProcessor) -> str:
    """Return what a processor is called in a message."""
    return str(getattr(processor, "__name__", type(processor).__name__))
