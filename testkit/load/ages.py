"""Ages of events when they were applied: any number of them, in a fixed amount of memory."""

import math
from collections.abc import Iterable

STEP = 1.05
"""Ratio of two neighbouring buckets: ages that differ by less are counted as one."""

_BUCKETS = 450  # the last one starts at more than a month
_LOG = math.log(STEP)


class Ages:
    """Counts ages in buckets, each a twentieth wider than the one before. Threads may read while one adds."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets = [0] * _BUCKETS

    def add(self, milliseconds: Iterable[float]) -> None:
        """Count some ages. A negative age, which comes from differing clocks, counts as 0."""
        for each in milliseconds:
            index = int(math.log(max(each, 0) + 1) / _LOG)
            self._buckets[min(index, _BUCKETS - 1)] += 1
            self.count += 1

    def within(self, share: float) -> float | None:
        """Return an age in ms that a share of all do not exceed; it is too high by a twentieth at most."""
        wanted = self.count * share
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return float(STEP ** (index + 1) - 1)
        return None
