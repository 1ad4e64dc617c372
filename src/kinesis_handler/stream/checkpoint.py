"""How far each shard has been read: kept beside what the reading led to, so that a restart goes on there."""

from collections.abc import Callable, Iterable
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.repository import Change, Repository

PAGE = 100

FIRST_START = "first-start"
"""In place of a shard: where all shards began that there were then. Ended, when each has a checkpoint."""


class Checkpoint(Struct, frozen=True):
    """Where a shard is to be read on.

    Args:
        after: behind the record with this sequence number.
        since: if there is none, from the first record that arrived then or later, in milliseconds since
            epoch; if that is None too, from the oldest record that there is.
        ended: there is nothing more to read: the shard was closed, and all of it has been read.
        owner: who moved it there, by a name that no two processes share.
    """

    after: str | None = None
    since: int | None = None
    ended: bool = False
    owner: str = ""


class Checkpoints:
    """The checkpoints of one stream, as one process moves them.

    Args:
        repository: where they are kept: the partition is the stream, the sort key the shard.
        stream: what the stream is known by, for ever: of a name's two lives each has its own.
    """

    def __init__(self, repository: Repository[Checkpoint], stream: str) -> None:
        self._repository = repository
        self._stream = stream
        self._known: dict[str, Aggregate[Checkpoint]] = {}
        self._owner = uuid4().hex

    def begin(
        self, shards: Callable[[], Iterable[str]], place: Checkpoint, at: float
    ) -> dict[str, Checkpoint]:
        """Return the checkpoint of each shard; at the first start, give one to every shard that there is.

        A shard that has none later is the child of one that has been read, and is read from its beginning. A
        first start that was interrupted is finished here, from the place that it had.

        Args:
            shards: returns the ids of those that there are.
            place: where to begin at the first start.
            at: seconds since epoch.

        Raises RepositoryError and StreamError as `load` and `save` do.
        """
        places = self.load()
        known = self._known.get(FIRST_START)
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
        cursor: str | None = None
        while True:
            page = self._repository.find(self._stream, limit=PAGE, cursor=cursor)
            for why in page.unreadable.values():  # without it the shard would begin anew
                raise why
            self._known.update((each.key[1], each) for each in page.aggregates)
            cursor = page.cursor
            if cursor is None:
                return {
                    shard: replace(each.state, owner="")
                    for shard, each in self._known.items()
                    if shard != FIRST_START
                }

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
        checkpoint, updated_at = replace(checkpoint, owner=self._owner), int(at * 1_000)
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
