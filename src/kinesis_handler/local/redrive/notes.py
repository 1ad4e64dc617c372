"""The notes of parked keys as a person sees them, and how one is taken back without applying anything."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError, conflict_error
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.contents import Contents, Done, mark_all, waiting_in
from kinesis_handler.quarantine.entry import rfc3339
from kinesis_handler.release import up_to
from kinesis_handler.stores import Change, Repository
from kinesis_handler.stores.unreadable import OnUnreadable

ATTEMPTS = 5

Repositories = Mapping[str, Repository[Any]]
"""The repositories of a handler's projections, by their names: see `KinesisHandler.repositories`."""


class ParkedKey(Struct, frozen=True, rename="camel"):
    """A key for which events wait.

    Args:
        reader: name of its projection.
        partition: first part of the key.
        sort: its second part.
        since: when the first of them was parked, RFC 3339 in UTC.
        events: how many the note counts.
        in_quarantine: how many of them are there. If these are fewer, the key cannot be released.
        reason: why the first of them cannot be applied.
    """

    reader: str
    partition: str
    sort: str
    since: str
    events: int
    in_quarantine: int
    reason: str

    @property
    def is_incomplete(self) -> bool:
        """Whether some of its events are not in the quarantine, so that it cannot be released."""
        return self.in_quarantine < self.events

    @property
    def count(self) -> str:
        """How many events wait, and how many of them are missing."""
        missing = self.events - self.in_quarantine
        return (
            f"{self.events:,}, of which {missing:,} are not in the quarantine"
            if missing > 0
            else f"{self.events:,}"
        )


def parked_keys(
    repositories: Repositories,
    contents: Sequence[Contents],
    on_unreadable: OnUnreadable,
    key: Key | None = None,
) -> list[ParkedKey]:
    """Return the keys for which events wait in a quarantine, those that have waited longest first.

    Args:
        repositories: of the handler's projections.
        contents: the contents of the quarantines.
        on_unreadable: called for what is damaged, and left out.
        key: of this one alone, whether or not the quarantine has anything of it.

    Raises RepositoryError if a repository cannot be read.
    """
    waiting = _waiting(contents)
    keys = [key] if key is not None else list({who.key: None for who in waiting if who.key is not None})

    def loaded(repository: Repository[Any]) -> Iterable[Aggregate[Any]]:
        loaded = repository.load(keys)
        for damaged, error in loaded.failed.items():
            if not isinstance(error, UnreadableError):
                raise error
            on_unreadable(damaged, error)
        return loaded.stored().values()

    return _noted({reader: loaded(each) for reader, each in repositories.items()}, waiting)


def all_parked_keys(
    repositories: Repositories, contents: Sequence[Contents], on_unreadable: OnUnreadable
) -> list[ParkedKey]:
    """Read whole repositories, and return all keys that have a note: a quarantine may have lost its events.

    Args:
        repositories: of the handler's projections.
        contents: the contents of the quarantines.
        on_unreadable: called for what is damaged, and left out.

    Raises RepositoryError if a repository cannot be read.
    """
    stored = {reader: each.scan_stored(on_unreadable=on_unreadable) for reader, each in repositories.items()}
    return _noted(stored, _waiting(contents))


def _waiting(contents: Sequence[Contents]) -> Counter[ReaderKey]:
    """Count the events that wait for each reader and key."""
    return Counter(who for each in waiting_in(contents).values() for who in each.entry.parked)


def _noted(
    stored: Mapping[str, Iterable[Aggregate[Any]]], waiting: Mapping[ReaderKey, int]
) -> list[ParkedKey]:
    """Return those of the aggregates that have a note, by reader, the oldest note first.

    What waits for a reader that is not there is not missing: it may have been renamed, as `redrive` says.
    """
    of_no_reader: Counter[Key | None] = Counter()
    for who, number in waiting.items():
        if who.reader not in stored:
            of_no_reader[who.key] += number
    found = [
        ParkedKey(
            reader,
            *each.key,
            rfc3339(note.since / 1_000) or "",
            note.count,
            waiting.get(ReaderKey(reader, each.key), 0) + of_no_reader[each.key],
            note.reason,
        )
        for reader, aggregates in stored.items()
        for each in aggregates
        if (note := each.parked) is not None
    ]
    return sorted(found, key=lambda each: (each.since, each.partition, each.sort, each.reader))


def drop(
    repositories: Repositories, contents: Sequence[Contents], key: Key, why: str, at: float
) -> tuple[int, int]:
    """Take back the notes of a key, and mark its parked events as dropped: none is ever applied.

    The notes come first: whatever is interrupted behind that is superseded at the next redrive.

    Args:
        repositories: of the handler's projections.
        contents: the contents of the quarantines.
        key: (partition, sort).
        why: who dropped them, and why.
        at: seconds since epoch.

    Returns:
        How many notes were taken back, and how many records are marked. One that waits for another key or
        reader too still does, for these.

    Raises RepositoryError if a note cannot be taken back, and QuarantineError if a mark cannot be stored.
    """
    notes = sum(_take_back(repository, key) for repository in repositories.values())
    mine = {
        position: (each, parts)
        for position, each in waiting_in(contents).items()
        if (parts := frozenset(part for part in each.entry.parts if part.is_parked and part.who.key == key))
    }
    dropped = {position: Done(f"dropped {why}", parts) for position, (_, parts) in mine.items()}
    mark_all({position: each for position, (each, _) in mine.items()}, dropped, "drop", at)
    return notes, len(dropped)


def _take_back(repository: Repository[Any], key: Key) -> bool:
    """Take back the note of one projection; return whether there was one."""
    for _ in range(ATTEMPTS):
        loaded = repository.load([key])
        for error in loaded.failed.values():
            raise error
        before = loaded.stored().get(key)
        if before is None or before.parked is None:
            return False
        saved = repository.save([Change(before, up_to(before, before.parked))])
        for error in saved.failed.values():
            raise error
        if not saved.conflicts:
            return True
    raise conflict_error(ATTEMPTS)
