"""One clean pass over the records of a shard: each event once, in order."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chaos.oracle.reading import InvalidError, contents_of, read_event
from chaos.oracle.rules import EVENT_TYPES, Fields, InexactError, RefusedError, after

Key = tuple[str, str]

REMEMBERED_IDS = 16


class Expected(NamedTuple):
    """The result for one limit.

    Args:
        limit: its fields, without those that are null.
        version: number of applied events.
        updated_at: when the last of them was created, in milliseconds since epoch.
        number: the highest of the producer's sequence numbers; -1 if no event had one.
        position: sequence number and sub-sequence number of the last of them.
        ids: ids of the last 16 of them, oldest first.
    """

    limit: Fields
    version: int
    updated_at: int
    number: int
    position: tuple[int, int]
    ids: tuple[str, ...]


class Oracle:
    """One clean pass over the records of a shard.

    A record whose event fails is given up after its retries, together with later events of the same limit in
    the same record; all others continue. With parking, such an event and all later ones of its limit wait.

    Args:
        records: in stream order, as Lambda delivers them.
        parks: whether what fails is parked.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]], *, parks: bool = False) -> None:
        self._parks = parks
        self.limits: dict[Key, Expected] = {}
        self.given_up: list[str] = []
        """Sequence numbers of the records that can never succeed, and are not rejected either."""
        self.waiting: set[Key] = set()
        """Limits that stay parked: one of their events can never succeed, and is not rejected either."""
        self.rejected: dict[tuple[str, int], str] = {}
        """Sequence and sub-sequence number of each user record to be rejected → the data that has it."""
        self.outcomes: list[tuple[str, tuple[str, ...]]] = []
        """Status of each user record, and its remarks in alphabetical order."""
        for record in records:
            self._take_record(record)

    def _take_record(self, record: Mapping[str, Any]) -> None:
        number, data = record["kinesis"]["sequenceNumber"], record["kinesis"]["data"]
        failed: set[Key] = set()
        for sub, content in enumerate(contents_of(record)):
            status, remarks = self._take(content, (int(number), sub), failed)
            self.outcomes.append((status, tuple(sorted(remarks))))
            if status == "rejected":
                self.rejected[number, sub] = data
        if failed:
            self.given_up.append(number)

    def _take(self, content: bytes, position: tuple[int, int], failed: set[Key]) -> tuple[str, list[str]]:
        """Return the outcome of a user record."""
        try:
            event = read_event(content)
        except InvalidError:
            return "rejected", []
        if event["type"] not in EVENT_TYPES:
            return "ignored", []
        key = event["payload"]["userId"], event["payload"]["userLimitId"]
        if key in failed or key in self.waiting:
            return "failed" if key in failed else "parked", []
        try:
            return self._apply(key, event, position)
        except InexactError:
            return "rejected", []
        except RefusedError:
            (self.waiting if self._parks else failed).add(key)
            return "parked" if self._parks else "failed", []

    def _apply(self, key: Key, event: Fields, position: tuple[int, int]) -> tuple[str, list[str]]:
        """Apply an event to its limit if it is new. Raises InexactError, RefusedError."""
        before = self.limits.get(key)
        if before is not None and not _is_new(event, position, before):
            return "duplicate" if event["eventId"] in before.ids else "superseded", []
        limit, remarks = after(before.limit if before else None, event)
        version, number, ids = (before.version, before.number, before.ids) if before else (0, -1, ())
        self.limits[key] = Expected(
            limit=limit,
            version=version + 1,
            updated_at=event["createdAt"],
            number=event.get("sequenceNumber", number),
            position=position,
            ids=(*ids, event["eventId"])[-REMEMBERED_IDS:],
        )
        return "applied", remarks


def _is_new(event: Fields, position: tuple[int, int], before: Expected) -> bool:
    """Return whether an event is new: by its producer's number, else by its id and its position."""
    number = event.get("sequenceNumber")
    if number is not None:
        return bool(number > before.number)
    return position > before.position and event["eventId"] not in before.ids
