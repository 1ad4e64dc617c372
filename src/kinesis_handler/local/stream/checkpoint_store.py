"""Stores a stream's checkpoints: a row for each shard, and two for the whole stream."""

from collections.abc import Iterable
from os import getpid
from socket import gethostname
from uuid import uuid4

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import RepositoryError
from kinesis_handler.fold import ABSENT
from kinesis_handler.local.minutes import Report
from kinesis_handler.stores import Change, Repository, pages_of

PAGE = 100


class Checkpoint(Struct, frozen=True):
    """Where reading a shard goes on.

    Args:
        after: behind the record with this sequence number.
        since: if there is none, from the first record that arrived then or later, in milliseconds since
            epoch; if that is None too, from the oldest record that there is.
        ended: there is nothing more to read: the shard was closed, and all of it has been read.
        owner: who moved it there, by a name that no two processes share.
        arrived_at: when the record that it is behind arrived, in milliseconds since epoch, if that is known.
        behind_ms: how far behind the tip of the shard the last read had ended then, in milliseconds.
        report: of the process that reads, in the row of its claim: what it has done lately.
    """

    after: str | None = None
    since: int | None = None
    ended: bool = False
    owner: str = ""
    arrived_at: int | None = None
    behind_ms: int | UnsetType = UNSET
    report: Report | UnsetType = UNSET


Row = Aggregate[Checkpoint]


class CheckpointStore:
    """Reads and writes the rows of one stream, as one process knows them.

    Each write is conditional on the version that this process has read or written last.

    Args:
        repository: where the rows are: the partition is the stream, the sort key the shard.
        stream: its permanent identity: a stream that is deleted and created again has another one.
    """

    def __init__(self, repository: Repository[Checkpoint], stream: str) -> None:
        self.stream = stream
        self.owner = f"{gethostname()}:{getpid()}:{uuid4().hex}"
        """Marks what this process writes."""
        self._repository = repository
        self._known: dict[str, Aggregate[Checkpoint | None]] = {}

    def load(self) -> dict[str, Row]:
        """Read all rows, by their sort keys. Raises RepositoryError if they cannot be read."""
        known: dict[str, Row] = {}
        for page in pages_of(self._repository, self.stream, PAGE):
            for why in page.unreadable.values():  # without it the shard would begin anew
                raise why
            known.update((each.key[1], each) for each in page.aggregates)
        self._known = {**known}
        return known

    def read(self, name: str) -> Row | None:
        """Read one row; None if there is none. Raises RepositoryError if it cannot be read."""
        key = (self.stream, name)
        loaded = self._repository.load([key])
        if key in loaded.failed:
            raise RepositoryError(f"the checkpoint of {name}: {loaded.failed[key]}")
        found = loaded.found.get(key)
        if found is None:
            self._known.pop(name, None)
        else:
            self._known[name] = found
        return found

    def write(self, rows: Iterable[tuple[str, Checkpoint]], at: float) -> set[str]:
        """Write rows; return the names of those that another process has written since.

        Args:
            rows: the name of each, and its checkpoint.
            at: seconds since epoch.

        Raises RepositoryError if one is not known to be written.
        """
        changes = {name: self._change(name, checkpoint, at) for name, checkpoint in rows}
        saved = self._repository.save(list(changes.values()))
        conflicts: set[str] = set()
        for name, change in changes.items():
            if change.key in saved.failed:
                raise RepositoryError(f"the checkpoint of {name}: {saved.failed[change.key]}")
            if change.key in saved.conflicts and not self._is_written(change):
                conflicts.add(name)
            else:
                self._known[name] = change.after
        return conflicts

    def _change(self, name: str, checkpoint: Checkpoint, at: float) -> Change[Checkpoint]:
        before = self._known.get(name)
        known = before if before is not None else replace(ABSENT, key=(self.stream, name))
        state = replace(checkpoint, owner=self.owner)
        return Change(
            before, replace(known, state=state, version=known.version + 1, updated_at=int(at * 1_000))
        )

    def _is_written(self, change: Change[Checkpoint]) -> bool:
        """Return whether the conflict is with our own write, because the answer to it was lost."""
        stored = self._repository.load([change.key]).found.get(change.key)
        return stored is not None and (stored.version, stored.state) == (
            change.after.version,
            change.after.state,
        )
