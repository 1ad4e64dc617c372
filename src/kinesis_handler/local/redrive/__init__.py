"""Sends quarantined records again, in the order of the stream, and marks those that are dealt with.

Marks are written after each batch, when all of it has been sent. After an interruption one batch is sent
twice, which is harmless (G3), and none is lost.
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
from kinesis_handler.quarantine.entry import WHOLE, Entry, Position


class Item(Struct, frozen=True):
    """A record of the stream to be sent, and the entries that stand for it or for its user records."""

    record: LambdaRecord
    entries: tuple[Entry, ...]


class Result(StrEnum):
    """The outcome of an entry. Only the handler knows whether a record was applied."""

    FAILED = "failed again"
    REJECTED = "rejected again"
    SUPERSEDED = "superseded"
    """Later events of its key have been applied: applying it now would undo them."""
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """It was applied before."""
    IGNORED = "ignored"
    """No processor takes its type any more."""
    HELD_BACK = "held back"
    """It was not sent: an earlier one was not accepted."""
    PUT = "put onto the stream"
    """Its outcome is decided by the consumers of the stream."""
    REFUSED = "refused"
    """The stream does not accept it."""


class Verdict(Struct, frozen=True):
    """The result of sending an entry, with its reason.

    Args:
        result: the outcome.
        reason: why it was not accepted; empty if it was.
        done: whether it has been dealt with, and is to be marked.
    """

    result: Result
    reason: str = ""
    done: bool = True

    @property
    def needs_attention(self) -> bool:
        """Whether something still waits: the entry, or a new entry for a rejected user record."""
        return not self.done or self.result is Result.REJECTED


class RedriveTarget(Protocol):
    """Where records are sent again."""

    @property
    def name(self) -> str:
        """Its name in the marks."""

    @property
    def batch_size(self) -> int:
        """How many records are sent at once."""

    def send(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """Send records, in stream order; return the verdict on each entry, by its position."""


Sent = Sequence[tuple[Entry, Verdict]]
"""A batch that was sent: its entries, in the order of the stream, each with its verdict."""


class Redrive:
    """Sends the waiting records of several quarantines again.

    It holds all of them in memory, so that it can send them in the order of the stream.

    Args:
        contents: the contents of the quarantines.
        chosen: tells whether an entry is to be sent.
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
        """Entries to be sent, in the order of each shard."""

    def run(self, target: RedriveTarget) -> Iterator[Sent]:
        """Send all entries; yield each batch when it has been marked.

        Raises QuarantineError if a mark cannot be stored.
        """
        items = [
            _item(tuple(group))
            for _, group in groupby(self.entries, key=lambda entry: entry.position[:WHOLE])
        ]
        for first in range(0, len(items), target.batch_size):
            batch = items[first : first + target.batch_size]
            verdicts = target.send(batch)
            sent = [(entry, verdicts[entry.position]) for item in batch for entry in item.entries]
            self._mark(sent, target.name)
            yield sent

    def _mark(self, sent: Sent, target: str) -> None:
        by_object: dict[tuple[int, str], dict[Position, str]] = defaultdict(dict)
        for entry, verdict in sent:
            if verdict.done:
                waiting = self._waiting[entry.position]
                by_object[id(waiting.contents), waiting.name][entry.position] = verdict.result
        for (_, name), results in by_object.items():
            self._waiting[next(iter(results))].contents.mark(name, results, target, self._clock())


def _item(entries: tuple[Entry, ...]) -> Item:
    """Build the record of these entries."""
    first = entries[0]
    record = lambda_record(
        first.stream, first.shard_id, first.sequence_number, first.partition_key, first.data, first.arrived
    )
    return Item(record, entries)
