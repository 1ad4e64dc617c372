"""Copies a store into another one, while both may be written.

Each item is written on the condition that nobody has come before: what is newer there stays, and so does what
has a history of its own. How far each segment is lies beside what was copied, so that it can go on there.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Event, Lock
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError, UnstorableError
from kinesis_handler.moving.agreement import is_apart
from kinesis_handler.moving.budget import Budget, write_units
from kinesis_handler.moving.records import Record, Records
from kinesis_handler.stores import Change, Repository
from kinesis_handler.stores.part import Part

State = TypeVar("State")

CHUNK = 100
ROUNDS = 4
"""How often a chunk is looked at while others write what is in it."""


class Copied(Struct):
    """What became of the items.

    Args:
        seen: read from the source.
        written: written to the target.
        kept: were there already, as new or newer.
        apart: have another history in the target, and are left as they are there.
        refused: can never be kept by the target.
        unreadable: are damaged, or of another type, on either side, and are left as they are.
        resumed: had been seen by the run before this one.
    """

    seen: int = 0
    written: int = 0
    kept: int = 0
    apart: int = 0
    refused: int = 0
    unreadable: int = 0
    resumed: int = 0


class Copy(Generic[State]):
    """One copy of everything that is in a store.

    Args:
        source: it is read.
        target: it is written.
        records: how far it is.
        name: by which it is known when it goes on.
        segments: how many parts of the source are read at once.
        budget: how fast the target may be written; None for as fast as it goes.
    """

    def __init__(  # noqa: PLR0913 - from, to, and how
        self,
        source: Repository[State],
        target: Repository[State],
        records: Records,
        name: str,
        *,
        segments: int = 4,
        budget: Budget | None = None,
    ) -> None:
        self.counts = Copied()
        self.refused: list[tuple[Key, str]] = []
        self.unreadable: list[str] = []
        self._source = source
        self._target = target
        self._records = records
        self._name = name
        self._segments = segments
        self._budget = budget
        self._lock = Lock()
        self._stop = Event()

    def run(self) -> None:
        """Copy what has not been copied yet by a run that was interrupted; else everything.

        Raises RepositoryError if a store does not answer; the next run goes on from there.
        """
        places = [self._record_key(number) for number in range(self._segments)]
        known = [self._records.get(key) for key in places]
        records = [each.state if each is not None else Record() for each in known]
        if all(each.done for each in records):
            records = [Record()] * self._segments
        self.counts.resumed = sum(each.seen for each in records)
        with ThreadPoolExecutor(self._segments) as pool:
            try:
                for _ in pool.map(self._copy_segment, range(self._segments), records):
                    pass
            finally:
                self._stop.set()

    def _record_key(self, number: int) -> Key:
        return f"copy {self._name}", f"{number + 1} of {self._segments}"

    def _copy_segment(self, number: int, record: Record) -> None:
        if record.done:
            return
        place = Part(number, self._segments, record.place)
        aggregates = self._source.scan(place, on_unreadable=self._note_unreadable)
        while not self._stop.is_set():
            chunk = list(islice(aggregates, CHUNK))
            self._copy_chunk(chunk)
            record = replace(
                record,
                place=chunk[-1].key if chunk else record.place,
                done=not chunk,
                seen=record.seen + len(chunk),
            )
            self._records.put(self._record_key(number), record)
            if record.done:
                return

    def _copy_chunk(self, chunk: Sequence[Aggregate[State]]) -> None:
        copied = Copied(seen=len(chunk))
        left = list(chunk)
        for _ in range(ROUNDS):
            if not left:
                break
            loaded = self._target.load([each.key for each in left])
            for key, why in loaded.failed.items():
                if not isinstance(why, UnreadableError):
                    raise why
                self._note_unreadable(key, UnreadableError(f"the target: {why}"))
            left = [each for each in left if each.key not in loaded.failed]
            changes = self._changes(left, loaded.found, copied)
            if self._budget is not None and changes:
                self._budget.spend(sum(write_units(each.after) for each in changes))
            saved = self._target.save(changes)
            for key, problem in saved.failed.items():
                if not isinstance(problem, UnstorableError):
                    raise problem
                copied.refused += 1
                self.refused.append((key, str(problem)))
            copied.written += len(changes) - len(saved.conflicts) - len(saved.failed)
            left = [each.after for each in changes if each.key in saved.conflicts]
        copied.kept += len(left)  # others keep writing them: they are newer by now
        with self._lock:
            for name in Copied.__struct_fields__:
                setattr(self.counts, name, getattr(self.counts, name) + getattr(copied, name))

    def _note_unreadable(self, _key: Key, error: UnreadableError) -> None:
        with self._lock:
            self.counts.unreadable += 1
            self.unreadable.append(str(error))

    @staticmethod
    def _changes(
        chunk: Sequence[Aggregate[State]], found: dict[Key, Aggregate[State]], copied: Copied
    ) -> list[Change[State]]:
        changes = []
        for each in chunk:
            there = found.get(each.key)
            if each != there and is_apart(each, there):
                copied.apart += 1
            elif there is not None and there.version >= each.version:
                copied.kept += 1
            else:
                changes.append(Change(there, each))
        return changes
