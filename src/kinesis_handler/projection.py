"""Projection: the processor that most streams need. It folds the events of each key into stored state."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Context, localcontext
from functools import partial
from typing import Generic

import structlog

from kinesis_handler.after_change import AfterChange
from kinesis_handler.aggregate import MAX_RECENT_EVENT_IDS, RECENT_EVENT_IDS, Aggregate, Key
from kinesis_handler.batch import Batch, Source
from kinesis_handler.errors import (
    ConfigurationError,
    ProcessingError,
    QuarantineError,
    RejectedError,
    RepositoryError,
    conflict_error,
)
from kinesis_handler.fold import Rules
from kinesis_handler.functions import require_plain
from kinesis_handler.grouping import Groups
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.upcast import Upcasters
from kinesis_handler.key_outcomes import not_saved
from kinesis_handler.loading import load_and_fold
from kinesis_handler.outcome import Deleted, Outcome, Payload, Remarked, not_applied
from kinesis_handler.parking import DEFAULT_PARK_AFTER, NOWHERE, REDRIVEN, Parking, fold_or_park
from kinesis_handler.partial_save import Fold, PartialSave, Save, save
from kinesis_handler.release import release
from kinesis_handler.results import StateCheck, agreed_state_type
from kinesis_handler.stores import Repository, State

_WITHOUT_ORDER = (
    "the events of a key have no producer's number, and not one partition key: they come from several shards "
    "in any order, and one that comes behind a later one is superseded"
)


class Projection(ABC, Generic[State, Payload]):
    """Folds events into the state of each key, and stores it in a repository.

    To make one, say which `event_types` it takes and write `key` (or `keys`) and `apply`, pure. The rest is
    done here: one read and one conditional write for each key of a batch, however many events it has.

    `State` is the type of the states, `Payload` that of the payloads: the union of the schemas in
    `event_types`, as in `class Parcels(Projection[Parcel, Scanned | Delivered])`.

    Args:
        repository: where the states are stored.
        slice_size: how many keys are loaded, folded and saved together. The handler looks at the clock
            between two slices.
        attempts: how often a key is loaded, folded and saved while other writers get in between.
        recent_event_ids: by how many of its last applied events an aggregate knows a repeat, from 1 to 1,000.
            An event without a number that its producer sends again later than that is counted twice. They
            are stored, read and written with every aggregate: with UUIDs 38 bytes each, so that 16 are 0.6
            KB of an item in DynamoDB, of which each KB begun is a write unit, and 100 are four units.
        park_after: seconds from its arrival on the stream after which an event that still fails is parked, so
            that its shard goes on; None for never: then only Lambda's retries bound how long it waits. `run`
            and `consume` park at their last delivery, whatever the age: they know which one it is. Nothing is
            parked without a quarantine.

    Raises ConfigurationError if a number is out of range, if there is neither `key` nor `keys`, if one of
    these or `apply` is no plain function, or if the repository stores states of another type.
    """

    event_types: Mapping[str, type[Payload]]
    """The types it takes, each with the schema of its payload: a class that can be decoded into."""

    upcast: Upcasters = {}  # noqa: RUF012 - nobody writes into a Mapping
    """What turns payloads of older versions into newer ones: `{("PARCEL_SCANNED", 1): from_v1}`.

    Each is a pure function of a decoded payload, before its schema, and makes the next version of it.
    """

    reader_name: str | None = None
    """Its name in logs, metrics and the quarantine; None for that of its class.

    What waits in a quarantine waits for it by this name: when the class is renamed, set it to the old one.
    """

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
        park_after: float | None = DEFAULT_PARK_AFTER,
    ) -> None:
        if slice_size < 1 or attempts < 1:
            raise ConfigurationError(
                f"slice_size is {slice_size} and attempts is {attempts}; allowed: from 1 up"
            )
        if not 1 <= recent_event_ids <= MAX_RECENT_EVENT_IDS:
            raise ConfigurationError(
                f"recent_event_ids is {recent_event_ids}; allowed: from 1 to {MAX_RECENT_EVENT_IDS:,}"
            )
        if park_after is not None and not 0 <= park_after < math.inf:
            raise ConfigurationError(f"park_after is {park_after}; allowed: from 0 up, or None for never")
        self._name = type(self).__qualname__
        self._has_keys = type(self).keys is not Projection.keys
        if not self._has_keys and type(self).key is Projection.key:
            raise ConfigurationError(f"{self._name} has neither `key` nor `keys`: write one of them")
        name = "keys" if self._has_keys else "key"
        require_plain(getattr(self, name), f"`{name}` of {self._name}")
        require_plain(self.apply, f"`apply` of {self._name}")
        check: StateCheck[State] = StateCheck(
            self._name, agreed_state_type(type(self), Projection, repository)
        )
        require_plain(self.is_snapshot, f"`is_snapshot` of {self._name}")
        require_plain(self.on_change, f"`on_change` of {self._name}")
        self._has_on_change = type(self).on_change is not Projection.on_change
        self._rules: Rules[State, Payload] = Rules(self.apply, check, recent_event_ids, self.is_snapshot)
        self.repository = repository
        """Where the states are stored."""
        self._slice_size = slice_size
        self._attempts = attempts
        self._park_after = park_after
        self._log = structlog.get_logger(component="projection")
        self._warned = False

    def key(self, event: Event[Payload]) -> Key:
        """Return the key whose state the event changes: (partition, sort), both strings, neither empty.

        They have at most 2,048 and 1,024 bytes of UTF-8, in every store: an event whose key is empty or
        longer is rejected. One whose key is anything else fails.

        The events of a key must be one sequence: they have one partition key, and producer's numbers, if any,
        rise over all of them. An event that is processed behind a later one is superseded: it is lost.
        """
        raise NotImplementedError  # a projection has either `key` or `keys`

    def keys(self, event: Event[Payload]) -> Collection[Key]:
        """Return all keys whose states the event changes, if they may be several, or none.

        A projection that overrides both is asked for `keys` alone; by default these are the one `key`.

        `apply` is called for each of them, with its state. The outcome of the event is the worst of theirs;
        when it is delivered again, those that succeeded find a duplicate. An event of no key is ignored. The
        events of each key must be one sequence: see `key`.
        """
        return (self.key(event),)

    @abstractmethod
    def apply(
        self, state: State | None, event: Event[Payload]
    ) -> State | Deleted | Remarked[State | Deleted]:
        """Return the state after the event, or `DELETED`; `state` is None if there is none.

        Called once for each new event of a key, in order, and again with the same arguments when the key
        has to be folded again: it must be pure. Return a `Remarked` to point out an anomaly. Raise a
        `RejectedError` if the event can never be applied, a `BusinessError` if it may be later.

        After `DELETED` no reader sees the key, and the next event finds None. Its version and lineage stay
        until no replay can reach it (`vacant_ttl` of its repository), so that a replay changes nothing.

        What is returned is held against the type that stands for `State` in `Projection[State, Payload]`, or
        that the repository stores: an event for which it is another, or None, fails with an
        `InvalidResultError`.
        """

    def is_snapshot(self, event: Event[Payload], state: State | None) -> bool:  # noqa: ARG002 - to be overridden
        """Return whether an event says all there is to know of its key, whose stored state is given.

        Asked only while the key is parked: such an event is applied, and what waited is superseded by it.
        """
        return False

    def on_change(
        self,
        before: Aggregate[State | None] | None,
        after: Aggregate[State | None],
        events: Sequence[Event[Payload]],
    ) -> None:
        """Inform others of a change that has been stored: called at least once for each.

        The key and `after.version` say which change it is: an idempotency key. Where it raises, the events
        fail, although the change is stored; they come again, and it is called again before anything else is
        stored under the key. It is not called in a rebuild.

        Args:
            before: what was stored before. None if there was nothing; and where it is called again, as after
                a process was killed between the save and the call: what was there then is gone.
            after: what is stored now. Its state is None if it was deleted.
            events: those of the batch that led to it.
        """

    def process(self, events: Sequence[Event[Payload]], batch: Batch) -> None:
        """Fold the events into their states, a slice of keys at a time. See `EventProcessor.process`."""
        groups: Groups[Payload] = Groups(self._name)
        if batch.source is not Source.STREAM:
            groups.add_by_keys(
                events, self.keys, lambda record, keys: batch.recipients.keys(record, batch.reader, keys)
            )
        elif self._has_keys:
            groups.add_by_keys(events, self.keys)
        else:
            groups.add_by_key(events, self.key)
        if groups.without_key:
            batch.settle(groups.without_key)
        if not self._warned and (found := groups.without_order()) is not None:
            self._warned = True
            ids = [event.id for event in found]
            self._log.warning("order not kept", projection=self._name, event_ids=ids, detail=_WITHOUT_ORDER)
        keys = list(groups.by_key)
        for start in range(0, len(keys), self._slice_size):
            if not batch.has_time:
                return
            part = {key: groups.by_key[key] for key in keys[start : start + self._slice_size]}
            try:
                outcomes = self._fold_and_save(part, batch)
            except QuarantineError:  # no further slice either: what it rejects could not be quarantined
                raise
            except Exception as error:  # noqa: BLE001 - a store that raises fails this slice, not the next
                outcomes = {key: [not_applied(error)] * len(events) for key, events in part.items()}
            named = {key: batch.of_key(key, part[key], each) for key, each in outcomes.items()}
            batch.settle(groups.settled(part, named))

    def _fold_and_save(
        self, groups: Mapping[Key, list[Event[Payload]]], batch: Batch
    ) -> dict[Key, list[Outcome]]:
        """Load, fold and save all keys; repeat it for those that another writer changed meanwhile (G7).

        What a fold rejects goes into the quarantine before what lies behind it is saved: from then on it
        would be superseded, and no longer rejected, if it were delivered again.
        """
        outcomes: dict[Key, list[Outcome]] = {}
        unsaved: Collection[Key] = groups
        fold_one: Fold[State, Payload] = self._fold_of(batch)
        store: Save[State] = partial(save, self.repository)
        if self._has_on_change and not batch.is_rebuild:
            after_change = AfterChange(self.on_change, self._name, fold_one, store, batch)
            fold_one, store = after_change.fold, after_change.save
        for _ in range(self._attempts):
            folded, folded_outcomes = load_and_fold(
                self.repository, unsaved, groups, fold_one, batch, folding=self._decimal_context
            )
            outcomes |= folded_outcomes
            saved = folded.save(store, batch)
            unfit = {key for key, error in saved.failed.items() if self._may_fit_in_parts(error, batch)}
            for key in saved.failed.keys() - unfit:
                outcomes[key] = self._not_saved(outcomes[key], saved.failed[key], batch)
            if unfit:
                folded.in_parts |= {each.key: each.before for each in folded.changes if each.key in unfit}
            if folded.in_parts:
                parts = PartialSave(self.repository, fold_one, store, self._attempts, batch)
                with self._decimal_context():
                    for key, before in folded.in_parts.items():
                        outcomes[key] = parts.save(before, key, groups[key], saved.failed.get(key))
            unsaved = saved.conflicts
            if not unsaved:
                break
        else:
            for key in unsaved:
                outcomes[key] = self._not_saved(outcomes[key], conflict_error(self._attempts), batch)
        return outcomes

    @staticmethod
    def _may_fit_in_parts(error: ProcessingError, batch: Batch) -> bool:
        """Return whether some of the events of a key may be stored that cannot be together."""
        is_whole = batch.source is Source.PARKED  # none of them may be left out
        return isinstance(error, RejectedError) and not is_whole

    @staticmethod
    def _not_saved(outcomes: list[Outcome], error: ProcessingError, batch: Batch) -> list[Outcome]:
        """Fail what was to be saved. Of a key that was not released all waits on, as its note says."""
        if batch.source is not Source.PARKED:
            return not_saved(outcomes, error)
        if isinstance(error, RejectedError):
            error = RepositoryError(str(error))
        return [not_applied(error)] * len(outcomes)

    def _decimal_context(self) -> AbstractContextManager[object]:
        return localcontext(self.decimal_context)

    def _fold_of(self, batch: Batch) -> Fold[State, Payload]:
        """Return how the events of a key are folded: those of the stream, or all that wait of it."""
        rules, parking = self._rules, NOWHERE
        if batch.source is Source.PARKED:
            return lambda before, key, events: release(before, key, events, rules, batch)
        if batch.source is Source.QUARANTINE:
            parking = REDRIVEN
        elif batch.may_park and self._park_after is not None:
            parking = Parking(0 if batch.is_last_delivery else self._park_after, batch.now)
        return lambda before, key, events: fold_or_park(before, key, events, rules, parking)
