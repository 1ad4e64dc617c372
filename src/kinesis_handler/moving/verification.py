"""Compares the two stores of a move, value by value, and repairs the replica where it is behind.

While events flow, the replica is a moment behind. What differs is therefore looked at again, several times
with a pause, before it counts.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.moving.lineage import is_newer
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.stores import Loaded, Repository

State = TypeVar("State")

CHUNK = 200
SUSPECTS = 2_000
"""How many keys that differ are looked at again together: the pauses are for all of them."""
LOOKS = 4
PAUSE = 0.5  # seconds between two looks at a key that differs


class Difference(Struct, frozen=True):
    """A key that differs.

    Args:
        key: which one it is.
        what: how it differs.
        repaired: whether the replica has been brought up to the side that decides.
        unreadable: whether a side has something that is damaged or of another type, which is left as it is.
    """

    key: Key
    what: str
    repaired: bool
    unreadable: bool


class Pair(Struct, Generic[State], frozen=True):
    """What the side that decides and the replica have of a key, and why something there cannot be read."""

    stored: Aggregate[State] | None = None
    replicated: Aggregate[State] | None = None
    unreadable: str = ""


class Counts(Struct):
    """What it has come to so far: items read on either side, keys compared, those that differ."""

    scanned: int = 0
    compared: int = 0
    differ: int = 0
    repaired: int = 0


class Verification(Generic[State]):
    """A comparison of everything in two stores.

    Args:
        sides: the two stores.
        decides: the side that is right where they differ.
        repair: whether the other one is brought up to it, where it has nothing or what is older.
    """

    def __init__(
        self,
        sides: Mapping[Side, Repository[State]],
        decides: Side,
        *,
        repair: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.counts = Counts()
        self._decides = decides
        self._store = sides[decides]
        self._replica = sides[decides.other]
        self._repair = repair
        self._sleep = sleep
        self._named: set[Key] = set()

    def run(self) -> Iterator[Difference]:
        """Compare everything, and yield what differs. Raises RepositoryError if a side cannot be read."""
        suspects: list[Key] = []
        for keys in self._chunks():
            suspects += self._differing(keys)
            if len(suspects) >= SUSPECTS:
                yield from self._look_again(suspects)
                suspects = []
        yield from self._look_again(suspects)

    def _chunks(self) -> Iterator[list[Key]]:
        """Yield all keys of the side that decides, then those of which the replica has something else.

        That may be a key which had not been there yet when the side that decides was read.
        """
        for side, other in ((self._store, None), (self._replica, self._store)):
            for chunk in _chunks_of(side):
                known: Loaded[State] = _loaded(other, chunk) if other is not None else Loaded({})
                self.counts.scanned += len(chunk)
                self.counts.compared += len(chunk.keys() - known.found.keys() - known.failed.keys())
                yield [key for key, each in chunk.items() if each is None or known.found.get(key) != each]

    def _look_again(self, suspects: Sequence[Key]) -> Iterator[Difference]:
        """Yield those that go on differing."""
        differing: dict[Key, Pair[State]] = {key: Pair() for key in suspects if key not in self._named}
        for _ in range(LOOKS - 1):
            if not differing:
                return
            self._sleep(PAUSE)
            keys = list(differing)
            differing = {}
            for start in range(0, len(keys), CHUNK):
                differing |= self._differing(keys[start : start + CHUNK])
        for key, pair in differing.items():
            self._named.add(key)
            self.counts.differ += 1
            again = [pair.stored] if self._repair and pair.stored is not None else []
            repaired = bool(write_if_newer(self._replica, again).written)
            self.counts.repaired += repaired
            yield Difference(key, self._describe(pair), repaired, bool(pair.unreadable))

    def _differing(self, keys: Sequence[Key]) -> dict[Key, Pair[State]]:
        """Return what both sides have of the keys in which they differ, or of which one cannot be read."""
        stored, replicated = _loaded(self._store, keys), _loaded(self._replica, keys)
        sides = ((self._decides, stored), (self._decides.other, replicated))
        pairs = {}
        for key in keys:
            why = "; ".join(f"the {side}: {each.failed[key]}" for side, each in sides if key in each.failed)
            pairs[key] = Pair(stored.found.get(key), replicated.found.get(key), why)
        return {key: each for key, each in pairs.items() if each.unreadable or each.stored != each.replicated}

    def _describe(self, pair: Pair[State]) -> str:
        side, replica = self._decides, self._decides.other
        stored, replicated = pair.stored, pair.replicated
        if pair.unreadable:
            return pair.unreadable
        if stored is None or replicated is None:
            return f"only in the {replica if stored is None else side}"
        fields = ", ".join(differing_fields(msgspec.to_builtins(stored), msgspec.to_builtins(replicated)))
        if is_newer(stored, replicated):
            return f"the {replica} is behind: {fields}"
        if is_newer(replicated, stored):
            return f"the {replica} is newer than the {side}, which decides: {fields}"
        return f"of the same events, other values: {fields}"


def differing_fields(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the fields in which two documents differ, `state.value`; no values."""
    if one == other:
        return
    if not (isinstance(one, dict) and isinstance(other, dict)):
        yield name
        return
    for each in {**one, **other}:
        yield from differing_fields(one.get(each, ...), other.get(each, ...), f"{name}.{each}".lstrip("."))


def _chunks_of(side: Repository[State]) -> Iterator[dict[Key, Aggregate[State] | None]]:
    """Yield what a side has, CHUNK keys at a time; None is under a key that cannot be read."""
    items = _items(side)
    while chunk := dict(islice(items, CHUNK)):
        yield chunk


def _items(side: Repository[State]) -> Iterator[tuple[Key, Aggregate[State] | None]]:
    unreadable: dict[Key, UnreadableError] = {}
    for aggregate in side.scan(on_unreadable=unreadable.__setitem__):
        yield aggregate.key, aggregate
    for key in unreadable:
        yield key, None


def _loaded(repository: Repository[State], keys: Collection[Key]) -> Loaded[State]:
    """Return what is stored under keys, `failed` having only what is damaged or of another type."""
    loaded = repository.load(keys)
    for key, why in loaded.failed.items():
        if not isinstance(why, UnreadableError):
            raise RepositoryError(f"{key[0]} {key[1]} cannot be read: {why}")
    return loaded
