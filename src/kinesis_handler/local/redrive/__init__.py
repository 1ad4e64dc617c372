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
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.contents import Contents, Done, mark_all, waiting_in
from kinesis_handler.quarantine.entry import Entry, Part, Position


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
    NO_READER = "no reader"
    """It waits for a reader that the application does not have."""


_WORST_FIRST = (
    Result.FAILED,
    Result.NO_READER,
    Result.REFUSED,
    Result.REJECTED,
    Result.TOO_LATE,
    Result.HELD_BACK,
    Result.SUPERSEDED,
    Result.PUT,
    Result.APPLIED,
    Result.DUPLICATE,
    Result.IGNORED,
)


class Verdict(Struct, frozen=True):
    """The result of sending an entry, with its reason.

    Args:
        result: the outcome.
        reason: why it was not accepted; empty if it was.
        done: whether it has been dealt with for all that it was sent to.
        parts: for whom it has been, to be marked.
    """

    result: Result
    reason: str = ""
    done: bool = True
    parts: frozenset[Part] = frozenset()

    def and_also(self, other: "Verdict") -> "Verdict":
        """Return the verdict on an entry that was sent to several: the worse result."""
        worse = min(self, other, key=lambda each: _WORST_FIRST.index(each.result))
        return Verdict(worse.result, worse.reason, self.done and other.done, self.parts | other.parts)

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

    def release(self, who: ReaderKey, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """Send all that waits for a parked key; return the verdict on entries, by their positions.

        There is one on each entry that is parked for it, and on others that have been dealt with.
        """

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
        keys = {who for each in first for who in each.parked}
        self.entries = [
            each for each in waiting if each.position in positions or not keys.isdisjoint(each.parked)
        ]
        """Entries to be sent, in the order of each shard. Of a parked key it is all or none."""

    def run(self, target: RedriveTarget) -> Iterator[Sent]:
        """Send all entries, first those of parked keys, key by key; yield each batch when it is marked.

        Raises QuarantineError if a mark cannot be stored.
        """
        self._verdicts: dict[Position, Verdict] = {}
        for who, group in parked_groups(items_of(self.entries)):
            yield self._sent(
                [entry for item in group for entry in item.entries], target.release(who, group), target
            )
        items = items_of([left for each in self.entries if (left := self._left_of(each)) is not None])
        for first in range(0, len(items), target.batch_size):
            batch = items[first : first + target.batch_size]
            yield self._sent([entry for item in batch for entry in item.entries], target.send(batch), target)

    def _left_of(self, entry: Entry) -> Entry | None:
        """Return an entry for whom it is still to be sent, now that the parked keys have had their turn."""
        known = self._verdicts.get(entry.position)
        done = known.parts if known is not None else frozenset()
        return entry.only({part for part in entry.parts - done if not part.is_parked})

    def _sent(
        self, entries: Sequence[Entry], found: Mapping[Position, Verdict], target: RedriveTarget
    ) -> Sent:
        """Mark what has been dealt with; return the entries that were sent, with what is known of each."""
        done = {at: Done(each.result, each.parts) for at, each in found.items() if each.parts}
        mark_all(self._waiting, done, target.name, self._clock())
        for position, verdict in found.items():
            known = self._verdicts.get(position)
            self._verdicts[position] = verdict if known is None else known.and_also(verdict)
        return [(each, self._verdicts[each.position]) for each in entries if each.position in found]
