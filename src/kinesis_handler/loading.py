"""Loads and folds the keys of a slice, so that no outcome rests on what may be stale.

A repository may hand out what its process has written last, without reading it: see `stores.cached`. Another
process may have written since. What is saved behind it is conditional on it. What is not saved has no such
condition, and what goes into the quarantine goes there before: both are decided by reading.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Generic

from msgspec import Struct, field

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.batch import Batch
from kinesis_handler.errors import RejectedError
from kinesis_handler.ingest.event import Event
from kinesis_handler.key_outcomes import behind_change, to_quarantine
from kinesis_handler.outcome import APPLIED, Outcome, Payload, ReaderKey, add_outcomes, not_applied
from kinesis_handler.partial_save import Fold, Save
from kinesis_handler.stores import Change, Repository, Saved, State
from kinesis_handler.telemetry.spans import span


class Folded(Struct, Generic[State, Payload]):
    """What a slice leads to.

    Args:
        changes: what is to be saved.
        quarantined: what of it goes into the quarantine first.
        in_parts: the keys of which something is rejected behind a change, with what is stored of them. What
            lies before it is saved first: once it is in the quarantine, it may be redriven and overtake that.
        remembered: the keys whose change rests on what was not read.
    """

    changes: list[Change[State]] = field(default_factory=list)
    quarantined: dict[Event[Payload], Outcome] = field(default_factory=dict)
    in_parts: dict[Key, Aggregate[State | None] | None] = field(default_factory=dict)
    remembered: set[Key] = field(default_factory=set)

    def save(self, store: Save[State], batch: Batch) -> Saved:
        """Save the changes, behind what goes into the quarantine.

        Raises QuarantineError if that is not known to be there: then nothing is saved.
        """
        if not self.changes:
            return Saved()
        if self.quarantined:
            batch.quarantine(self.quarantined)
        saved = store(self.changes)
        self.read_again(saved)
        return saved

    def read_again(self, saved: Saved) -> None:
        """Take those for conflicts that the store can never hold, behind what was not read.

        Behind what is stored by now they may be storable.
        """
        for key in self.remembered.intersection(saved.failed):
            if isinstance(saved.failed[key], RejectedError):
                del saved.failed[key]
                saved.conflicts.add(key)


def load_and_fold(  # noqa: PLR0913 - each is of the slice
    repository: Repository[State],
    keys: Collection[Key],
    groups: Mapping[Key, list[Event[Payload]]],
    fold_one: Fold[State, Payload],
    batch: Batch,
    *,
    folding: Callable[[], AbstractContextManager[object]],
) -> tuple[Folded[State, Payload], dict[Key, list[Outcome]]]:
    """Load and fold keys; return what is to be saved, and the outcomes of their events once it is.

    Args:
        repository: where the aggregates are.
        keys: of the slice.
        groups: their events.
        fold_one: applies the events of a key.
        batch: whose events they are.
        folding: the context to do so in.
    """
    result: Folded[State, Payload] = Folded()
    outcomes: dict[Key, list[Outcome]] = {}
    while keys:
        with span("load", keys=len(keys)):
            loaded = repository.load(keys)
        found, vacant, failed, remembered = loaded.found, loaded.vacant, loaded.failed, loaded.remembered
        undecided: list[Key] = []
        with span("fold", keys=len(keys)), folding():
            for key in keys:
                events = groups[key]
                if key in failed:
                    outcomes[key] = [not_applied(failed[key])] * len(events)
                    continue
                before = found.get(key) or vacant.get(key)
                after, folded = fold_one(before, key, events)
                outcomes[key] = folded
                has_changed = after is not None and after is not before
                quarantined: dict[Event[Payload], Outcome] = {}
                if has_changed and folded.count(APPLIED) < len(folded):  # nearly never, and counted in C
                    quarantined = to_quarantine(events, folded, ReaderKey(batch.reader, key))
                if key in remembered:
                    if not has_changed or quarantined:
                        undecided.append(key)
                        continue
                    result.remembered.add(key)
                if quarantined and batch.may_park and behind_change(folded) is not None:
                    result.in_parts[key] = before
                elif after is not None and has_changed:
                    result.changes.append(Change(before, after))
                    if quarantined:
                        add_outcomes(result.quarantined, quarantined)
        keys = undecided
    return result, outcomes
