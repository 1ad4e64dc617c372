"""Stores how far each shard has been read, next to the resulting state, so that a restart continues there."""

import time
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from kinesis_handler.errors import StreamError
from kinesis_handler.local.stream.checkpoint_store import Checkpoint, CheckpointStore, Row
from kinesis_handler.local.stream.claim import CLAIM, Claim, MakeReport, described
from kinesis_handler.local.stream.outages import as_utc
from kinesis_handler.local.stream.reports import REPORT
from kinesis_handler.stores import Repository

__all__ = ["FIRST_START", "Checkpoint", "Checkpoints", "goes_on", "is_shard"]

FIRST_START = "first-start"
"""Name of a row, instead of a shard: where the shards began at the first start.

The row is ended when each of those shards has a checkpoint."""

LEASES = "leases:"
"""Beginning of the name of a row, instead of a shard: behind it comes the table of the workers' leases."""

_ATTEMPTS = 5


class Checkpoints:
    """The checkpoints of one stream, as one process moves them.

    Args:
        repository: stores them: the partition is the stream, the sort key the shard.
        stream: the identity of the stream: two streams that had the same name, one after the other, differ.
        clock: seconds, from any starting point, for renewing the claim on the stream.
        report: takes seconds since epoch, and returns what the process has done lately, to be stored with
            its claim.
    """

    def __init__(
        self,
        repository: Repository[Checkpoint],
        stream: str,
        clock: Callable[[], float] = time.monotonic,
        report: MakeReport | None = None,
    ) -> None:
        self._store = CheckpointStore(repository, stream)
        self.claim = Claim(self._store, clock, report)
        """The claim on reading the stream into this store: `begin` takes it."""

    def begin(
        self,
        shards: Callable[[], Iterable[str]],
        start: Checkpoint,
        at: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard; at the first start, give one to every existing shard.

        A shard without a checkpoint at a later start is the child of a shard that has been read, and is read
        from its beginning. A first start that was interrupted is completed, from its own starting point.

        Args:
            shards: returns the ids of the existing shards.
            start: where to begin at the first start.
            at: seconds since epoch.
            pause: waits for some seconds, to see whether another process is alive.

        Raises StreamError if another process reads the stream into this store, and RepositoryError if the
        store does not answer: then it may be called again.
        """
        self.claim.take(at, pause)
        rows = self._store.load()
        checkpoints = _checkpoints_in(rows)
        known = rows.get(FIRST_START)
        first = replace(known.state, owner="") if known is not None else start
        if known is None:
            self.save([(FIRST_START, first)], at)
        if not first.ended:
            new = {shard: first for shard in shards() if shard not in checkpoints}
            self.save(new.items(), at)
            self.save([(FIRST_START, replace(first, ended=True))], at)
            checkpoints |= new
        return checkpoints

    def load(self) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard that has one.

        Raises RepositoryError if they cannot be read.
        """
        return _checkpoints_in(self._store.load())

    def owner(self) -> str | None:
        """Return the process that reads the stream, or died reading it, as `described`; None without one.

        Raises RepositoryError if that cannot be read.
        """
        row = self._store.read(CLAIM)
        return None if row is None or row.state.ended else described(row.state.owner)

    def rows(self) -> dict[str, Row]:
        """Return the row of each shard: its checkpoint, and when it was moved. Raises RepositoryError."""
        return {name: row for name, row in self._store.load().items() if is_shard(name)}

    def lease_table(self) -> str | None:
        """Return the table in which the workers that read into this store have their leases; None without.

        Raises RepositoryError if that cannot be read.
        """
        names = (name.removeprefix(LEASES) for name in self._store.load() if name.startswith(LEASES))
        return min(names, default=None)

    def name_lease_table(self, table: str, at: float) -> None:
        """Note the table in which the workers have their leases. Raises RepositoryError if it is not done."""
        self._store.write([(f"{LEASES}{table}", Checkpoint())], at)  # a conflict: another worker has done it

    def save(self, checkpoints: Iterable[tuple[str, Checkpoint]], at: float) -> None:
        """Save the checkpoints of shards.

        Args:
            checkpoints: shard ids, each with a checkpoint.
            at: seconds since epoch.

        Raises RepositoryError if one is not known to be saved, and StreamError if another process with the
        claim has moved it. A process that has lost the claim may write once more before it knows: its write
        is replaced.
        """
        left = dict(checkpoints)
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
        self, checkpoints: Mapping[str, Checkpoint], at: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Move shards to the checkpoints from which they are to be read.

        Args:
            checkpoints: shard ids, each with a checkpoint.
            at: seconds since epoch.
            pause: waits for some seconds, to see whether another process is alive.

        Raises StreamError if the stream is being read into this store, and RepositoryError unless all are
        known to be moved.
        """
        self.claim.take(at, pause)
        try:
            self._store.load()
            # Ended, so that the next start does not move these shards to its own starting point.
            self.save([*checkpoints.items(), (FIRST_START, Checkpoint(ended=True))], at)
        finally:
            self.claim.release(at)


def is_shard(name: str) -> bool:
    """Tell whether a row of a stream is a shard's, and not one of the whole stream."""
    return name not in {FIRST_START, CLAIM} and not name.startswith((LEASES, REPORT))


def goes_on(checkpoint: Checkpoint | None) -> str:
    """Return in words where reading a shard goes on."""
    if checkpoint is None:
        return "at its beginning: not begun"
    if checkpoint.ended:
        return "nowhere: read to its end"
    if checkpoint.after is not None:
        return f"behind {checkpoint.after}"
    if checkpoint.since is not None:
        return f"with what arrived since {as_utc(checkpoint.since / 1_000)}"
    return "with the oldest record"


def _checkpoints_in(rows: Mapping[str, Row]) -> dict[str, Checkpoint]:
    return {shard: replace(row.state, owner="") for shard, row in rows.items() if is_shard(shard)}
