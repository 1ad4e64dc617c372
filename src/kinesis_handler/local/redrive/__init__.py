"""Sends quarantined records again, in the order of the stream, and marks those that are dealt with.

Marks are written after each batch, when all of it has been sent. After an interruption one batch is sent
twice, which is harmless (G3), and none is lost.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from kinesis_handler.local.redrive.items import Item, items_of, parked_groups
from kinesis_handler.quarantine.contents import Contents, mark_all, waiting_in
from kinesis_handler.quarantine.entry import Entry, Position


class Result(StrEnum):
    """The outcome of an entry. Only the handler knows whether a record was applied."""

    FAILED = "failed again"
    REJECTED = "rejected again"
    TOO_LATE = "too late"
    """It was given up, and later events of its key have been applied: it would undo them."""
    SUPERSEDED = "superseded"
    """It was parked, and a snapshot has released its key: that says all there is to know."""
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """It was applied before."""
    IGNORED = "ignored"
    """No processor takes its type any more."""
    HELD_BACK = "held back"
    """It waits for an earlier one, or for its key to be released."""
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

    def release(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """Send all that waits of some parked keys; return the verdict on each entry, by its position."""

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
        parked_since: positions of records that were sent before: only keys for which more wait since then are
            sent again.
        clock: seconds since epoch.
    """

    def __init__(
        self,
        contents: Sequence[Contents],
        chosen: Callable[[Entry], bool] = lambda _: True,
        *,
        parked_since: Collection[Position] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._waiting = waiting_in(contents)
        waiting = [each.entry for each in self._waiting.values()]
        first = [each for each in waiting if chosen(each)]
        if parked_since is not None:
            first = [each for each in first if each.parked and each.position not in parked_since]
        positions = {each.position for each in first}
        keys = {key for each in first for key in each.parked}
        self.entries = [
            each for each in waiting if each.position in positions or not keys.isdisjoint(each.parked)
        ]
        """Entries to be sent, in the order of each shard. Of a parked key it is all or none."""

    def run(self, target: RedriveTarget) -> Iterator[Sent]:
        """Send all entries, first those of parked keys, key by key; yield each batch when it is marked.

        Raises QuarantineError if a mark cannot be stored.
        """
        verdicts: dict[Position, Verdict] = {}  # the last one on each entry
        for group in parked_groups(items_of(self.entries)):
            entries = [entry for item in group for entry in item.entries]
            if all(_is_done(verdicts, each) for each in entries if each.parked):
                continue
            for position, verdict in target.release(group).items():
                # What one key has rejected is superseded for the next one: it waits on as rejected.
                if position not in verdicts or verdicts[position].result is not Result.REJECTED:
                    verdicts[position] = verdict
            settled = [each for each in entries if each.parked or _is_done(verdicts, each)]
            yield self._sent(settled, verdicts, target)
        items = items_of([each for each in self.entries if _is_left(verdicts, each)])
        for first in range(0, len(items), target.batch_size):
            batch = items[first : first + target.batch_size]
            yield self._sent([entry for item in batch for entry in item.entries], target.send(batch), target)

    def _sent(
        self, entries: Sequence[Entry], verdicts: Mapping[Position, Verdict], target: RedriveTarget
    ) -> Sent:
        sent = [(entry, verdicts[entry.position]) for entry in entries]
        done = {entry.position: verdict.result for entry, verdict in sent if verdict.done}
        mark_all(self._waiting, done, target.name, self._clock())
        return sent


def _is_done(verdicts: Mapping[Position, Verdict], entry: Entry) -> bool:
    return entry.position in verdicts and verdicts[entry.position].done


def _is_left(verdicts: Mapping[Position, Verdict], entry: Entry) -> bool:
    """Return whether an entry is still to be sent, now that the parked keys have had their turn.

    One that was also rejected is, if no key waits for it.
    """
    if entry.parked:
        return entry.released and verdicts[entry.position].result is Result.HELD_BACK
    return not _is_done(verdicts, entry)
