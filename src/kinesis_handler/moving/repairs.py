"""What a side lacks that does not decide: kept beside the side that does, until it has been repaired.

An entry says that the side may lack the last version of a key; one for each key is enough. Handlers add
entries, and only `migrate verify --repair` removes them: each one before it looks at the key, so that what is
written after its look has an entry again.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.stores import Change, Repository


class Repair(Struct, frozen=True):
    """Why a key has to be looked at."""

    why: str


class Repairs:
    """The repair entries of one side.

    Args:
        repository: where they are kept, for ever.
        clock: seconds since epoch.
    """

    def __init__(self, repository: Repository[Repair], clock: Callable[[], float] = time.time) -> None:
        self._repository = repository
        self._clock = clock

    def note(self, lacking: Mapping[Key, str]) -> dict[Key, RepositoryError | UnstorableError]:
        """Keep an entry for each of these keys, with the reason; return those that could not be kept."""
        if not lacking:
            return {}
        now = int(self._clock() * 1_000)
        entries = [
            Aggregate(
                key=key,
                state=Repair(why),
                version=1,
                updated_at=now,
                record_sequence_number="0",
                record_sub_sequence_number=0,
                recent_event_ids=(),
            )
            for key, why in lacking.items()
        ]
        try:
            saved = self._repository.save([Change(None, entry) for entry in entries])
        except RepositoryError as error:
            return dict.fromkeys(lacking, error)
        return saved.failed  # a conflict says that there is one already

    def pending(self) -> Iterator[Aggregate[Repair]]:
        """Read all entries. Raises RepositoryError if they cannot be read."""
        return self._repository.scan()

    def remove(self, keys: Collection[Key]) -> None:
        """Remove entries, before their keys are looked at. Raises RepositoryError if that is not done."""
        self._repository.delete(keys)
