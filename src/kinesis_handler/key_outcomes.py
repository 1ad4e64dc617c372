"""The outcomes of the events of one key, in their order. Pure."""

from collections.abc import Sequence

from kinesis_handler.errors import ProcessingError
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import HELD_BACK, Outcome, Payload, ReaderKey, Status, not_applied

_QUARANTINED = (Status.REJECTED, Status.PARKED)
_CHANGED = (Status.APPLIED, Status.PARKED)


def broken_off(outcomes: list[Outcome], first: Outcome, count: int) -> list[Outcome]:
    """Complete the outcomes of `count` events: the next one has `first`, and the rest are held back."""
    left = count - len(outcomes)
    return [*outcomes, first, *[HELD_BACK] * (left - 1)] if left else outcomes


def behind_change(outcomes: Sequence[Outcome]) -> int | None:
    """Return the index of the first rejected event that lies behind an applied or parked one; None without.

    Args:
        outcomes: of events of one key, in their order.
    """
    numbered = enumerate(outcomes)
    if any(outcome.status in _CHANGED for _, outcome in numbered):  # what is left lies behind the first one
        return next((index for index, outcome in numbered if outcome.status is Status.REJECTED), None)
    return None


def not_saved(outcomes: list[Outcome], error: ProcessingError) -> list[Outcome]:
    """Fail what was applied or parked, and hold back what came behind it: what came before was known."""
    first = next(index for index, outcome in enumerate(outcomes) if outcome.status in _CHANGED)
    return [*outcomes[:first], not_applied(error), *[HELD_BACK] * (len(outcomes) - first - 1)]


def to_quarantine(
    events: Sequence[Event[Payload]], outcomes: Sequence[Outcome], who: ReaderKey
) -> dict[Event[Payload], Outcome]:
    """Return the events that were rejected or parked, with their outcomes.

    Args:
        events: of one key.
        outcomes: one for each of them, in the same order.
        who: rejected or parked them.
    """
    pairs = zip(events, outcomes, strict=True)
    return {event: outcome.named(who) for event, outcome in pairs if outcome.status in _QUARANTINED}
