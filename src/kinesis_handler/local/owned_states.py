"""Lets the projections of a handler remember the states of the shards that their process owns."""

import time
from collections.abc import Callable
from typing import Any

from kinesis_handler.handler import KinesisHandler
from kinesis_handler.projection import Projection
from kinesis_handler.stores.cached import CachedRepository
from kinesis_handler.stores.recent import RecentDocuments


class OwnedStates:
    """What a process remembers of its shards' states: see `CachedRepository`.

    A projection whose repository does not say what its states are and when they expire goes on to read: one
    in memory, one that is being moved, or one of your own without `state_type` and `expiry`.

    Args:
        handler: whose projections remember from now on.
        max_bytes: what all of it may take together; 0: nothing is remembered.
        clock: seconds since epoch.
    """

    def __init__(
        self, handler: KinesisHandler, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self.recent = RecentDocuments(max_bytes)
        """What is remembered."""
        for each in handler.processors if max_bytes else ():
            if isinstance(each, Projection) and _says_enough(each.repository):
                each.repository = CachedRepository(each.repository, self.recent, clock=clock)

    def forget(self) -> None:
        """Forget all: a lease was lost, and another process writes what its keys lead to.

        Without that nothing wrong would be written: what is stale is a conflict. But each costs a write.
        """
        self.recent.clear()


def _says_enough(repository: Any) -> bool:
    return hasattr(repository, "state_type") and hasattr(repository, "expiry")
