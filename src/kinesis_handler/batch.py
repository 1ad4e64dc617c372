"""The batch that a processor is called for, and through which it reports what became of the events."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinesis_handler.deadline import ENDLESS, Deadline
from kinesis_handler.errors import QuarantineError
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import HandledRecord, Outcome
from kinesis_handler.quarantine.entry import objects
from kinesis_handler.telemetry.spans import span

if TYPE_CHECKING:
    from kinesis_handler.quarantine import Quarantine

__all__ = ["Batch"]


class Batch:
    """What a processor needs of its caller. A test of a processor can make one: `Batch()`.

    `has_time` is whether to begin another slice. It is True until a first one is settled: without that, a
    delivery would make no progress. `outcomes` has what is settled. Several processors may share one batch,
    one after the other.

    Args:
        deadline: when the reserve begins, in which no further slice is begun.
        reserve: seconds from there until the invocation is stopped.
        quarantine: where rejected events are put; None if there is none.
    """

    def __init__(
        self,
        deadline: Deadline = ENDLESS,
        reserve: float = 0,
        quarantine: "Quarantine | None" = None,
    ) -> None:
        self.outcomes: dict[Event[Any], Outcome] = {}
        """Outcomes of the events that the processor at work has settled."""
        self.has_time = True
        """Whether to begin another slice."""
        self._seconds_left = deadline.seconds_left
        self._reserve = reserve
        self._quarantine = quarantine
        self._slowest = 0.0
        self._left = deadline.seconds_left()

    def settle(self, outcomes: Mapping[Event[Any], Outcome]) -> None:
        """Report the outcomes of a slice of the events: what it changed is durable from now on.

        Looks at the clock: `has_time` is False afterwards if there is not enough time for one more slice that
        takes half as long again as the slowest one so far.
        """
        self.outcomes.update(outcomes)
        left = self._seconds_left()
        self._slowest = max(self._slowest, self._left - left)
        self._left = left
        self.has_time = left >= max(0, self._slowest * 1.5 - self._reserve)

    def quarantine(self, outcomes: Mapping[Event[Any], Outcome]) -> None:
        """Put rejected events into the quarantine now, before what lies behind them is made durable.

        An event needs this if it would no longer be rejected when it is delivered again, such as one that a
        later event then supersedes. All others are put there when the batch is done. Settles nothing. Does
        nothing without a quarantine.

        Raises QuarantineError if they are not known to be there. Let it pass: the events that are not settled
        then fail, and are delivered again.
        """
        if self._quarantine is not None:
            records = [HandledRecord(event.record, event, outcome) for event, outcome in outcomes.items()]
            put_into(self._quarantine, records)


def put_into(quarantine: "Quarantine", rejected: Sequence[HandledRecord]) -> None:
    """Put rejected records into a quarantine. Raises QuarantineError if they are not known to be there."""
    try:
        with span("quarantine", records=len(rejected)):
            for name, content in objects(rejected).items():
                quarantine.keep(name, content)
    except QuarantineError:
        raise
    except Exception as error:
        # A bug of a quarantine loses no record either.
        raise QuarantineError(f"it raised {type(error).__name__}") from error
