"""What is known of a move as a whole: kept beside the target."""

import time
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConflictError, RepositoryError
from kinesis_handler.stores import Change, Repository


class Standing(StrEnum):
    """What the target is to the source, whatever the phase is that a handler has seen."""

    FOLLOWS = "follows"
    """All that is in it came from the source, or was accepted by it too."""
    LEADS = "leads"
    """No handler is in `dual-read-source` any more: whatever was acknowledged is in the target."""
    RETURNS = "returns"
    """It led; it does not any more, and the source is being brought up to it."""


class Record(Struct, frozen=True):
    """How far a piece of work is, or that something has been.

    Args:
        place: the key behind which it goes on; None at the beginning.
        done: there is nothing more to do.
        seen: how many items have been looked at.
        left: how many of them differ and have been left alone.
        standing: what the target is to the source.
    """

    place: Key | None = None
    done: bool = False
    seen: int = 0
    left: int = 0
    standing: Standing = Standing.FOLLOWS


STANDING: Key = ("move", "standing")
VERIFIED: Key = ("move", "verified")


class Records:
    """The records of one move.

    Args:
        repository: where they are kept, for ever.
        clock: seconds since epoch.
    """

    def __init__(self, repository: Repository[Record], clock: Callable[[], float] = time.time) -> None:
        self._repository = repository
        self._clock = clock

    def get(self, key: Key) -> Aggregate[Record] | None:
        """Return a record. Raises RepositoryError if it cannot be read."""
        loaded = self._repository.load([key])
        for why in loaded.failed.values():
            raise RepositoryError(f"the record of the move: {why}")
        return loaded.found.get(key)

    def put(self, key: Key, record: Record) -> None:
        """Keep a record. Raises RepositoryError if it is not known to be kept."""
        before = self.get(key)
        after = Aggregate(
            key=key,
            state=record,
            version=before.version + 1 if before is not None else 1,
            updated_at=int(self._clock() * 1_000),
            record_sequence_number="0",
            record_sub_sequence_number=0,
            recent_event_ids=(),
        )
        saved = self._repository.save([Change(before, after)])
        for why in saved.failed.values():
            raise RepositoryError(f"the record of the move: {why}")
        if saved.conflicts and self.get(key) != after:
            raise ConflictError("the record of the move has just been written by another process")

    def standing(self) -> Standing:
        """Return what the target is to the source. Raises RepositoryError as `get` does."""
        known = self.get(STANDING)
        return known.state.standing if known is not None else Standing.FOLLOWS

    def stand(self, standing: Standing) -> None:
        """Keep what the target is to the source. Raises RepositoryError as `put` does."""
        self.put(STANDING, Record(standing=standing))
