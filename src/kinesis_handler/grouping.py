"""Groups the events of a batch by their keys. An event that has several is settled with the last. Pure."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Generic

from kinesis_handler.aggregate import Key
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.record import Record
from kinesis_handler.outcome import IGNORED, Outcome, Payload, not_applied, worst
from kinesis_handler.results import checked_key, checked_keys


class Groups(Generic[Payload]):
    """The events of a batch by key.

    Args:
        projection: its name, for the message of an invalid key.
    """

    def __init__(self, projection: str) -> None:
        self.by_key: dict[Key, list[Event[Payload]]] = {}
        """The events of each key, in their order."""
        self.without_key: dict[Event[Payload], Outcome] = {}
        """Outcomes of the events that have no key, or an invalid one."""
        self._projection = projection
        self._keys_left: dict[Event[Payload], int] = {}
        self._worst: dict[Event[Payload], Outcome] = {}

    def add_by_key(self, events: Iterable[Event[Payload]], key_of: Callable[[Event[Payload]], Key]) -> None:
        """Add events of which each has one key."""
        by_key = self.by_key
        for event in events:
            try:
                key = key_of(event)
                try:
                    group = by_key.get(key)
                except TypeError:  # it has no hash, so it is no key
                    group = None
                if group is None:
                    group = by_key.setdefault(checked_key(key, self._projection), [])
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                self.without_key[event] = not_applied(error)
            else:
                group.append(event)

    def add_by_keys(
        self,
        events: Iterable[Event[Payload]],
        keys_of: Callable[[Event[Payload]], Iterable[Key]],
        only: Callable[[Record, list[Key]], list[Key]] | None = None,
    ) -> None:
        """Add events that have any number of keys each. One that has none is ignored.

        Args:
            events: in stream order.
            keys_of: returns the keys of an event.
            only: returns those of the keys of a record that it is for; None for all.
        """
        for event in events:
            try:
                keys = checked_keys(keys_of(event), self._projection)
                keys = only(event.record, keys) if only is not None else keys
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                self.without_key[event] = not_applied(error)
                continue
            if not keys:
                self.without_key[event] = IGNORED
            elif len(keys) > 1:
                self._keys_left[event] = len(keys)
            for key in keys:
                self.by_key.setdefault(key, []).append(event)

    def without_order(self) -> tuple[Event[Payload], Event[Payload]] | None:
        """Return the first and the last event of a key whose events have no order; None if all have one.

        These have no producer's number, and not one partition key: of events on several shards, positions do
        not say which was sent first.
        """
        for events in self.by_key.values():
            last = events[-1]
            if last.sequence_number is None:
                first, partition_key = events[0], last.record.partition_key
                if partition_key is None or partition_key != first.record.partition_key:
                    return first, last
        return None

    def settled(
        self, keys: Iterable[Key], outcomes: Mapping[Key, list[Outcome]]
    ) -> dict[Event[Payload], Outcome]:
        """Return the outcomes of the events of which all keys are done, these included.

        Args:
            keys: those that are done.
            outcomes: of the events of each, in their order.
        """
        groups = self.by_key
        if not self._keys_left:
            events = chain.from_iterable(groups[key] for key in keys)
            return dict(zip(events, chain.from_iterable(outcomes[key] for key in keys), strict=True))
        done: dict[Event[Payload], Outcome] = {}
        for key in keys:
            for event, outcome in zip(groups[key], outcomes[key], strict=True):
                left = self._keys_left.get(event, 1) - 1
                worse = worst(self._worst[event], outcome) if event in self._worst else outcome
                if left:
                    self._keys_left[event], self._worst[event] = left, worse
                else:
                    done[event] = worse
        return done
