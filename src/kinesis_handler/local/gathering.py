"""Gathers the records of one shard until there are enough, or the first has waited long enough. Pure.

One fold and one write serve all events of a key in a batch. A process that owns its shard can gather more
than an invocation of Lambda holds, for as long as its events may be late.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.batching import batches


class Bounds(Struct, frozen=True):
    """When enough has been gathered: as soon as one of the three is reached.

    Args:
        seconds: how long the first record waits; 0: for nothing.
        records: how many there are.
        data_bytes: how large their data is, in base64, as it is delivered.
    """

    seconds: float
    records: int
    data_bytes: int


class Gathering:
    """The records of one shard that have been read, and not yet been delivered. For one thread.

    Args:
        bounds: when enough has been gathered.
        clock: seconds, from any starting point.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self._bounds = bounds
        self._clock = clock
        self._waiting: deque[tuple[LambdaRecord, int, float]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._waiting)

    @property
    def data_bytes(self) -> int:
        """How large the data of what waits is, in base64."""
        return self._bytes

    def add(self, records: Iterable[LambdaRecord]) -> None:
        """Add records that were read behind all before them. It takes any number: then `take` what is due."""
        now = self._clock()
        for record in records:
            size = len(record["kinesis"]["data"])
            self._waiting.append((record, size, now))
            self._bytes += size

    def due_in(self) -> float:
        """Return the seconds until a batch is due: 0 if one is, infinity if nothing waits."""
        if not self._waiting:
            return math.inf
        if len(self._waiting) >= self._bounds.records or self._bytes >= self._bounds.data_bytes:
            return 0.0
        return max(0.0, self._waiting[0][2] + self._bounds.seconds - self._clock())

    def take(self) -> list[LambdaRecord]:
        """Return the oldest batch within the bounds, due or not; what is left waits on.

        A record that is larger than the bound is a batch of its own. Empty if nothing waits.
        """
        waiting = (record for record, _, _ in self._waiting)
        batch = next(batches(waiting, self._bounds.records, self._bounds.data_bytes), [])
        self._bytes -= sum(self._waiting.popleft()[1] for _ in batch)
        return batch
