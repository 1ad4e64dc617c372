"""How old events were when they had been applied: any number of them, in a fixed amount of memory."""

import math
from collections.abc import Iterable

STEP = 1.05
"""Ages that differ by less are counted as one."""

_BUCKETS = 450  # the last begins behind a month
_LOG = math.log(STEP)


class Ages:
    """Counts ages in buckets, each a twentieth wider than the one before. Threads may look while one adds."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets = [0] * _BUCKETS

    def add(self, milliseconds: Iterable[float]) -> None:
        """Count some. What has a negative age, for clocks differ, has none."""
        for each in milliseconds:
            place = int(math.log(max(each, 0) + 1) / _LOG)
            self._buckets[min(place, _BUCKETS - 1)] += 1
            self.count += 1

    def within(self, share: float) -> float | None:
        """Return the milliseconds within which a share of all lie, a twentieth too many at most."""
        wanted = self.count * share
        seen = 0
        for place, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return float(STEP ** (place + 1) - 1)
        return None
