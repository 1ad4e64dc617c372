"""Counts outcomes by minute, and how old the records were: for whoever watches a process that consumes."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from msgspec import UNSET, Struct, UnsetType

from kinesis_handler.ingest.record import arrival_time
from kinesis_handler.outcome import HandledRecord, Status

MINUTES = 30
"""How many minutes are remembered."""


class Report(Struct, frozen=True):
    """The outcomes of the last minutes, the latest last.

    Args:
        begin: the first of them, in minutes since epoch.
        outcomes: of each status that there was, its records in each minute.
        ages: the greatest age of a record in each minute, in milliseconds; -1 where there was none.
        shards: how far behind the tip of each of its shards a worker is, in milliseconds; of others UNSET.
    """

    begin: int
    outcomes: Mapping[str, tuple[int, ...]]
    ages: tuple[int, ...]
    shards: Mapping[str, int] | UnsetType = UNSET


class _Minute(NamedTuple):
    number: int
    outcomes: Counter[Status]
    ages: list[int]


class Minutes:
    """Counts what several threads have done, minute by minute. It forgets what is older than `MINUTES`."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=MINUTES)
        self._lock = Lock()

    def add(self, settled: Sequence[HandledRecord], at: float) -> None:
        """Count records that will not be delivered again, in the order of their shard.

        Args:
            settled: the records, with their last outcomes.
            at: seconds since epoch.
        """
        if not settled:
            return
        outcomes = Counter(each.outcome.status for each in settled)
        arrived = arrival_time(settled[0].record.source)  # the first one is the oldest
        with self._lock:
            if not self._minutes or self._minutes[-1].number < at // 60:
                self._minutes.append(_Minute(int(at // 60), Counter(), []))
            minute = self._minutes[-1]
            minute.outcomes.update(outcomes)
            if arrived is not None:
                minute.ages[:] = [max(0, int((at - arrived) * 1_000), *minute.ages)]

    def report(self, at: float) -> Report:
        """Return the last minutes, up to the current one."""
        with self._lock:
            known = {each.number: each for each in self._minutes}
            last = max([int(at // 60), *known])
            numbers = range(last - MINUTES + 1, last + 1)
            found = [status for status in Status if any(each.outcomes[status] for each in known.values())]
            return Report(
                numbers[0],
                {
                    str(status): tuple(known[n].outcomes[status] if n in known else 0 for n in numbers)
                    for status in found
                },
                tuple(max(known[n].ages, default=-1) if n in known else -1 for n in numbers),
            )
