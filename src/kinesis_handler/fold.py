"""The rule by which events are folded into an aggregate: each once, in order. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct

from kinesis_handler.aggregate import RECENT_EVENT_IDS, Aggregate, Key
from kinesis_handler.errors import InvalidEventError
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import (
    APPLIED,
    DUPLICATE,
    HELD_BACK,
    SUPERSEDED,
    Deleted,
    Outcome,
    Payload,
    Remarked,
    Status,
    not_applied,
)
from kinesis_handler.results import StateCheck
from kinesis_handler.storable import number_problem

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - a fold takes what is stored, vacant or not

ABSENT: Aggregate[None] = Aggregate(
    key=("", ""),
    state=None,
    version=0,
    updated_at=0,
    sequence_number=None,
    record_sequence_number=None,
    record_sub_sequence_number=0,
    recent_event_ids=(),
)
"""Stands for an aggregate that does not exist: all events are new to it."""


class Rules(Struct, Generic[State, Payload], frozen=True):
    """What a projection says of its folds.

    Args:
        apply: returns the state after an event.
        check: checks what `apply` returns.
        recent_event_ids: how many of the last applied events are remembered by their id, from 1 on.
        is_snapshot: returns whether an event says all there is to know of its key, whose state is given.
    """

    apply: Callable[[Any, Event[Payload]], State | Deleted | Remarked[State | Deleted]]
    check: StateCheck[State]
    recent_event_ids: int = RECENT_EVENT_IDS
    is_snapshot: Callable[[Event[Payload], Any], bool] = lambda *_: False


def fold(
    aggregate: Aggregate[State | None] | None,
    key: Key,
    events: Sequence[Event[Payload]],
    rules: Rules[State, Payload],
) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
    """Apply to an aggregate those of its events that are new to it, in their order.

    An event that its producer numbered is new if its number is above the highest applied one. Any other
    is new if its record lies behind that of the last applied event, and its id is none of the recent ones.

    After an event has failed the later ones are held back; one that is rejected lets them pass.

    Args:
        aggregate: as it is stored, vacant or not; None if it is not. It may remember more ids than are asked
            for, or fewer. A note that its key is parked is gone where an event is applied: see `parking`.
        key: (partition, sort).
        events: in stream order.
        rules: of the projection.

    Returns:
        The aggregate, the very same object if nothing was applied, and an outcome for each of the events.
    """
    known: Aggregate[State | None] = aggregate if aggregate is not None else ABSENT
    state, version, highest = known.state, known.version, known.sequence_number
    apply, check, recent = rules.apply, rules.check, rules.recent_event_ids
    ids, classes = [*known.recent_event_ids], check.classes
    last: Event[Payload] | None = None
    outcomes: list[Outcome] = []
    for event in events:
        number = event.sequence_number
        if number is not None:
            is_new = highest is None or number > highest
        else:
            last_position = last.record.position if last is not None else known.position
            is_new = event.id not in ids[-recent:] and event.record.position > last_position
        if not is_new:
            outcomes.append(DUPLICATE if event.id in ids[-recent:] else SUPERSEDED)
            continue
        try:
            result = apply(state, event)
            if result.__class__ in classes:
                state, outcome = cast("State", result), APPLIED
            else:
                state, remarks = check.unpack(result)
                outcome = Outcome(Status.APPLIED, remarks=remarks) if remarks else APPLIED
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
            outcome = not_applied(_of_its_numbers(error, event) or error)
            outcomes.append(outcome)
            if outcome.status is Status.FAILED:
                outcomes += [HELD_BACK] * (len(events) - len(outcomes))
                break
            continue
        outcomes.append(outcome)
        version += 1
        highest = number if number is not None else highest
        ids.append(event.id)
        last = event
    if last is None:
        return aggregate, outcomes
    return (
        Aggregate(
            key=key,
            state=state,
            version=version,
            updated_at=last.created_at,
            sequence_number=highest,
            record_sequence_number=last.record.sequence_number,
            record_sub_sequence_number=last.record.sub_sequence_number,
            recent_event_ids=tuple(ids[-recent:]),
        ),
        outcomes,
    )


def is_new(aggregate: Aggregate[object], event: Event[object]) -> bool:
    """Return whether an event is new to an aggregate, by the rule of `fold`."""
    is_repeat = event.sequence_number is None and event.id in aggregate.recent_event_ids
    return not is_repeat and not is_past(aggregate, event)


def is_past(aggregate: Aggregate[object], event: Event[object]) -> bool:
    """Return whether an event lies at or before the last applied one, whatever its id.

    An id shows a repeat only while it is among the recent ones. What is recent when a parked event is
    released, nobody knows when it is parked.
    """
    number, highest = event.sequence_number, aggregate.sequence_number
    if number is not None:
        return highest is not None and number <= highest
    return event.record.position <= aggregate.position


def repeated(aggregate: Aggregate[object], event: Event[object]) -> Outcome:
    """Return the outcome of an event that is not new to an aggregate."""
    return DUPLICATE if event.id in aggregate.recent_event_ids else SUPERSEDED


def _of_its_numbers(error: Exception, event: Event[Any]) -> InvalidEventError | None:
    """Return why an event can never be applied, if what `apply` stumbled over is a number in its payload."""
    if not isinstance(error, ArithmeticError | ValueError):  # int("NaN") is a ValueError
        return None
    problem = number_problem(event.payload, "the payload")
    return InvalidEventError(f"{problem}: {type(error).__name__} raised") if problem is not None else None
