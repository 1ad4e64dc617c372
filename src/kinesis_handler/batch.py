"""The batch that a processor is called for, and through which it reports what became of the events."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from kinesis_handler.deadline import ENDLESS, Deadline
from kinesis_handler.errors import QuarantineError
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import HandledRecord, Outcome
from kinesis_handler.quarantine.entry import objects
from kinesis_handler.telemetry.spans import span

if TYPE_CHECKING:
    from kinesis_handler.ingest.record import Record
    from kinesis_handler.quarantine import Quarantine

__all__ = ["Batch"]


ParkedFor = Mapping[tuple[int, int], Collection[str]]
"""Positions of parked records, each with the names of the projections for which they were parked."""


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
        parked: the positions of those that were parked, if `source` is PARKED, each with the names of the
            projections for which it was.
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
        parked: ParkedFor | None = None,
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
        self.parked: ParkedFor = parked or {}
        """The positions of the records that were parked, if they come to be released, and for whom."""
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
        """Whether there is a quarantine in which a parked event can wait."""
        return self.source is Source.STREAM and self._quarantine is not None

    def is_parked_for_others(self, position: tuple[int, int]) -> bool:
        """Return whether the record at a position was parked, and not for the processor at work."""
        readers = self.parked.get(position)
        return readers is not None and len(readers) > 0 and self.reader not in readers

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
            put_into(self._quarantine, records, self.reader, released=self.source is Source.PARKED)


def put_into(
    quarantine: "Quarantine", handled: Sequence[HandledRecord], reader: str = "", *, released: bool = False
) -> None:
    """Put rejected or parked records into a quarantine.

    Args:
        quarantine: where to.
        handled: the records, with their outcomes.
        reader: name of the processor that parks them.
        released: they were parked before, and have been rejected now.

    Raises QuarantineError if they are not known to be there.
    """
    try:
        with span("quarantine", records=len(handled)):
            for name, content in objects(handled, reader, released=released).items():
                quarantine.keep(name, content)
    except QuarantineError:
        raise
    except Exception as error:
        # A bug of a quarantine loses no record either.
        raise QuarantineError(f"it raised {type(error).__name__}") from error
