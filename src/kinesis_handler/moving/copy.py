"""Copies a store into another one, while both may be written: scan, and write if newer."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ProcessingError, UnreadableError, UnstorableError
from kinesis_handler.moving.chunks import chunks_of, named
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.stores import BEGINNING, Repository

CHUNK = 1_000
"""Items that are read and written together. To DynamoDB that is ten requests and forty, several at once."""
MAX_NAMED = 100
"""How many items are named that are not copied, or differ: a person reads them."""
UNIT = 1_024
"""Bytes that one write unit of DynamoDB pays for."""


class Progress(Struct):
    """How far a copy is, over all of its runs, as its file has it.

    Args:
        names: from and to which store.
        after: the key behind which it goes on in a repository.
        seen: items read.
        written: of those, were absent or older in the replica.
        uncopied: of those, can never be stored by the replica, or are damaged, or of another type, in either
            store, and are left as they are.
        named: the first of these, each with the reason.
    """

    names: tuple[str, str]
    after: dict[str, Key] = field(default_factory=dict)
    seen: int = 0
    written: int = 0
    uncopied: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def present(self) -> int:
        """How many were there already, as new or newer."""
        return self.seen - self.written - self.uncopied

    def add(
        self, repository: str, chunk: Mapping[Key, Aggregate[Any] | ProcessingError], written: int
    ) -> None:
        """Add what has become of a repository's chunk: of each key its aggregate, or why it is not copied."""
        why = {key: each for key, each in chunk.items() if not isinstance(each, Aggregate)}
        [*_, self.after[repository]] = chunk
        self.seen += len(chunk)
        self.written += written
        self.uncopied += len(why)
        reasons = [f"{named(key, repository)}: {each}" for key, each in why.items()]
        self.named += reasons[: MAX_NAMED - len(self.named)]


def read_progress(file: Path, names: tuple[str, str]) -> Progress:
    """Return how far a copy is, by its file; it is at its beginning without a file that fits."""
    with suppress(OSError, msgspec.MsgspecError):
        progress = msgspec.json.decode(file.read_bytes(), type=Progress)
        if progress.names == names:
            return progress
    return Progress(names)


def copy_store(  # noqa: PLR0913 - from, to, and how
    repositories: Mapping[str, Mapping[Side, Repository[Any]]],
    decides: Side,
    progress: Progress,
    file: Path,
    *,
    rate: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Copy a store, or what is left of it behind the progress.

    Args:
        repositories: all that it has, by name, and all that the other one has.
        decides: the side that is read; the other one is written.
        progress: it is moved on.
        file: has the progress after each chunk; it is removed at the end.
        rate: write units a second, at most; None for as fast as it goes.
        clock: seconds, from any moment on.
        sleep: waits for some seconds.

    Raises RepositoryError if a store does not answer; the next run goes on from there.
    """
    began = clock()
    size = CHUNK if rate is None else min(CHUNK, ceil(rate))
    for name, sides in repositories.items():
        for chunk in chunks_of(sides[decides], size, progress.after.get(name, BEGINNING)):
            readable = [each for each in chunk.values() if isinstance(each, Aggregate)]
            result = write_if_newer(sides[decides.other], readable)
            for why in result.failed.values():
                if not isinstance(why, UnreadableError | UnstorableError):
                    raise why
            progress.add(name, {**chunk, **result.failed}, len(result.written))
            fresh = file.with_name(f"{file.name}.new")  # a kill must not leave half a file
            fresh.write_bytes(msgspec.json.encode(progress))
            fresh.replace(file)
            if rate is not None:
                due = began + sum(map(write_units, result.written)) / rate
                sleep(max(0, due - clock()))
                began = clock()
    file.unlink(missing_ok=True)


def write_units(aggregate: Aggregate[Any]) -> int:
    """Estimate what it costs to write an aggregate, by its length as JSON."""
    return -(-len(msgspec.json.encode(aggregate)) // UNIT)
