"""Projection: the processor that most streams need. It folds the events of each key into stored state."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from decimal import Context, localcontext
from itertools import chain
from typing import Any, Generic, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import MAX_RECENT_EVENT_IDS, RECENT_EVENT_IDS, Aggregate, Key, fold
from kinesis_handler.deadline import time_left
from kinesis_handler.errors import ConfigurationError, ConflictError, ProcessingError, RejectedError
from kinesis_handler.event import Event
from kinesis_handler.functions import require_plain
from kinesis_handler.halving import Halving
from kinesis_handler.outcome import (
    APPLIED,
    HELD_BACK,
    OUT_OF_TIME,
    Outcome,
    Remarked,
    Status,
    ToBeKept,
    broken_off,
    not_applied,
    not_saved,
)
from kinesis_handler.repository import Change, Repository, Saved
from kinesis_handler.results import StateCheck, agreed_state_type, checked_key
from kinesis_handler.telemetry.metrics import CONFLICTS, count
from kinesis_handler.telemetry.spans import span

State = TypeVar("State")

Telling = Generator[ToBeKept, None, dict[Event[Any], Outcome]]
"""Yields what has to be kept before it goes on, and returns the outcomes."""


class Projection(ABC, Generic[State]):
    """Folds events into the state of each key, and keeps it in a repository.

    To make one, say which `event_types` it takes and write `key` and `apply`, both pure. The rest is
    done here: one read and one conditional write for each key of a batch, however many events it has.

    Args:
        repository: where the states are kept.
        slice_size: how many keys are loaded, folded and saved together. The handler looks at the clock
            between two slices.
        attempts: how often a key is loaded, folded and saved while other writers get in between.
        recent_event_ids: by how many of its last applied events an aggregate knows a repeat, from 1 to 1,000.
            An event without a number that its producer sends again later than that is counted twice. They
            are stored, read and written with every aggregate: with UUIDs 38 bytes each, so that 16 are 0.6
            KB of an item in DynamoDB, of which each KB begun is a write unit, and 100 are four units.

    Raises ConfigurationError if a number is out of range, if `key` or `apply` is no plain function, or if the
    repository keeps states of another type.
    """

    event_types: Mapping[str, type[Struct]]

    decimal_context: Context | None = None
    """What `apply` computes decimals in; None for the one that the program runs in.

    Python's own rounds to 28 digits without a word. Choose one that traps `decimal.Inexact`, and it raises.
    """

    def __init__(
        self,
        repository: Repository[State],
        *,
        slice_size: int = 1_000,
        attempts: int = 5,
        recent_event_ids: int = RECENT_EVENT_IDS,
    ) -> None:
        if slice_size < 1 or attempts < 1:
            raise ConfigurationError(
                f"slice_size is {slice_size} and attempts is {attempts}; allowed: from 1 up"
            )
        if not 1 <= recent_event_ids <= MAX_RECENT_EVENT_IDS:
            raise ConfigurationError(
                f"recent_event_ids is {recent_event_ids}; allowed: from 1 to {MAX_RECENT_EVENT_IDS:,}"
            )
        self._name = type(self).__qualname__
        require_plain(self.key, f"`key` of {self._name}")
        require_plain(self.apply, f"`apply` of {self._name}")
        self._check: StateCheck[State] = StateCheck(
            self._name, agreed_state_type(type(self), Projection, repository)
        )
        self._repository = repository
        self._slice_size = slice_size
        self._attempts = attempts
        self._recent_event_ids = recent_event_ids

    @abstractmethod
    def key(self, event: Event[Any]) -> Key:
        """Return the key whose state the event changes: (partition, sort), both strings, neither empty.

        They have at most 2,048 and 1,024 bytes of UTF-8, in every store: an event whose key is empty or
        longer is rejected. One whose key is anything else fails.
        """

    @abstractmethod
    def apply(self, state: State | None, event: Event[Any]) -> State | Remarked[State]:
        """Return the state after the event; `state` is None if there is none yet.

        Called once for each new event of a key, in order, and again with the same arguments when the key
        has to be folded again: it must be pure. Return a `Remarked` to point out what is odd. Raise a
        `RejectedError` if the event can never be applied, a `BusinessError` if it may be later.

        What is returned is held against the type that stands for `State` in `Projection[State]`, or that the
        repository keeps: an event for which it is another, or None, fails with an `InvalidResultError`.
        """

    def process(self, events: Sequence[Event[Any]]) -> Iterator[Mapping[Event[Any], Outcome]]:
        """Fold the events into their states, a slice of keys at a time. See `EventProcessor.process`."""
        groups: dict[Key, list[Event[Any]]] = {}
        for event in events:
            try:
                key = self.key(event)
                try:
                    group = groups.get(key)
                except TypeError:  # it has no hash, so it is no key
                    group = None
                if group is None:
                    group = groups.setdefault(checked_key(key, self._name), [])
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                yield {event: not_applied(error)}
            else:
                group.append(event)
        keys = list(groups)
        for start in range(0, len(keys), self._slice_size):
            part = {key: groups[key] for key in keys[start : start + self._slice_size]}
            try:
                yield (yield from self._fold_and_save(part))
            except Exception as error:  # noqa: BLE001 - a store that raises fails this slice, not the next
                outcome = not_applied(error)
                yield {event: outcome for group in part.values() for event in group}

    def _fold_and_save(self, groups: dict[Key, list[Event[Any]]]) -> Telling:
        """Load, fold and save all keys, those again in whose way another writer came (G7).

        What a fold rejects is kept before what lies behind it is saved: from then on it would be superseded,
        and no longer rejected, if it came again.
        """
        told: dict[Key, list[Outcome]] = {}
        unsaved: Collection[Key] = groups
        for _ in range(self._attempts):
            changes = self._load_and_fold(unsaved, groups, told)
            if not changes:
                break
            if rejected := _rejected(changes, groups, told):
                yield rejected
            saved = self._save(changes)
            for key, error in saved.failed.items():
                if isinstance(error, RejectedError) and len(groups[key]) > 1:
                    [before] = [each.before for each in changes if each.key == key]
                    told[key] = yield from self._in_parts(before, key, groups[key], error)
                else:
                    told[key] = not_saved(told[key], error)
            unsaved = saved.conflicts
            if not unsaved:
                break
        else:
            for key in unsaved:
                told[key] = not_saved(told[key], self._conflict())
        events = chain.from_iterable(groups.values())
        outcomes = chain.from_iterable(told[key] for key in groups)
        return dict(zip(events, outcomes, strict=True))

    def _load_and_fold(
        self, keys: Collection[Key], groups: dict[Key, list[Event[Any]]], told: dict[Key, list[Outcome]]
    ) -> list[Change[State]]:
        """Return what is to be saved, and put into `told` what comes of the events once it is."""
        with span("load", keys=len(keys)):
            loaded = self._repository.load(keys)
        changes: list[Change[State]] = []
        with span("fold", keys=len(keys)), localcontext(self.decimal_context):
            for key in keys:
                if key in loaded.failed:
                    told[key] = [not_applied(loaded.failed[key])] * len(groups[key])
                    continue
                before = loaded.found.get(key)
                after, told[key] = fold(
                    before, key, groups[key], self.apply, self._check, self._recent_event_ids
                )
                if after is not None and after is not before:
                    changes.append(Change(before, after))
        return changes

    def _in_parts(
        self, before: Aggregate[State] | None, key: Key, events: list[Event[Any]], error: RejectedError
    ) -> Generator[ToBeKept, None, list[Outcome]]:
        """Fold and save events that together led to what the store can never keep: in parts, in their order.

        What still fits is found by halving, and what lies behind an event that does not fit by doubling: a
        save costs as much as the whole state, so that one for each event would not end in time.

        Args:
            before: what was loaded.
            key: whose events they are.
            events: more than one.
            error: why they cannot be kept together.
        """
        outcomes: list[Outcome] = []
        rejected = ToBeKept()
        halving, conflicts = Halving(len(events)), 0
        while (done := len(outcomes)) < len(events):
            if halving.next_is_unfit(done):
                outcomes.append(not_applied(error))
                rejected[events[done]] = outcomes[-1]
                halving.begin_again()
                continue
            late = time_left() <= 0
            if late and outcomes:
                return broken_off(outcomes, OUT_OF_TIME, len(events))
            end = done + 1 if late else halving.end(done)  # the first makes some progress
            with localcontext(self.decimal_context):
                after, told = fold(
                    before, key, events[done:end], self.apply, self._check, self._recent_event_ids
                )
            found = _rejected_of(events[done:end], told)
            if after is None or after is before:
                rejected |= found
            else:
                change = Change(before, after)
                saved = yield from self._save_part(change, rejected, found)
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
                    told = not_saved(told, problem)
            outcomes += told
            if told[-1].status is Status.FAILED:
                return broken_off(outcomes, HELD_BACK, len(events))
            halving.fits()
        return outcomes

    def _save_part(
        self, change: Change[State], rejected: ToBeKept, found: ToBeKept
    ) -> Generator[ToBeKept, None, Saved]:
        """Save a change, unless it is known before that the store never can; have kept what was rejected.

        Args:
            change: what is to be saved.
            rejected: what lies before it, and is not kept yet; empty after a save.
            found: what was rejected on the way to it.
        """
        refusal = self._repository.refusal(change.after)
        if refusal is not None:
            return Saved(failed={change.key: refusal})
        if rejected or found:
            yield ToBeKept({**rejected, **found})
            rejected.clear()
        return self._save([change])

    def _save(self, changes: Sequence[Change[State]]) -> Saved:
        with span("save", keys=len(changes)):
            saved = self._repository.save(changes)
        count(CONFLICTS, len(saved.conflicts))
        return saved

    def _load_again(self, key: Key, conflicts: int) -> tuple[Aggregate[State] | None, ProcessingError | None]:
        """Load a key that another writer has changed; or say why it is not worth it."""
        if conflicts == self._attempts:
            return None, self._conflict()
        loaded = self._repository.load([key])
        return loaded.found.get(key), loaded.failed.get(key)

    def _conflict(self) -> ConflictError:
        return ConflictError(f"changed by other writers {self._attempts} times in a row")


def _rejected(
    changes: Sequence[Change[Any]],
    groups: Mapping[Key, Sequence[Event[Any]]],
    told: Mapping[Key, Sequence[Outcome]],
) -> ToBeKept:
    """Return what was rejected of the keys that are about to change."""
    rejected = ToBeKept()
    for change in changes:
        outcomes = told[change.key]
        if outcomes.count(APPLIED) < len(outcomes):  # nearly never, and counted in C
            rejected |= _rejected_of(groups[change.key], outcomes)
    return rejected


def _rejected_of(events: Sequence[Event[Any]], outcomes: Sequence[Outcome]) -> ToBeKept:
    pairs = zip(events, outcomes, strict=True)
    return ToBeKept((event, each) for event, each in pairs if each.status is Status.REJECTED)
