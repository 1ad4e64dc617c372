"""Takes back the note of a parked key: what waits is applied in its order, or superseded. Pure."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Key, Parked
from kinesis_handler.batch import Batch
from kinesis_handler.errors import ParkedError
from kinesis_handler.fold import Rules, fold, is_new, repeated
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import Outcome, Payload, Status
from kinesis_handler.parking import shortened

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - as in fold

_NOT_NOTED = Outcome(
    Status.FAILED,
    ParkedError("it is in the quarantine, and its key has no note of it yet: its stream delivers it again"),
)


def release(
    aggregate: Aggregate[State | None] | None,
    key: Key,
    events: Sequence[Event[Payload]],
    rules: Rules[State, Payload],
    batch: Batch,
) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
    """Apply the parked events of a key in their order, up to the note's end, and take the note back.

    If one fails again, it and all behind it stay parked, with its reason. Nothing is applied if fewer events
    are there than the note counts: one that is missing would be overtaken.

    Args:
        aggregate: as it is stored, vacant or not; None if it is not.
        key: (partition, sort).
        events: all of the key that are in the quarantine, in stream order. Those that were given up lie
            between those that were parked, and are applied where they belong.
        rules: of the projection.
        batch: knows which of them were parked, which is what the note counts.

    Returns:
        The aggregate, the very same object if nothing of it changed, and an outcome for each of the events.
    """
    note = aggregate.parked if aggregate is not None else None
    if aggregate is None or note is None:
        return aggregate, [_without_note(aggregate, event) for event in events]
    covered = [event for event in events if note.covers(event.record.position, event.sequence_number)]
    missing = note.count - _waiting(aggregate, covered, batch)
    if missing > 0:
        error = ParkedError(
            f"{note.count} events of its key are parked, and {missing} of them are not in the quarantine: "
            "without them the others would be applied out of order"
        )
        return aggregate, [Outcome(Status.FAILED, error)] * len(events)
    before = replace(aggregate, parked=None)
    after, folded = fold(before, key, covered, rules)
    known = after if after is not None else aggregate
    outcome_of = dict(zip(covered, folded, strict=True))
    outcomes = [outcome_of.get(event, _NOT_NOTED) for event in events]
    first = next((n for n, outcome in enumerate(folded) if outcome.status is Status.FAILED), None)
    if first is None:
        return up_to(known, note), outcomes
    count = _waiting(known, covered[first:], batch)
    left = replace(note, count=count, reason=shortened(folded[first])) if count else None
    is_same = after is before and left == note  # what was given up or rejected does not count in the note
    return (aggregate if is_same else replace(known, parked=left)), outcomes


def _waiting(aggregate: Aggregate[object], events: Sequence[Event[object]], batch: Batch) -> int:
    """Count the events that were parked and have not been applied since."""
    return sum(batch.recipients.counts(event.record) and is_new(aggregate, event) for event in events)


def _without_note(aggregate: Aggregate[object] | None, event: Event[object]) -> Outcome:
    if aggregate is None or is_new(aggregate, event):
        return _NOT_NOTED
    return repeated(aggregate, event)


def up_to(aggregate: Aggregate[State], note: Parked) -> Aggregate[State]:
    """Return an aggregate without its note, whose lineage has reached the note's end.

    What waited may have been rejected in the end, or dropped. If it came again it would be new.
    """
    sequence_number = note.highest(aggregate.sequence_number)
    if note.position <= aggregate.position:
        return replace(aggregate, parked=None, sequence_number=sequence_number)
    return replace(
        aggregate,
        parked=None,
        sequence_number=sequence_number,
        record_sequence_number=note.record_sequence_number,
        record_sub_sequence_number=note.record_sub_sequence_number,
    )
