"""Sends what could not be applied back on its way, in the order of the stream, and marks what went through.

A mark is written behind each batch, when all of it has gone. Whoever is interrupted before sends one batch
twice, which is harmless (G3), and forgets nothing.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Protocol

from msgspec import Struct

from kinesis_handler.event_source import lambda_record
from kinesis_handler.quarantine.contents import Contents, marks
from kinesis_handler.quarantine.entry import Entry, Place
from kinesis_handler.record import LambdaRecord


class Waiting(Struct, frozen=True):
    """A record of the stream that waits: itself, and which entries stand for it or for parts of it."""

    record: LambdaRecord
    entries: tuple[Entry, ...]


class Way(Protocol):
    """A way on which records go back."""

    @property
    def name(self) -> str:
        """What the marks call it."""

    @property
    def batch_size(self) -> int:
        """How many records go at once."""

    def send(self, waiting: Sequence[Waiting]) -> Mapping[Place, str]:
        """Send records, in stream order; return why entries are not done with, by their place."""


class Sent(Struct, frozen=True):
    """What became of a batch.

    Args:
        done: entries that are done with.
        left: the others, each with the reason.
    """

    done: list[Entry]
    left: list[tuple[Entry, str]]


class Redrive:
    """What waits in several places, and how it is sent again.

    All of it is held in memory, so that it can be sent in the order of the stream.

    Args:
        contents: what has been read of these places.
        chosen: which entries are to be sent.
        clock: seconds since epoch.
    """

    def __init__(
        self,
        contents: Sequence[Contents],
        chosen: Callable[[Entry], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._contents = contents
        self._clock = clock
        self._objects: dict[Place, tuple[int, str]] = {}
        entries: dict[Place, Entry] = {}
        for index, each in enumerate(contents):
            for place, (name, entry) in each.open().items():
                if chosen(entry):
                    entries[place] = entry
                    self._objects[place] = index, name
        self.entries = [entries[place] for place in sorted(entries)]
        """What is to be sent, in the order of each shard."""

    def run(self, way: Way) -> Iterator[Sent]:
        """Send it, and yield what became of each batch when that has been marked.

        Raises QuarantineError if something cannot be marked.
        """
        waiting = [
            _waiting(tuple(group)) for _, group in groupby(self.entries, key=lambda entry: entry.place[:3])
        ]
        for first in range(0, len(waiting), way.batch_size):
            batch = waiting[first : first + way.batch_size]
            left = way.send(batch)
            entries = [entry for each in batch for entry in each.entries]
            done = [entry for entry in entries if entry.place not in left]
            self._mark(done, way.name)
            yield Sent(done, [(entry, left[entry.place]) for entry in entries if entry.place in left])

    def remove_finished(self) -> int:
        """Remove the objects of which every entry is done with; return how many there were."""
        removed = 0
        for contents in self._contents:
            for name in contents.finished():
                contents.remove(name)
                removed += 1
        return removed

    def _mark(self, done: Sequence[Entry], way: str) -> None:
        by_object: dict[tuple[int, str], list[Place]] = defaultdict(list)
        for entry in done:
            by_object[self._objects[entry.place]].append(entry.place)
        for (index, name), places in by_object.items():
            contents = self._contents[index]
            mark, content = marks(name, places, way, self._clock())
            contents.quarantine.keep(mark, content)
            contents.done.update(places)
            contents.marks.setdefault(name, []).append(mark)


def _waiting(entries: tuple[Entry, ...]) -> Waiting:
    """Put the record together that these entries are about."""
    first = entries[0]
    arrived_at = datetime.fromisoformat(first.arrived_at).timestamp() if first.arrived_at else 0.0
    record = lambda_record(
        first.stream, first.shard_id, first.sequence_number, first.partition_key, first.data, arrived_at
    )
    return Waiting(record, entries)
