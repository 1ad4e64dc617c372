"""How far each shard has been read: kept beside what the reading led to, so that a restart goes on there."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.repository import Change, Repository

PAGE = 100


class Checkpoint(Struct, frozen=True):
    """Where a shard is to be read on.

    Args:
        after: behind the record with this sequence number.
        since: if there is none, from the first record that arrived then or later, in milliseconds since
            epoch; if that is None too, from the oldest record that there is.
        ended: there is nothing more to read: the shard was closed, and all of it has been read.
    """

    after: str | None = None
    since: int | None = None
    ended: bool = False


class Checkpoints:
    """The checkpoints of one stream.

    Args:
        repository: where they are kept: the partition is the stream, the sort key the shard.
        stream: what the stream is known by, for ever: of a name's two lives each has its own.
    """

    def __init__(self, repository: Repository[Checkpoint], stream: str) -> None:
        self._repository = repository
        self._stream = stream
        self._known: dict[str, Aggregate[Checkpoint]] = {}

    def load(self) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard that has one.

        Raises RepositoryError if they cannot be read.
        """
        cursor: str | None = None
        while True:
            page = self._repository.find(self._stream, limit=PAGE, cursor=cursor)
            self._known.update((each.key[1], each) for each in page.aggregates)
            cursor = page.cursor
            if cursor is None:
                return {shard: each.state for shard, each in self._known.items()}

    def save(self, places: Iterable[tuple[str, Checkpoint]], at: float) -> None:
        """Keep the checkpoints of shards.

        Args:
            places: of each shard its id and its checkpoint.
            at: seconds since epoch.

        Raises RepositoryError if one is not known to be kept, and StreamError if someone else has moved it.
        """
        changes = [self._change(shard, checkpoint, at) for shard, checkpoint in places]
        saved = self._repository.save(changes)
        for change in changes:
            shard = change.key[1]
            if change.key in saved.failed:
                raise RepositoryError(f"the checkpoint of {shard}: {saved.failed[change.key]}")
            if change.key in saved.conflicts and not self._is_kept(change):
                raise StreamError(f"{shard} is being read into this store by another process: stop one")
            self._known[shard] = change.after

    def _change(self, shard: str, checkpoint: Checkpoint, at: float) -> Change[Checkpoint]:
        before = self._known.get(shard)
        updated_at = int(at * 1_000)
        if before is not None:
            after = replace(before, state=checkpoint, version=before.version + 1, updated_at=updated_at)
            return Change(before, after)
        return Change(
            None,
            Aggregate(
                key=(self._stream, shard),
                state=checkpoint,
                version=1,
                updated_at=updated_at,
                record_sequence_number="0",
                record_sub_sequence_number=0,
                recent_event_ids=(),
            ),
        )

    def _is_kept(self, change: Change[Checkpoint]) -> bool:
        """Is the conflict one with ourselves, because the answer to an earlier attempt was lost?"""
        stored = self._repository.load([change.key]).found.get(change.key)
        return stored is not None and (stored.version, stored.state) == (
            change.after.version,
            change.after.state,
        )
