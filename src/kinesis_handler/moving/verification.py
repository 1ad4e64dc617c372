"""Compares the two stores of a move, value by value, and repairs the replica where it is behind.

While events flow, the replica is a moment behind. What differs is therefore looked at again, several times
with a pause, before it counts.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Generic

import msgspec
from msgspec import Struct

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.moving.chunks import Chunk, Item, chunks_of
from kinesis_handler.moving.lineage import is_newer
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.stores import Repository, State

CHUNK = 200
SUSPECTS = 2_000
"""How many keys that differ are looked at again together: the pauses are for all of them."""
LOOKS = 4
PAUSE = 0.5  # seconds between two looks at a key that differs


class Difference(Struct, Generic[State]):
    """A key in which the two sides differ.

    Args:
        key: which one it is.
        decides: the side that is right.
        stored: what that side has; None if it has nothing.
        replicated: what the other side has, the replica.
        repaired: whether the replica has been brought up to the side that decides.
    """

    key: Key
    decides: Side
    stored: Item[State] | None
    replicated: Item[State] | None
    repaired: bool = False

    @property
    def damaged(self) -> str:
        """Why what a side has cannot be read, and is left as it is; empty if it can be."""
        sides = ((self.decides, self.stored), (self.decides.other, self.replicated))
        return "; ".join(f"the {side}: {each}" for side, each in sides if isinstance(each, UnreadableError))

    @property
    def what(self) -> str:
        """How they differ."""
        side, replica, stored, replicated = self.decides, self.decides.other, self.stored, self.replicated
        if isinstance(stored, UnreadableError) or isinstance(replicated, UnreadableError):
            return f"cannot be read: {self.damaged}"
        if stored is None or replicated is None:
            return f"only in the {replica if stored is None else side}"
        fields = ", ".join(differing_fields(msgspec.to_builtins(stored), msgspec.to_builtins(replicated)))
        if is_newer(stored, replicated):
            return f"the {replica} is behind: {fields}"
        if is_newer(replicated, stored):
            return f"the {replica} is newer than the {side}, which decides: {fields}"
        return f"of the same events, other values: {fields}"


class Verification:
    """A comparison of everything in two stores.

    It counts the items read on either side (`scanned`), and the keys compared, that differ, and repaired.

    Args:
        decides: the side that is right where they differ.
        repair: whether the other one is brought up to it, where it has nothing or what is older.
    """

    def __init__(
        self, decides: Side, *, repair: bool = False, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.scanned = self.compared = self.differ = self.repaired = 0
        self._decides = decides
        self._repair = repair
        self._sleep = sleep

    def run(self, sides: Mapping[Side, Repository[State]]) -> Iterator[Difference[State]]:
        """Compare a repository, and yield what differs. Raises RepositoryError if a side cannot be read."""
        suspects = self._suspects(sides)
        named: set[Key] = set()
        while differences := list(islice(suspects, SUSPECTS)):
            for _ in range(LOOKS - 1):
                if differences:
                    self._sleep(PAUSE)
                    differences = self._differing(sides, {each.key: None for each in differences})
            for each in differences:
                if each.key in named:
                    continue
                named.add(each.key)
                if self._repair and isinstance(each.stored, Aggregate):
                    each.repaired = bool(write_if_newer(sides[each.decides.other], [each.stored]).written)
                self.differ += 1
                self.repaired += each.repaired
                yield each

    def _suspects(self, sides: Mapping[Side, Repository[State]]) -> Iterator[Difference[State]]:
        """Yield what differs at first sight.

        Keys of the replica come last: they may have come to the other side after that had been read.
        """
        for side in (self._decides, self._decides.other):
            for chunk in chunks_of(sides[side], CHUNK):
                known = {} if side is self._decides else _load(sides[self._decides], chunk)
                self.scanned += len(chunk)
                self.compared += len(chunk.keys() - known.keys())
                differ = [key for key, each in chunk.items() if known.get(key) != each]
                yield from self._differing(sides, differ)

    def _differing(
        self, sides: Mapping[Side, Repository[State]], keys: Collection[Key]
    ) -> list[Difference[State]]:
        stored, replicated = (_load(sides[side], keys) for side in (self._decides, self._decides.other))
        pairs = ((key, stored.get(key), replicated.get(key)) for key in keys)
        return [Difference(key, self._decides, one, other) for key, one, other in pairs if one != other]


def differing_fields(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the fields in which two documents differ, `state.value`; no values."""
    if one == other:
        return
    if not (isinstance(one, dict) and isinstance(other, dict)):
        yield name
        return
    for each in {**one, **other}:
        inner = f"{name}.{each}" if name else each
        yield from differing_fields(one.get(each, ...), other.get(each, ...), inner)


def _load(repository: Repository[State], keys: Collection[Key]) -> Chunk[State]:
    """Return what is stored under keys. Raises RepositoryError if that is not known of one of them."""
    loaded = repository.load(keys)
    items: Chunk[State] = {**loaded.stored()}
    for key, why in loaded.failed.items():
        if not isinstance(why, UnreadableError):
            raise RepositoryError(f"{key[0]} {key[1]} cannot be read: {why}")
        items[key] = why
    return items
