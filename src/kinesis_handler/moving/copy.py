"""Copies a store into another one, while both may be written: scan, and write if newer."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ProcessingError, UnreadableError, UnstorableError
from kinesis_handler.moving.chunks import chunks_of
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.stores import Repository
from kinesis_handler.stores.part import Part

State = TypeVar("State")

CHUNK = 100
MAX_NAMED = 100
"""How many of the items that are not copied are named: a person reads them."""
UNIT = 1_024
"""Bytes that one write unit of DynamoDB pays for."""


class Progress(Struct):
    """How far a copy is, over all of its runs, as its file has it.

    Args:
        names: from and to which store.
        after: the key behind which each of its parts goes on.
        seen: items read.
        written: of those, were absent or older in the replica.
        uncopied: of those, can never be stored by the replica, or are damaged, or of another type, in either
            store, and are left as they are.
        named: the first of these, each with the reason.
    """

    names: tuple[str, str]
    after: list[Key | None]
    seen: int = 0
    written: int = 0
    uncopied: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def present(self) -> int:
        """How many were there already, as new or newer."""
        return self.seen - self.written - self.uncopied


class Copy(Generic[State]):
    """One copy of everything that is in a store.

    Args:
        store: it is read.
        replica: it is written.
        names: of the two, by which an interrupted copy is known again.
        file: where the progress is; it is removed at the end.
        segments: how many parts of the store are read at once.
        rate: write units a second, at most, of which each part has its share; None for as fast as it goes.
    """

    def __init__(  # noqa: PLR0913 - from, to, and how
        self,
        store: Repository[State],
        replica: Repository[State],
        names: tuple[str, str],
        file: Path,
        *,
        segments: int = 4,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.progress = Progress(names, [None] * segments)
        self._store = store
        self._replica = replica
        self._file = file
        self._lock = Lock()
        self._stop = Event()
        self._rate, self._clock, self._sleep = rate, clock, sleep or self._stop.wait
        with suppress(OSError, msgspec.MsgspecError):  # without a file that fits, it begins at the beginning
            before = msgspec.json.decode(file.read_bytes(), type=Progress)
            if before.names == names and len(before.after) == segments:
                self.progress = before

    def run(self) -> None:
        """Copy everything that an interrupted run has not.

        Raises RepositoryError if a store does not answer; the next run goes on from there.
        """
        segments = len(self.progress.after)
        with ThreadPoolExecutor(segments) as pool:
            try:
                for _ in pool.map(self._copy_segment, range(segments)):
                    pass
            finally:
                self._stop.set()
        self._file.unlink(missing_ok=True)

    def _copy_segment(self, number: int) -> None:
        part = Part(number, len(self.progress.after), self.progress.after[number])
        began = self._clock()
        for chunk in chunks_of(self._store, CHUNK, part):
            if self._stop.is_set():
                return
            aggregates = [each for each in chunk.values() if isinstance(each, Aggregate)]
            result = write_if_newer(self._replica, aggregates)
            for why in result.failed.values():
                if not isinstance(why, UnreadableError | UnstorableError):
                    raise why
            with self._lock:
                self.progress.after[number] = list(chunk)[-1]
                self._count({**chunk, **result.failed}, len(result.written))
            if self._rate is not None:
                due = sum(map(write_units, result.written)) * len(self.progress.after) / self._rate
                self._sleep(max(0, began + due - self._clock()))
                began = self._clock()

    def _count(self, chunk: Mapping[Key, Aggregate[State | None] | ProcessingError], written: int) -> None:
        """Add to the progress what has become of a chunk, and save it. A kill must not leave half a file."""
        progress = self.progress
        why = {key: each for key, each in chunk.items() if not isinstance(each, Aggregate)}
        progress.seen += len(chunk)
        progress.written += written
        progress.uncopied += len(why)
        named = [f"{key[0]} {key[1]}: {each}" for key, each in why.items()]
        progress.named += named[: MAX_NAMED - len(progress.named)]
        fresh = self._file.with_name(f"{self._file.name}.new")
        fresh.write_bytes(msgspec.json.encode(progress))
        fresh.replace(self._file)


def write_units(aggregate: Aggregate[Any]) -> int:
    """Estimate what it costs to write an aggregate, by its length as JSON."""
    return -(-len(msgspec.json.encode(aggregate)) // UNIT)
