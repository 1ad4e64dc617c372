"""Copies a store into another one, while both may be written: scan, and write if newer."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import ceil
from pathlib import Path
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

CHUNK = 1_000
"""Items that are read and written together. To DynamoDB that is ten requests and forty, several at once."""
MAX_NAMED = 100
"""How many of the items that are not copied are named: a person reads them."""
UNIT = 1_024
"""Bytes that one write unit of DynamoDB pays for."""


class Progress(Struct):
    """How far a copy is, over all of its runs, as its file has it.

    Args:
        names: from and to which store.
        after: the key behind which it goes on.
        seen: items read.
        written: of those, were absent or older in the replica.
        uncopied: of those, can never be stored by the replica, or are damaged, or of another type, in either
            store, and are left as they are.
        named: the first of these, each with the reason.
    """

    names: tuple[str, str]
    after: Key | None = None
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
        rate: write units a second, at most; None for as fast as it goes.
    """

    def __init__(  # noqa: PLR0913 - from, to, and how
        self,
        store: Repository[State],
        replica: Repository[State],
        names: tuple[str, str],
        file: Path,
        *,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.progress = Progress(names)
        self._store = store
        self._replica = replica
        self._file = file
        self._rate, self._clock, self._sleep = rate, clock, sleep
        with suppress(OSError, msgspec.MsgspecError):  # without a file that fits, it begins at the beginning
            before = msgspec.json.decode(file.read_bytes(), type=Progress)
            if before.names == names:
                self.progress = before

    def run(self) -> None:
        """Copy everything that an interrupted run has not.

        Raises RepositoryError if a store does not answer; the next run goes on from there.
        """
        began = self._clock()
        size = CHUNK if self._rate is None else min(CHUNK, ceil(self._rate))
        for chunk in chunks_of(self._store, size, Part(0, 1, self.progress.after)):
            aggregates = [each for each in chunk.values() if isinstance(each, Aggregate)]
            result = write_if_newer(self._replica, aggregates)
            for why in result.failed.values():
                if not isinstance(why, UnreadableError | UnstorableError):
                    raise why
            self._count({**chunk, **result.failed}, len(result.written))
            if self._rate is not None:
                due = began + sum(map(write_units, result.written)) / self._rate
                self._sleep(max(0, due - self._clock()))
                began = self._clock()
        self._file.unlink(missing_ok=True)

    def _count(self, chunk: Mapping[Key, Aggregate[State | None] | ProcessingError], written: int) -> None:
        """Add to the progress what has become of a chunk, and save it. A kill must not leave half a file."""
        progress = self.progress
        [*_, progress.after] = chunk
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
