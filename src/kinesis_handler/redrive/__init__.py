"""Sends what could not be applied back on its way, in the order of the stream, and marks what went through.

A mark is written behind each batch, when all of it has gone. Whoever is interrupted before sends one batch
twice, which is harmless (G3), and forgets nothing.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from msgspec import Struct

from kinesis_handler.event_source import lambda_record
from kinesis_handler.quarantine.contents import Contents, waiting_in
from kinesis_handler.quarantine.entry import WHOLE, Entry, Place
from kinesis_handler.record import LambdaRecord


class Item(Struct, frozen=True):
    """A record of the stream that is to be sent, and the entries that stand for it or for parts of it."""

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

    def send(self, items: Sequence[Item]) -> Mapping[Place, str]:
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
    """What waits in several quarantines, and how it is sent again.

    All of it is held in memory, so that it can be sent in the order of the stream.

    Args:
        contents: what has been read of them.
        chosen: which entries are to be sent.
        clock: seconds since epoch.
    """

    def __init__(
        self,
        contents: Sequence[Contents],
        chosen: Callable[[Entry], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._waiting = waiting_in(contents)
        self.entries = [each.entry for each in self._waiting.values() if chosen(each.entry)]
        """What is to be sent, in the order of each shard."""

    def run(self, way: Way) -> Iterator[Sent]:
        """Send it, and yield what became of each batch when that has been marked.

        Raises QuarantineError if something cannot be marked.
        """
        items = [
            _item(tuple(group)) for _, group in groupby(self.entries, key=lambda entry: entry.place[:WHOLE])
        ]
        for first in range(0, len(items), way.batch_size):
            batch = items[first : first + way.batch_size]
            left = way.send(batch)
            entries = [entry for item in batch for entry in item.entries]
            done = [entry for entry in entries if entry.place not in left]
            self._mark(done, way.name)
            yield Sent(done, [(entry, left[entry.place]) for entry in entries if entry.place in left])

    def _mark(self, done: Sequence[Entry], way: str) -> None:
        by_object: dict[tuple[int, str], list[Place]] = defaultdict(list)
        for entry in done:
            waiting = self._waiting[entry.place]
            by_object[id(waiting.contents), waiting.name].append(entry.place)
        for (_, name), places in by_object.items():
            self._waiting[places[0]].contents.mark(name, places, way, self._clock())


def _item(entries: tuple[Entry, ...]) -> Item:
    """Put the record together that these entries are about."""
    first = entries[0]
    record = lambda_record(
        first.stream, first.shard_id, first.sequence_number, first.partition_key, first.data, first.arrived
    )
    return Item(record, entries)
