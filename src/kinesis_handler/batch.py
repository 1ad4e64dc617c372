"""The batch that a processor is called for, and through which it reports what became of the events."""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from kinesis_handler.aggregate import Key
from kinesis_handler.deadline import ENDLESS, Deadline
from kinesis_handler.errors import QuarantineError
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import APPLIED, HandledRecord, Outcome, ReaderKey, Status, add_outcomes
from kinesis_handler.quarantine.entry import objects
from kinesis_handler.recipients import EVERYONE, Recipients
from kinesis_handler.telemetry.spans import span

if TYPE_CHECKING:
    from kinesis_handler.ingest.record import Record
    from kinesis_handler.quarantine import Quarantine

__all__ = ["Batch"]


class Source(Enum):
    """Where the records of a batch come from."""

    STREAM = "stream"
    QUARANTINE = "quarantine"
    """They are redriven. They are in a quarantine, so that nothing is put there, and nothing parked."""
    PARKED = "parked"
    """They are all that waits of some keys: if they can be applied, the keys are released."""


class Batch:
    """What a processor needs of its caller. A test of a processor can make one: `Batch()`.

    `has_time` is whether to begin another slice. It is True until a first one is settled: without that, a
    delivery would make no progress. `outcomes` has what is settled. Several processors may share one batch,
    one after the other.

    Args:
        deadline: when the reserve begins, in which no further slice is begun.
        reserve: seconds from there until the invocation is stopped.
        quarantine: where rejected and parked events are put; None if there is none.
        source: where the records come from.
        recipients: for whom the records are, if they are redriven.
        now: returns the seconds since epoch.
        is_last_delivery: whether what fails is given up, so that it is parked whatever its age.
        is_rebuild: whether the records have been processed before, into another store.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        deadline: Deadline = ENDLESS,
        reserve: float = 0,
        quarantine: "Quarantine | None" = None,
        *,
        source: Source = Source.STREAM,
        recipients: Recipients = EVERYONE,
        now: Callable[[], float] = time.time,
        is_last_delivery: bool = False,
        is_rebuild: bool = False,
    ) -> None:
        self.outcomes: dict[Event[Any] | Record, Outcome] = {}
        """Outcomes of the events that the processor at work has settled."""
        self.has_time = True
        """Whether to begin another slice."""
        self._seconds_left = deadline.seconds_left
        self._reserve = reserve
        self.source = source
        """Where the records come from."""
        self.recipients = recipients
        """For whom the records are."""
        self.parts: dict[Event[Any], dict[ReaderKey, Outcome]] = {}
        """Where records are redriven, what became of an event for each reader and key that took it."""
        self.rejections: dict[Event[Any], Outcome] = {}
        """The events that a reader or key rejected, whatever becomes of them elsewhere."""
        self.reader = ""
        """Name of the processor at work."""
        self.is_rebuild = is_rebuild
        """Whether the records have been processed before: nobody is informed of a change again."""
        self.is_last_delivery = is_last_delivery
        """Whether what fails is given up."""
        self.now = now
        """Returns the seconds since epoch."""
        self._quarantine = quarantine
        self._slowest = 0.0
        self._left = deadline.seconds_left()

    @property
    def may_park(self) -> bool:
        """Whether there is a quarantine in which an event can wait, and out of which it may be redriven."""
        return self.source is Source.STREAM and self._quarantine is not None

    def of_key(self, key: Key, events: Sequence[Event[Any]], outcomes: list[Outcome]) -> list[Outcome]:
        """Return the outcomes of the events of a key, with who rejected or parked them."""
        is_redriven = self.source is not Source.STREAM
        if not is_redriven and outcomes.count(APPLIED) == len(outcomes):  # nearly always, and counted in C
            return outcomes
        who = ReaderKey(self.reader, key)
        named = [outcome.named(who) for outcome in outcomes]
        for event, outcome in zip(events, named, strict=True):
            if is_redriven:
                self.parts.setdefault(event, {})[who] = outcome
            if outcome.status is Status.REJECTED:
                add_outcomes(self.rejections, {event: outcome})
        return named

    def complete_parts(self, events: Sequence[Event[Any]]) -> None:
        """Note what became of redriven events for the processor at work, where it did so for no key."""
        for event in events:
            parts = self.parts.setdefault(event, {})
            if all(who.reader != self.reader for who in parts):
                who = ReaderKey(self.reader)
                self.outcomes[event] = parts[who] = self.outcomes[event].named(who)

    def name_rejections(self) -> None:
        """Let the events that the processor at work rejected say so, where no key has."""
        who = ReaderKey(self.reader)
        for event, outcome in self.outcomes.items():
            if outcome.status is Status.REJECTED and not outcome.rejected and isinstance(event, Event):
                self.outcomes[event] = named = outcome.named(who)
                add_outcomes(self.rejections, {event: named})

    def settle(self, outcomes: Mapping[Event[Any], Outcome]) -> None:
        """Report the outcomes of a slice of the events: what it changed is durable from now on.

        Looks at the clock: `has_time` is False afterwards if there is not enough time for one more slice that
        takes half as long again as the slowest one so far.
        """
        # A Mapping is invariant in its keys, but an update only reads them.
        self.outcomes.update(outcomes)  # type: ignore[arg-type]
        left = self._seconds_left()
        self._slowest = max(self._slowest, self._left - left)
        self._left = left
        self.has_time = left >= max(0, self._slowest * 1.5 - self._reserve)

    def quarantine(self, outcomes: Mapping[Event[Any], Outcome]) -> None:
        """Put rejected or parked events into the quarantine now, before what lies behind them is durable.

        A rejected event needs this if it would no longer be rejected when it is delivered again, such as one
        that a later event then supersedes. All others are put there when the batch is done. A parked one
        needs it before its note is saved. Settles nothing. Does nothing without a quarantine.

        Raises QuarantineError if they are not known to be there. Let it pass: the events that are not settled
        then fail, and are delivered again.
        """
        if self._quarantine is not None and self.source is not Source.QUARANTINE:
            records = [HandledRecord(event.record, event, outcome) for event, outcome in outcomes.items()]
            put_into(self._quarantine, records, self.reader)


def put_into(quarantine: "Quarantine", handled: Sequence[HandledRecord], reader: str = "") -> None:
    """Put rejected or parked records into a quarantine.

    Args:
        quarantine: where to.
        handled: the records, with their outcomes.
        reader: name of the processor that rejected the events whose outcomes do not say it.

    Raises QuarantineError if they are not known to be there.
    """
    try:
        with span("quarantine", records=len(handled)):
            for name, content in objects(handled, reader).items():
                quarantine.keep(name, content)
    except QuarantineError:
        raise
    except Exception as error:
        # A bug of a quarantine loses no record either.
        raise QuarantineError(f"it raised {type(error).__name__}") from error
