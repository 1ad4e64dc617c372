"""A copy of a few items: in which order, how many at a time, what it costs, and what is damaged."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import Aggregate, Key
from kinesis_handler.errors import UnreadableError
from kinesis_handler.moving.chunks import chunks_of
from kinesis_handler.moving.copy import MAX_NAMED, Progress, copy_store, write_units
from kinesis_handler.moving.phase import Side
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.law_states import aggregate, insert

NAMES = ("old", "new")
ITEMS = [aggregate(("p", f"{number:03}")) for number in range(10)]


class Unordered(MemoryRepository[LawState]):
    """Scans in an order that can be resumed if it is asked for one; counts what it writes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []
        self.before_write: Callable[[], object] = lambda: None

    def scan_stored(self, after: Key | None = None, **options: Any) -> Iterator[Aggregate[LawState | None]]:
        items = list(super().scan_stored(after, **options))
        return iter(items if after is not None else items[::-1])

    def save(self, changes: Sequence[Change[LawState]]) -> Saved:
        self.before_write()
        self.writes.append(len(changes))
        return super().save(changes)


class Copy:
    """A store of one repository, and where it is copied to."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = Unordered(), Unordered()
        self.file = folder / "progress.json"
        self.progress = Progress(NAMES)

    def run(self, **options: Any) -> None:
        sides = {Side.SOURCE: self.source, Side.TARGET: self.target}
        copy_store({"": sides}, Side.SOURCE, self.progress, self.file, **options)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_an_empty_store_is_copied_too(copy: Copy) -> None:
    copy.run()
    assert (copy.progress, copy.file.exists()) == (Progress(NAMES), False)


def test_a_copy_reads_in_an_order_in_which_it_can_resume(copy: Copy) -> None:
    insert(copy.source, *ITEMS)
    copy.run()
    assert copy.progress.after == {"": ITEMS[-1].key}


@pytest.mark.parametrize(("rate", "writes"), [(4, [4, 4, 2]), (3.5, [4, 4, 2]), (1e9, [10]), (None, [10])])
def test_no_more_is_written_at_a_time_than_a_second_may_write(
    copy: Copy, rate: float | None, writes: list[int]
) -> None:
    insert(copy.source, *ITEMS)
    clock = FakeClock()
    copy.run(rate=rate, clock=clock, sleep=clock.advance)
    assert copy.target.writes == writes


def test_a_copy_waits_for_what_it_has_written_unless_that_took_as_long(copy: Copy) -> None:
    insert(copy.source, *ITEMS)
    clock, pauses, took = FakeClock(), list[float](), iter([0.25, 5, 0, 0])

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    copy.target.before_write = lambda: clock.advance(next(took))
    copy.run(rate=2.5, clock=clock, sleep=sleep)
    assert copy.target.writes == [3, 3, 3, 1]
    assert pauses == pytest.approx([1.2 - 0.25, 0, 1.2, 0.4])


@pytest.mark.parametrize(("length", "units"), [(0, 1), (700, 1), (1_024, 2), (5_000, 6)])
def test_a_write_costs_a_unit_for_each_kilobyte_that_is_begun(length: int, units: int) -> None:
    assert write_units(aggregate(("p", "s"), note="x" * length)) == units


def test_of_what_is_not_copied_only_the_first_hundred_are_named(copy: Copy) -> None:
    for number in range(3):
        keys = [("p", f"{number}-{each}") for each in range(60)]
        copy.progress.add("", dict.fromkeys(keys, UnreadableError("damaged")), 0)
    named = copy.progress.named
    assert (copy.progress.uncopied, len(named)) == (180, MAX_NAMED)
    assert (named[0], named[-1]) == ("p 0-0: damaged", "p 1-39: damaged")


def test_what_is_damaged_is_in_the_chunk_that_it_lies_in(tmp_path: Path) -> None:
    file = tmp_path / "limits.db"
    other: Aggregate[Any] = ITEMS[1]
    SQLiteRepository(file, str).save([Change(None, replace(other, state="text"))])
    repository = SQLiteRepository(file, LawState)
    insert(repository, ITEMS[0], *ITEMS[2:4])
    first, second = chunks_of(repository, 3, ("", ""))
    assert ([*first], [*second]) == ([each.key for each in ITEMS[:3]], [ITEMS[3].key])
    assert isinstance(first[ITEMS[1].key], UnreadableError)
