"""Saves events of one key in parts: together the store can never keep them, or one in between is rejected."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.batch import Batch
from kinesis_handler.deadline import current_deadline
from kinesis_handler.errors import ProcessingError, RejectedError, conflict_error
from kinesis_handler.halving import Halving
from kinesis_handler.ingest.event import Event
from kinesis_handler.key_outcomes import behind_change, broken_off, not_saved, to_quarantine
from kinesis_handler.outcome import HELD_BACK, OUT_OF_TIME, Outcome, Payload, ReaderKey, Status, not_applied
from kinesis_handler.stores import Change, Repository, Saved, State
from kinesis_handler.telemetry.metrics import CONFLICTS, count
from kinesis_handler.telemetry.spans import span

Fold = Callable[
    [Aggregate[State | None] | None, Key, Sequence[Event[Payload]]],
    tuple[Aggregate[State | None] | None, list[Outcome]],
]
"""Returns the aggregate after events of its key, and their outcomes: see `fold.fold`."""

Save = Callable[[Sequence[Change[State]]], Saved]
"""Stores changes: see `Repository.save`."""


class PartialSave(Generic[State, Payload]):
    """Folds and saves in parts, in the order of the events. None holds a rejected one behind what it changes.

    What still fits is found by halving, and what lies behind an event that does not fit by doubling: a save
    costs as much as the whole state, so that one for each event would not end in time.

    Args:
        repository: where the states are stored.
        fold: applies events to a state.
        save: stores changes in the repository.
        attempts: how often other writers may get in between.
        batch: whose quarantine gets what is rejected, before what lies behind it is saved.
    """

    def __init__(
        self,
        repository: Repository[State],
        fold: Fold[State, Payload],
        save: Save[State],
        attempts: int,
        batch: Batch,
    ) -> None:
        self._repository = repository
        self._fold = fold
        self._store = save
        self._attempts = attempts
        self._batch = batch

    def save(
        self,
        before: Aggregate[State | None] | None,
        key: Key,
        events: Sequence[Event[Payload]],
        error: ProcessingError | None = None,
    ) -> list[Outcome]:
        """Fold and save the events, and return their outcomes.

        Args:
            before: what was loaded.
            key: whose events they are.
            events: in their order; one at least.
            error: why they cannot be stored together; None if that is not known.

        Raises QuarantineError if what was rejected is not known to be in the quarantine.
        """
        outcomes: list[Outcome] = []
        rejected: dict[Event[Payload], Outcome] = {}
        halving, conflicts = Halving(len(events), is_unfit=error is not None), 0
        who = ReaderKey(self._batch.reader, key)
        while (done := len(outcomes)) < len(events):
            if error is not None and halving.next_is_unfit(done):
                outcomes.append(not_applied(error))
                rejected[events[done]] = outcomes[-1].named(who)
                halving.begin_again()
                continue
            late = current_deadline().has_passed()
            if late and outcomes:
                return broken_off(outcomes, OUT_OF_TIME, len(events))
            end = done + 1 if late else halving.end(done)  # the first makes some progress
            after, part_outcomes = self._fold_part(before, key, events[done:end])
            end = done + len(part_outcomes)
            part = events[done:end]
            found = to_quarantine(part, part_outcomes, who)
            if after is None or after is before:
                rejected |= found  # nothing is saved with them, but perhaps behind them
            else:
                change = Change(before, after)
                saved = self._save(change, rejected, found)
                problem: ProcessingError | None = saved.failed.get(key)
                before = after
                if saved.conflicts:
                    conflicts += 1
                    halving.begin_again()
                    before, problem = self._load_again(key, conflicts)
                    if problem is None:
                        continue
                if isinstance(problem, RejectedError):
                    before, error = change.before, problem
                    halving.does_not_fit(end)
                    continue
                if problem is not None:
                    part_outcomes = not_saved(part_outcomes, problem)
            outcomes += part_outcomes
            if part_outcomes[-1].status is Status.FAILED:
                return broken_off(outcomes, HELD_BACK, len(events))
            halving.fits()
        return outcomes

    def _fold_part(
        self, before: Aggregate[State | None] | None, key: Key, part: Sequence[Event[Payload]]
    ) -> tuple[Aggregate[State | None] | None, list[Outcome]]:
        """Fold events up to what is rejected behind a change: it may be redriven once it is quarantined."""
        after, outcomes = self._fold(before, key, part)
        if self._batch.may_park and (cut := behind_change(outcomes)) is not None:
            return self._fold(before, key, part[:cut])
        return after, outcomes

    def _save(
        self,
        change: Change[State],
        rejected: dict[Event[Payload], Outcome],
        found: Mapping[Event[Payload], Outcome],
    ) -> Saved:
        """Save a change, unless it is already known that the store never can; quarantine what was rejected.

        Args:
            change: what is to be saved.
            rejected: what lies before it, and is not in the quarantine yet; empty after a save.
            found: what was rejected on the way to it.
        """
        refusal = self._repository.refusal(change.after)
        if refusal is not None:
            return Saved(failed={change.key: refusal})
        if rejected or found:
            self._batch.quarantine({**rejected, **found})
            rejected.clear()
        return self._store([change])

    def _load_again(
        self, key: Key, conflicts: int
    ) -> tuple[Aggregate[State | None] | None, ProcessingError | None]:
        """Load a key that another writer has changed; or return why it is not worth it."""
        if conflicts == self._attempts:
            return None, conflict_error(self._attempts)
        loaded = self._repository.load([key])
        return loaded.stored().get(key), loaded.failed.get(key)


def save(repository: Repository[State], changes: Sequence[Change[State]]) -> Saved:
    """Save changes, in a span of its own; count the conflicts."""
    with span("save", keys=len(changes)):
        saved = repository.save(changes)
    count(CONFLICTS, len(saved.conflicts))
    return saved
