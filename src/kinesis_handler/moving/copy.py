"""Copies a store into another one, while both may be written: scan, and write if newer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Event, Lock
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError, UnstorableError
from kinesis_handler.moving.budget import TokenBucket, write_units
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.stores import ReadableRepository, Repository
from kinesis_handler.stores.part import Part

State = TypeVar("State")

CHUNK = 100


class Segment(Struct):
    """How far a part is: behind which key it goes on, how many items were read, whether that is all."""

    after: Key | None = None
    seen: int = 0
    done: bool = False


class Progress(Struct):
    """How far a copy is, as its file has it.

    Args:
        names: from and to which store.
        segments: each of its parts.
        is_incomplete: whether something that was read is not in the replica: refused, or not readable.
    """

    names: tuple[str, str]
    segments: list[Segment]
    is_incomplete: bool = False


class Counts(Struct):
    """What a copy has come to so far.

    Args:
        seen: items read by this run.
        written: of those, were absent or older in the replica.
        present: of those, were there already, as new or newer.
        refused: can never be stored by the replica.
        unreadable: are damaged, or of another type, in either store, and are left as they are.
        resumed: items read by the runs before this one.
    """

    seen: int = 0
    written: int = 0
    present: int = 0
    refused: int = 0
    unreadable: int = 0
    resumed: int = 0


class Copy(Generic[State]):
    """One copy of everything that is in a store.

    Args:
        store: it is read.
        replica: it is written.
        names: of the two, by which an interrupted copy is known again.
        file: where the progress is; it is removed at the end.
        segments: how many parts of the store are read at once.
        budget: how fast the replica may be written; None for as fast as it goes.
    """

    def __init__(  # noqa: PLR0913 - from, to, and how
        self,
        store: ReadableRepository[State],
        replica: Repository[State],
        names: tuple[str, str],
        file: Path,
        *,
        segments: int = 4,
        budget: TokenBucket | None = None,
    ) -> None:
        self.refused: list[tuple[Key, str]] = []
        self.unreadable: list[str] = []
        self._store = store
        self._replica = replica
        self._file = file
        self._budget = budget
        self._lock = Lock()
        self._stop = Event()
        self._progress = Progress(names, [Segment() for _ in range(segments)])
        with suppress(OSError, msgspec.MsgspecError):  # without a file that fits, it begins at the beginning
            before = msgspec.json.decode(file.read_bytes(), type=Progress)
            if before.names == names and len(before.segments) == segments:
                self._progress = before
        self.counts = Counts(resumed=sum(each.seen for each in self._progress.segments))

    @property
    def is_incomplete(self) -> bool:
        """Whether this run, or one that it resumes, has read something that is not in the replica."""
        return self._progress.is_incomplete

    def run(self) -> None:
        """Copy everything that an interrupted run has not.

        Raises RepositoryError if a store does not answer; the next run goes on from there.
        """
        with ThreadPoolExecutor(len(self._progress.segments)) as pool:
            try:
                for _ in pool.map(self._copy_segment, range(len(self._progress.segments))):
                    pass
            finally:
                self._stop.set()
        self._file.unlink(missing_ok=True)

    def _copy_segment(self, number: int) -> None:
        segment = self._progress.segments[number]
        part = Part(number, len(self._progress.segments), segment.after)
        aggregates = self._store.scan(part, on_unreadable=self._note_unreadable)
        while not (segment.done or self._stop.is_set()):
            chunk = list(islice(aggregates, CHUNK))
            self._copy_chunk(chunk)
            with self._lock:
                segment.after = chunk[-1].key if chunk else segment.after
                segment.seen += len(chunk)
                segment.done = not chunk
                fresh = self._file.with_name(f"{self._file.name}.new")  # a kill must not leave half a file
                fresh.write_bytes(msgspec.json.encode(self._progress))
                fresh.replace(self._file)

    def _copy_chunk(self, chunk: Sequence[Aggregate[State]]) -> None:
        result = write_if_newer(self._replica, chunk)
        refused = []
        for key, why in result.failed.items():
            if isinstance(why, UnreadableError):
                self._note_unreadable(key, why)
            elif isinstance(why, UnstorableError):
                refused.append((key, str(why)))
            else:
                raise why
        with self._lock:
            self.refused += refused
            self.counts.seen += len(chunk)
            self.counts.written += len(result.written)
            self.counts.present += len(chunk) - len(result.written) - len(result.failed)
            self.counts.refused += len(refused)
            self._progress.is_incomplete |= bool(refused)
        if self._budget is not None:
            self._budget.spend(sum(map(write_units, result.written)))

    def _note_unreadable(self, _key: Key, error: UnreadableError) -> None:
        with self._lock:
            self.counts.unreadable += 1
            self.unreadable.append(str(error))
            self._progress.is_incomplete = True
