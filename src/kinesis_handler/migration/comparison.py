"""Compares two stores item by item, and repairs what differs.

While events flow, a key may differ for a moment: one side has been written and the other not yet. What
differs is therefore looked at again, several times with a pause, before it counts.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError
from kinesis_handler.migration.agreement import Kinship, agree, kinship
from kinesis_handler.migration.phase import Phase, Side
from kinesis_handler.migration.records import Records, Standing
from kinesis_handler.repository import Change, Repository

State = TypeVar("State")

Pair = tuple[Key, Aggregate[State] | None, Aggregate[State] | None]
"""A key with what the source and what the target has."""

CHUNK = 200
SUSPECTS = 2_000
"""How many keys that differ are looked at again together: the pauses are for all of them."""
LOOKS = 4
PAUSE = 0.5
"""Seconds between two looks at a key that differs."""


class Difference(Struct, frozen=True):
    """A key that differs.

    Args:
        key: which one it is.
        what: how it differs.
        repaired: how it has been repaired; None if it has not.
    """

    key: Key
    what: str
    repaired: str | None = None


class Counts(Struct):
    """What a comparison has come to so far.

    Args:
        scanned: items that have been read on either side.
        compared: keys.
        differ: of them.
        repaired: of those.
    """

    scanned: int = 0
    compared: int = 0
    differ: int = 0
    repaired: int = 0


class Comparison(Generic[State]):
    """Compares a source and a target.

    Args:
        source: one side.
        target: the other one.
        phase: tells what is right where they differ.
        repair: whether what differs is repaired.
        records: of the move.
        sleep: called with seconds.
    """

    def __init__(  # noqa: PLR0913 - two sides, and what is known of the move
        self,
        source: Repository[State],
        target: Repository[State],
        phase: Phase,
        records: Records,
        *,
        repair: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.counts = Counts()
        self._source = source
        self._target = target
        self._source_decides = not phase.reads_target
        self._repair = repair
        self._records = records
        self._sleep = sleep

    def run(self) -> Iterator[Difference]:
        """Compare everything, and yield what differs. Raises RepositoryError if a side cannot be read."""
        suspects: list[Key] = []
        for keys in self._chunks():
            self.counts.compared += len(keys)
            suspects += [key for key, _, _ in self._differing(keys)]
            if len(suspects) >= SUSPECTS:
                yield from self._look_again(suspects)
                suspects = []
        yield from self._look_again(suspects)

    def _chunks(self) -> Iterator[list[Key]]:
        """Yield all keys: those of the source, then those that only the target has."""
        keys = (aggregate.key for aggregate in self._source.scan())
        while chunk := list(islice(keys, CHUNK)):
            self.counts.scanned += len(chunk)
            yield chunk
        others = (aggregate.key for aggregate in self._target.scan())
        while chunk := list(islice(others, CHUNK)):
            self.counts.scanned += len(chunk)
            found = _found(self._source, chunk)
            yield [key for key in chunk if key not in found]

    def _look_again(self, suspects: Sequence[Key]) -> Iterator[Difference]:
        """Yield those that go on differing."""
        differing: list[Pair[State]] = []
        for _ in range(LOOKS - 1):
            if not suspects:
                return
            self._sleep(PAUSE)
            chunks = (suspects[start : start + CHUNK] for start in range(0, len(suspects), CHUNK))
            differing = [each for chunk in chunks for each in self._differing(chunk)]
            suspects = [key for key, _, _ in differing]
        for key, here, there in differing:
            self.counts.differ += 1
            repaired = self._repaired(here, there) if self._repair else None
            self.counts.repaired += repaired is not None
            yield Difference(key, _what(here, there), repaired)

    def _differing(self, keys: Collection[Key]) -> list[Pair[State]]:
        if not keys:
            return []
        here, there = _found(self._source, keys), _found(self._target, keys)
        pairs = ((key, here.get(key), there.get(key)) for key in keys)
        return [(key, one, other) for key, one, other in pairs if one != other]

    def _repaired(self, here: Aggregate[State] | None, there: Aggregate[State] | None) -> str | None:
        """Bring one side to the other; return how, and None if it is not known to be done."""
        agreement = agree(here, there, source_decides=self._source_decides)
        to_source = agreement.behind is Side.SOURCE
        if agreement.open:  # asked again for each key: it must not have been asked before the key was read
            to_source = self._records.standing() is not Standing.FOLLOWS
        right, wrong, side = (there, here, self._source) if to_source else (here, there, self._target)
        if right is None:
            return None
        saved = side.save([Change(wrong, right)])
        if saved.conflicts or saved.failed:
            return None
        return "the target's is copied" if to_source else "the source's is copied"


def _found(repository: Repository[State], keys: Collection[Key]) -> dict[Key, Aggregate[State]]:
    loaded = repository.load(keys)
    for key, why in loaded.failed.items():
        raise RepositoryError(f"{key[0]} {key[1]} cannot be read: {why}")
    return loaded.found


def _what(here: Aggregate[State] | None, there: Aggregate[State] | None) -> str:
    if here is None or there is None:
        return f"only in the {'source' if there is None else 'target'}"
    if here.version == there.version:
        return f"both have version {here.version}, with other values"
    ahead, side = (here, "target") if here.version > there.version else (there, "source")
    behind = there if ahead is here else here
    apart = ", and another history" if kinship(ahead, behind) is Kinship.APART else ""
    versions = ahead.version - behind.version
    return f"the {side} is {versions:,} version{'s' if versions > 1 else ''} behind{apart}"
