"""Parks events that fail for too long, so that no later event of their key overtakes them. Pure.

The record goes into the quarantine, and the aggregate notes that its key is parked. While it has this note,
later events of the key follow into the quarantine without being tried. `release` takes the note back.

    fails ──▶ retried until it is `park_after` seconds old ──▶ parked ──▶ released, all that wait in order
                                                      later ones ─┘   └─▶ superseded by a snapshot

The order of writes is: quarantine, note, acknowledgement. Wherever it breaks off, the events that are not
acknowledged come again, and those up to the note's end are duplicates.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Key, Parked
from kinesis_handler.errors import ParkedError, ProcessingError
from kinesis_handler.fold import ABSENT, Rules, fold, is_new, is_past, repeated
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.record import arrival_time
from kinesis_handler.outcome import DUPLICATE, HELD_BACK, Outcome, Payload, Status

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - as in fold

DEFAULT_PARK_AFTER = 60.0
"""Seconds from an event's arrival for which it is retried. Its whole shard waits for as long."""

MAX_REASON = 256
"""Most characters of a reason in a note, which is stored in the aggregate: the quarantine has all of it."""

_FAILED = Status.FAILED  # by itself: on its class Python 3.11 looks it up for as long as a call takes

_BEHIND = ParkedError("an earlier event of the same key is parked")
_WAITS = Outcome(
    Status.FAILED, ParkedError("its key is parked, and nothing can be parked here: redrive it first")
)


class Parking(Struct, frozen=True):
    """Says when an event that fails is parked.

    Args:
        park_after: seconds from its arrival; None: nothing is parked; 0: everything that fails is.
        now: returns the seconds since epoch.
        redriven: the events come from the quarantine: at or before a note's end they may be what waits.
    """

    park_after: float | None = None
    now: Callable[[], float] = lambda: 0.0
    redriven: bool = False

    def parks(self, event: Event[object]) -> bool:
        """Return whether an event that has failed is old enough. Of unknown age it is not."""
        if not self.park_after:
            return self.park_after is not None
        arrived = arrival_time(event.record.source)
        return arrived is not None and self.now() - arrived >= self.park_after


NOWHERE = Parking()
"""Parks nothing: what fails is delivered again for as long as Lambda does."""

REDRIVEN = Parking(redriven=True)
"""Parks nothing: what fails is in the quarantine already."""


def fold_or_park(
    aggregate: Aggregate[State | None] | None,
    key: Key,
    events: Sequence[Event[Payload]],
    rules: Rules[State, Payload],
    parking: Parking,
) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
    """Fold events into an aggregate, and park those that have failed for too long, with all behind them.

    While its key is parked only a snapshot is applied, which releases it.

    Args:
        aggregate: as it is stored, vacant or not; None if it is not.
        key: (partition, sort).
        events: in stream order.
        rules: of the projection.
        parking: says when an event is parked.

    Returns:
        The aggregate, the very same object if nothing of it changed, and an outcome for each of the events.
    """
    outcomes: list[Outcome] = []
    rest = events
    while rest:
        if aggregate is None or aggregate.parked is None:
            aggregate, folded = fold(aggregate, key, rest, rules)
            if folded[-1].status is _FAILED:
                aggregate, folded = _parked(aggregate, key, rest, folded, parking)
            elif not outcomes:  # nearly always: it must cost next to nothing
                return aggregate, folded
            outcomes += folded
        else:
            aggregate, outcome = _behind(aggregate, aggregate.parked, rest[0], rules, parking)
            outcomes.append(outcome)
            if outcome.status is _FAILED:
                outcomes += [HELD_BACK] * (len(rest) - 1)
        rest = events[len(outcomes) :]
    return aggregate, outcomes


def _parked(
    aggregate: Aggregate[State | None] | None,
    key: Key,
    events: Sequence[Event[Payload]],
    outcomes: list[Outcome],
    parking: Parking,
) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
    """Park the first event that failed, if it is old enough; return the outcomes up to it, else all."""
    first = next(index for index, each in enumerate(outcomes) if each.status is Status.FAILED)
    event, failed = events[first], outcomes[first]
    if not parking.parks(event):
        return aggregate, outcomes
    now = int(parking.now() * 1_000)
    known = aggregate if aggregate is not None else replace(ABSENT, key=key, updated_at=now)
    parked = Outcome(Status.PARKED, failed.error)
    noted = _noted(known, event, count=1, since=now, reason=shortened(failed))
    return noted, [*outcomes[:first], parked]


def _behind(
    aggregate: Aggregate[State | None],
    note: Parked,
    event: Event[Payload],
    rules: Rules[State, Payload],
    parking: Parking,
) -> tuple[Aggregate[State | None], Outcome]:
    """Return what becomes of an event of a parked key."""
    is_repeat = not is_new(aggregate, event)
    if is_past(aggregate, event) or (is_repeat and parking.park_after is None):
        return aggregate, repeated(aggregate, event)
    if note.covers(event.record.position, event.sequence_number):
        return aggregate, _WAITS if parking.redriven else DUPLICATE
    error: ProcessingError | None = _BEHIND
    if not is_repeat and rules.is_snapshot(event, aggregate.state):
        after, [outcome] = fold(aggregate, aggregate.key, [event], rules)
        if outcome.status is Status.APPLIED and after is not None:
            return replace(after, sequence_number=note.highest(after.sequence_number)), outcome
        if outcome.status is Status.REJECTED:
            return aggregate, outcome
        error = outcome.error
    if parking.park_after is None:
        return aggregate, _WAITS
    outcome = Outcome(Status.PARKED, error)
    # A repeat of a recent id does not count: `release` expects those that are new to the aggregate.
    count = note.count if is_repeat else note.count + 1
    return _noted(aggregate, event, count=count, since=note.since, reason=note.reason), outcome


def _noted(
    aggregate: Aggregate[State | None], event: Event[object], *, count: int, since: int, reason: str
) -> Aggregate[State | None]:
    """Return the aggregate with the note that an event of its key waits, and how many do with it."""
    note, number, record = aggregate.parked, event.sequence_number, event.record
    return replace(
        aggregate,
        parked=Parked(
            count=count,
            since=since,
            reason=reason,
            sequence_number=note.highest(number) if note is not None else number,
            record_sequence_number=record.sequence_number,
            record_sub_sequence_number=record.sub_sequence_number,
        ),
    )


def shortened(outcome: Outcome) -> str:
    """Return why an event was not applied, as short as a note has it."""
    reason = f"{type(outcome.error).__name__}: {outcome.error}"
    return reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON - 1]}…"
