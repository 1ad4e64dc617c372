"""How fast a store is written: a token bucket of write units."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import msgspec

from kinesis_handler.aggregate import Aggregate

UNIT = 1_024  # bytes that one write unit of DynamoDB pays for


def write_units(aggregate: Aggregate[Any]) -> int:
    """Estimate what it costs to write an aggregate, by its length as JSON."""
    return -(-len(msgspec.json.encode(aggregate)) // UNIT)


class TokenBucket:
    """So many units a second, and what a second was not used up by at once. Several threads may share it."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._lock = Lock()
        self._left, self._at = rate, clock()

    def spend(self, units: int) -> None:
        """Take units, and wait for as long as they take to come in."""
        with self._lock:
            now = self._clock()
            self._left = min(self._rate, self._left + (now - self._at) * self._rate) - units
            self._at = now
            debt = -self._left
        if debt > 0:
            self._sleep(debt / self._rate)
