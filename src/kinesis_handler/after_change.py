"""Calls `on_change` of a projection when a change has been stored, at least once for each.

A process may be killed between the save and the call. Then the events come again, and are duplicates; the
last of them is the last event that the stored aggregate has applied. So where that one comes again,
`on_change` is called again, before anything is saved over the change: none is lost, and no note is stored.
"""

from collections.abc import Callable, Sequence
from typing import Generic, cast

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.batch import Batch, Source
from kinesis_handler.deadline import current_deadline
from kinesis_handler.errors import OnChangeError, OutOfTimeError, RepositoryError, RetryableError
from kinesis_handler.ingest.event import Event
from kinesis_handler.key_outcomes import broken_off
from kinesis_handler.outcome import DUPLICATE, HELD_BACK, Outcome, Payload, Status, not_applied
from kinesis_handler.partial_save import Fold, Save
from kinesis_handler.stores import Change, Saved, State
from kinesis_handler.telemetry.spans import span

OnChange = Callable[
    [Aggregate[State | None] | None, Aggregate[State | None], Sequence[Event[Payload]]], object
]
"""Takes the aggregate before and after a change, and the events that led to it."""


class AfterChange(Generic[State, Payload]):
    """Folds and saves as it is told to, and calls `on_change`, for the keys of one slice.

    Args:
        on_change: of the projection.
        projection: its name, for errors.
        fold: applies events to an aggregate.
        save: stores changes.
        batch: whose events are folded.
    """

    def __init__(
        self,
        on_change: OnChange[State, Payload],
        projection: str,
        fold: Fold[State, Payload],
        save: Save[State],
        batch: Batch,
    ) -> None:
        self._on_change = on_change
        self._projection = projection
        self._fold = fold
        self._save = save
        self._is_redriven = batch.source is not Source.STREAM
        self._applied: dict[Key, list[Event[Payload]]] = {}
        self._has_called = False

    def fold(
        self, before: Aggregate[State | None] | None, key: Key, events: Sequence[Event[Payload]]
    ) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
        """Fold the events of a key. First call `on_change` again for what is stored, if they led to it.

        Where that raises, nothing is folded behind the last event that led to it.
        """
        after, outcomes = self._fold(before, key, events)
        if before is not None and DUPLICATE in outcomes:
            known = [event for event, outcome in zip(events, outcomes, strict=True) if outcome is DUPLICATE]
            last = known if self._is_redriven else [event for event in known if _is_last(before, event)]
            if last and (error := self._call(None, before, known)) is not None:
                index = events.index(last[0])
                return before, broken_off([*outcomes[:index], not_applied(error)], HELD_BACK, len(events))
        if after is not before:
            pairs = zip(events, outcomes, strict=True)
            self._applied[key] = [event for event, outcome in pairs if outcome.status is Status.APPLIED]
        return after, outcomes

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save changes, then call `on_change` for what was saved. Where it raises, the change has failed."""
        saved = self._save(changes)
        for before, after in ((change.before, change.after) for change in changes):
            is_saved = after.key not in saved.conflicts and after.key not in saved.failed
            if is_saved and after.version != (before.version if before is not None else 0):
                error = self._call(before, after, self._applied[after.key])
                if error is not None:
                    # It is none of the store's errors; whoever folds treats all of them alike.
                    saved.failed[after.key] = cast("RepositoryError", error)
        return saved

    def _call(
        self,
        before: Aggregate[State | None] | None,
        after: Aggregate[State | None],
        events: Sequence[Event[Payload]],
    ) -> RetryableError | None:
        """Call `on_change`, unless it is too late for more than one call; return why it was not done."""
        if self._has_called and current_deadline().has_passed():
            return OutOfTimeError("the change is stored, and the deadline came near before `on_change`")
        self._has_called = True
        try:
            with span("on_change"):
                self._on_change(before, after, events)
        except Exception as error:  # noqa: BLE001 - the event has an outcome, whatever it is
            return OnChangeError(self._projection, error)
        return None


def _is_last(aggregate: Aggregate[State | None], event: Event[Payload]) -> bool:
    """Return whether an event is the last one that was applied to an aggregate."""
    return aggregate.recent_event_ids[-1:] == (event.id,)
