"""Compares two stores item by item, and repairs what differs.

While events flow, a key may differ for a moment: one side has been written and the other not yet. What
differs is therefore looked at again, several times with a pause, before it counts.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.moving.agreement import Kinship, agree, kinship
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.records import Records, Standing
from kinesis_handler.stores import Change, Loaded, Repository

State = TypeVar("State")

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


class Pair(Struct, Generic[State], frozen=True):
    """A key with what the source and what the target has.

    Args:
        key: which one it is.
        here: what the source has.
        there: what the target has.
        unreadable: which side has something that cannot be read, and why; empty if none has.
    """

    key: Key
    here: Aggregate[State] | None
    there: Aggregate[State] | None
    unreadable: str = ""

    @property
    def differs(self) -> bool:
        """Whether it needs another look."""
        return bool(self.unreadable) or self.here != self.there


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
            suspects += [each.key for each in self._differing(keys)]
            if len(suspects) >= SUSPECTS:
                yield from self._look_again(suspects)
                suspects = []
        yield from self._look_again(suspects)

    def _chunks(self) -> Iterator[list[Key]]:
        """Yield all keys: those of the source, then those that only the target has."""
        keys = _keys(self._source)
        while chunk := list(islice(keys, CHUNK)):
            self.counts.scanned += len(chunk)
            yield chunk
        others = _keys(self._target)
        while chunk := list(islice(others, CHUNK)):
            self.counts.scanned += len(chunk)
            loaded = _loaded(self._source, chunk)
            yield [key for key in chunk if key not in loaded.found and key not in loaded.failed]

    def _look_again(self, suspects: Sequence[Key]) -> Iterator[Difference]:
        """Yield those that go on differing."""
        differing: list[Pair[State]] = []
        for _ in range(LOOKS - 1):
            if not suspects:
                return
            self._sleep(PAUSE)
            chunks = (suspects[start : start + CHUNK] for start in range(0, len(suspects), CHUNK))
            differing = [each for chunk in chunks for each in self._differing(chunk)]
            suspects = [each.key for each in differing]
        for each in differing:
            self.counts.differ += 1
            if each.unreadable:  # neither is known to be right
                yield Difference(each.key, each.unreadable)
                continue
            repaired = self._repaired(each.here, each.there) if self._repair else None
            self.counts.repaired += repaired is not None
            yield Difference(each.key, _what(each.here, each.there), repaired)

    def _differing(self, keys: Collection[Key]) -> list[Pair[State]]:
        if not keys:
            return []
        source, target = _loaded(self._source, keys), _loaded(self._target, keys)
        pairs = (
            Pair(key, source.found.get(key), target.found.get(key), _unreadable(key, source, target))
            for key in keys
        )
        return [each for each in pairs if each.differs]

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


def _keys(side: Repository[Any]) -> Iterator[Key]:
    """Yield the keys of a side, those under which something damaged is stored behind the others."""
    unreadable: dict[Key, UnreadableError] = {}
    for aggregate in side.scan(on_unreadable=unreadable.__setitem__):
        yield aggregate.key
    yield from unreadable


def _loaded(side: Repository[State], keys: Collection[Key]) -> Loaded[State]:
    loaded = side.load(keys)
    for key, why in loaded.failed.items():
        if not isinstance(why, UnreadableError):
            raise RepositoryError(f"{key[0]} {key[1]} cannot be read: {why}")
    return loaded


def _unreadable(key: Key, source: Loaded[Any], target: Loaded[Any]) -> str:
    sides = ((Side.SOURCE, source), (Side.TARGET, target))
    return "; ".join(f"the {side}: {each.failed[key]}" for side, each in sides if key in each.failed)


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
