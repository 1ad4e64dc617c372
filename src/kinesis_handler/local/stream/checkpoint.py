"""How far each shard has been read: stored beside what that led to, so that a restart goes on there."""

import time
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from kinesis_handler.errors import StreamError
from kinesis_handler.local.stream.checkpoint_store import Checkpoint, CheckpointStore, Row
from kinesis_handler.local.stream.claim import CLAIM, Claim, described
from kinesis_handler.stores import Repository

__all__ = ["FIRST_START", "Checkpoint", "Checkpoints"]

FIRST_START = "first-start"
"""In place of a shard: where all shards began that there were then. Ended, when each has a checkpoint."""

_ATTEMPTS = 5


class Checkpoints:
    """The checkpoints of one stream, as one process moves them.

    Args:
        repository: where they are kept: the partition is the stream, the sort key the shard.
        stream: what the stream is known by, for ever: of a name's two lives each has its own.
        clock: seconds, from any beginning: when the claim on the stream is to be renewed.
    """

    def __init__(
        self, repository: Repository[Checkpoint], stream: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = CheckpointStore(repository, stream)
        self.claim = Claim(self._store, clock)
        """On the reading of the stream into this store: `begin` takes it."""

    def begin(
        self,
        shards: Callable[[], Iterable[str]],
        place: Checkpoint,
        at: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard; at the first start, give one to every shard that there is.

        A shard that has none later is the child of one that has been read, and is read from its beginning. A
        first start that was interrupted is finished here, from the place that it had.

        Args:
            shards: returns the ids of those that there are.
            place: where to begin at the first start.
            at: seconds since epoch.
            pause: waits for some seconds, to see whether another process is alive.

        Raises StreamError if another process reads the stream into this store, and RepositoryError if the
        store does not answer: then it may be called again.
        """
        self.claim.take(at, pause)
        rows = self._store.load()
        places = _places(rows)
        known = rows.get(FIRST_START)
        first = replace(known.state, owner="") if known is not None else place
        if known is None:
            self.save([(FIRST_START, first)], at)
        if not first.ended:
            new = {shard: first for shard in shards() if shard not in places}
            self.save(new.items(), at)
            self.save([(FIRST_START, replace(first, ended=True))], at)
            places |= new
        return places

    def load(self) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard that has one.

        Raises RepositoryError if they cannot be read.
        """
        return _places(self._store.load())

    def owner(self) -> str | None:
        """Return who reads the stream, as `described` puts it, or died while it did; None if nobody does.

        Raises RepositoryError if that cannot be read.
        """
        row = self._store.read(CLAIM)
        return None if row is None or row.state.ended else described(row.state.owner)

    def rows(self) -> dict[str, Row]:
        """Return the checkpoint of each shard with the time of its last move. Raises RepositoryError."""
        return {name: row for name, row in self._store.load().items() if name not in {FIRST_START, CLAIM}}

    def save(self, places: Iterable[tuple[str, Checkpoint]], at: float) -> None:
        """Keep the checkpoints of shards.

        Args:
            places: of each shard its id and its checkpoint.
            at: seconds since epoch.

        Raises RepositoryError if one is not known to be kept, and StreamError if someone else has moved it
        who has the claim. Who has lost the claim may write once more before it knows: that is written over.
        """
        left = dict(places)
        for _ in range(_ATTEMPTS):
            conflicts = self._store.write(left.items(), at)
            if not conflicts:
                return
            if not self.claim.is_held():
                break
            left = {shard: left[shard] for shard in conflicts}
            for shard in conflicts:
                self._store.read(shard)
        raise StreamError(f"{min(conflicts)} is being read into this store by another process: stop one")

    def reset(
        self, places: Mapping[str, Checkpoint], at: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Put shards where they are to be read on.

        Args:
            places: of each shard its id and its checkpoint.
            at: seconds since epoch.
            pause: waits for some seconds, to see whether another process is alive.

        Raises StreamError if the stream is being read into this store, and RepositoryError if it is not known
        to be done.
        """
        self.claim.take(at, pause)
        try:
            self._store.load()
            # Ended: what has a place from now on is not given that of the next start.
            self.save([*places.items(), (FIRST_START, Checkpoint(ended=True))], at)
        finally:
            self.claim.release(at)


def _places(rows: Mapping[str, Row]) -> dict[str, Checkpoint]:
    return {
        shard: replace(row.state, owner="")
        for shard, row in rows.items()
        if shard not in {FIRST_START, CLAIM}
    }
