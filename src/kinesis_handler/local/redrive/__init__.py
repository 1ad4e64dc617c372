"""Sends what could not be applied again, in the order of the stream, and marks what is done with.

A mark is written behind each batch, when all of it has gone. Whoever is interrupted before sends one batch
twice, which is harmless (G3), and forgets nothing.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Protocol

from msgspec import Struct

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import lambda_record
from kinesis_handler.quarantine.contents import Contents, waiting_in
from kinesis_handler.quarantine.entry import WHOLE, Entry, Place


class Item(Struct, frozen=True):
    """A record of the stream that is to be sent, and the entries that stand for it or for parts of it."""

    record: LambdaRecord
    entries: tuple[Entry, ...]


class Result(StrEnum):
    """What became of an entry. Only of what goes through the handler is it known whether it was applied."""

    FAILED = "failed again"
    REJECTED = "rejected again"
    SUPERSEDED = "superseded"
    """Later events of its key have been applied: to apply it now would undo them."""
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """It was applied before."""
    IGNORED = "ignored"
    """No processor takes its type any more."""
    HELD_BACK = "held back"
    """It was not sent: one before it was not taken."""
    PUT = "put onto the stream"
    """What becomes of it is for those to say who read the stream."""
    REFUSED = "refused"
    """The stream does not take it."""


class Verdict(Struct, frozen=True):
    """What became of an entry.

    Args:
        result: in a word.
        reason: why it was not taken; empty if it was.
        done: whether it is done with, and to be marked so.
    """

    result: Result
    reason: str = ""
    done: bool = True

    @property
    def needs_attention(self) -> bool:
        """Whether something waits on: the entry, or what is rejected of it as an entry of its own."""
        return not self.done or self.result is Result.REJECTED


class RedriveTarget(Protocol):
    """A way on which records go back."""

    @property
    def name(self) -> str:
        """What the marks call it."""

    @property
    def batch_size(self) -> int:
        """How many records go at once."""

    def send(self, items: Sequence[Item]) -> Mapping[Place, Verdict]:
        """Send records, in stream order; return what became of each entry, by its place."""


class Sent(Struct, frozen=True):
    """A batch that was sent, and what became of each of its entries, in the order of the stream."""

    verdicts: list[tuple[Entry, Verdict]]

    @property
    def done(self) -> list[Entry]:
        """The entries that are done with."""
        return [entry for entry, verdict in self.verdicts if verdict.done]

    @property
    def left(self) -> list[tuple[Entry, str]]:
        """The entries that wait on, each with the reason."""
        return [(entry, verdict.reason) for entry, verdict in self.verdicts if not verdict.done]


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

    def run(self, way: RedriveTarget) -> Iterator[Sent]:
        """Send it, and yield what became of each batch when that has been marked.

        Raises QuarantineError if something cannot be marked.
        """
        items = [
            _item(tuple(group)) for _, group in groupby(self.entries, key=lambda entry: entry.place[:WHOLE])
        ]
        for first in range(0, len(items), way.batch_size):
            batch = items[first : first + way.batch_size]
            verdicts = way.send(batch)
            sent = Sent([(entry, verdicts[entry.place]) for item in batch for entry in item.entries])
            self._mark(sent, way.name)
            yield sent

    def _mark(self, sent: Sent, way: str) -> None:
        by_object: dict[tuple[int, str], dict[Place, str]] = defaultdict(dict)
        for entry, verdict in sent.verdicts:
            if verdict.done:
                waiting = self._waiting[entry.place]
                by_object[id(waiting.contents), waiting.name][entry.place] = verdict.result
        for (_, name), results in by_object.items():
            self._waiting[next(iter(results))].contents.mark(name, results, way, self._clock())


def _item(entries: tuple[Entry, ...]) -> Item:
    """Put the record together that these entries are about."""
    first = entries[0]
    record = lambda_record(
        first.stream, first.shard_id, first.sequence_number, first.partition_key, first.data, first.arrived
    )
    return Item(record, entries)
