"""Caches the list of a stream's shards for all threads that need it."""

import time
from collections.abc import Callable, Sequence
from threading import Lock

from kinesis_handler.local.stream.shards import Shard, is_closed

INTERVAL = 1.0
"""Seconds for which a list is current: each shard's thread needs it, and 10,000 shards take ten requests.

Kinesis allows 1,000 requests of ListShards per second and stream:
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
"""


class ShardListing:
    """Lists the shards of a stream for any number of threads, no more often than needed.

    Args:
        list_shards: requests all shards of the stream; its exceptions reach the caller.
        clock: seconds, from any starting point.
    """

    def __init__(
        self, list_shards: Callable[[], Sequence[Shard]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._list_shards = list_shards
        self._clock = clock
        self._lock = Lock()
        self._shards: Sequence[Shard] | None = None
        self._listed_at = 0.0

    def shards(self) -> Sequence[Shard]:
        """Return all shards, as they were at most INTERVAL ago."""
        with self._lock:  # a waiting thread gets the list that the first one has requested
            return self._current()

    def is_closed(self, shard_id: str) -> bool:
        """Tell whether a shard is known to be closed. A closed one stays closed, so an old list is enough.

        An open one may have been closed since the list was made: call it again later.
        """
        with self._lock:
            if self._shards is not None and is_closed(self._shards, shard_id):
                return True
            return is_closed(self._current(), shard_id)

    def _current(self) -> Sequence[Shard]:
        asked_at = self._clock()
        if self._shards is None or asked_at - self._listed_at >= INTERVAL:
            self._shards = self._list_shards()
            self._listed_at = asked_at
        return self._shards
