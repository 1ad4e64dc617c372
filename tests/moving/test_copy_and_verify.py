"""Copying and verifying: what is newer stays, what was interrupted resumes, what differs is named."""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.moving.budget import TokenBucket, write_units
from kinesis_handler.moving.copy import CHUNK, Copy
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores import Loaded
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.laws import aggregate, insert
from moving.test_writers import Interrupted
from testkit.tables import Tables

ITEMS = 3 * CHUNK + 7
FIRST = ("p", "0000")
STORED = aggregate(FIRST, 2, count=0)


class Stores:
    """A source with many items, and an empty target."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = MemoryRepository[LawState](), MemoryRepository[LawState]()
        self.file = folder / "progress.json"
        insert(self.source, *(aggregate(("p", f"{number:04}"), 2, count=number) for number in range(ITEMS)))

    def copy(self, target: Any = None, **options: Any) -> Copy[LawState]:
        return Copy(self.source, target or self.target, ("old", "new"), self.file, **options)

    def verify(self, *, repair: bool = False, pause: Callable[[float], object] = id) -> list[str]:
        sides = {Side.SOURCE: self.source, Side.TARGET: self.target}
        work = Verification(sides, Side.SOURCE, repair=repair, sleep=pause)
        found = [f"{each.key[1]}: {each.what}{' (repaired)' * each.repaired}" for each in work.run()]
        assert (work.counts.differ, work.counts.compared) == (len(found), ITEMS)
        return found

    def are_equal(self) -> bool:
        one, other = ({each.key: each for each in store.scan()} for store in (self.source, self.target))
        return one == other


class WithoutAKey(MemoryRepository[LawState]):
    """A repository that cannot read the first key, and answers for the others only."""

    def __init__(self, why: RepositoryError) -> None:
        super().__init__()
        self._why = why

    def load(self, keys: Collection[Key]) -> Loaded[LawState]:
        loaded = super().load(keys)
        loaded.found.pop(FIRST, None)
        loaded.failed |= {FIRST: self._why} if FIRST in keys else {}
        return loaded


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


def before_call(number: int, action: Callable[[], object]) -> Callable[[], None]:
    """Return what does something before one of the calls of a store."""
    calls = count(1)
    return lambda: (action() if next(calls) == number else None, None)[1]


def test_a_copy_has_all_that_is_stored_of_a_key_and_a_second_one_writes_nothing(stores: Stores) -> None:
    for written in (ITEMS, 0):
        work = stores.copy()
        work.run()
        assert (work.counts.seen, work.counts.written, stores.file.exists()) == (ITEMS, written, False)
        assert stores.are_equal() is (stores.verify() == []) is True


def test_what_is_newer_in_the_target_stays_even_if_it_comes_after_the_read(stores: Stores) -> None:
    newer = aggregate(FIRST, 3, note="newer")
    late = before_call(2, lambda: insert(stores.target, newer))
    work = stores.copy(Interrupted(stores.target, late), segments=1)
    work.run()
    assert (stores.target.load([FIRST]).found, work.counts.written) == ({FIRST: newer}, ITEMS - 1)


def test_what_can_never_be_stored_is_named_and_the_rest_is_copied(stores: Stores, tables: Tables) -> None:
    insert(stores.source, aggregate(("p", "large"), note="x" * 450_000))
    target = tables.repository(LawState)
    work = stores.copy(target)
    work.run()
    [(key, why)] = work.refused
    assert (key, "bytes" in why, len(list(target.scan()))) == (("p", "large"), True, ITEMS)


def test_what_is_damaged_in_the_target_stays_and_is_known_after_an_interruption_too(stores: Stores) -> None:
    def fail() -> None:
        raise RepositoryError("the target is gone")

    stores.target = WithoutAKey(UnreadableError("damaged"))
    cut = stores.copy(Interrupted(stores.target, before_call(6, fail)), segments=1)
    with pytest.raises(RepositoryError, match="gone"):
        cut.run()
    assert (cut.unreadable, cut.counts.unreadable, cut.counts.present) == (["damaged"], 1, 0)
    assert cut.counts.seen == cut.counts.written + 1
    rest = stores.copy(segments=1)
    rest.run()
    assert (rest.unreadable, rest.is_incomplete) == ([], True)
    assert FIRST not in {each.key for each in stores.target.scan()}
    assert stores.verify() == ["0000: the target: damaged"]


@pytest.mark.parametrize("file", ["as it was", "of another copy", "broken"])
def test_a_copy_that_was_interrupted_resumes_if_its_file_is_there(stores: Stores, file: str) -> None:
    def fail() -> None:
        raise RepositoryError("the target is gone")

    cut = stores.copy(Interrupted(stores.target, before_call(6, fail)), segments=1)
    with pytest.raises(RepositoryError, match="gone"):
        cut.run()
    text = stores.file.read_text()
    stores.file.write_text({"of another copy": text.replace("old", "x"), "broken": text[:-1]}.get(file, text))
    rest = stores.copy(segments=1)
    rest.run()
    assert rest.counts.resumed == (cut.counts.seen if file == "as it was" else 0)
    assert 0 < cut.counts.seen < rest.counts.seen + rest.counts.resumed == ITEMS
    assert stores.are_equal()


def test_a_copy_stays_within_its_rate(stores: Stores) -> None:
    clock = FakeClock()
    began = clock()
    stores.copy(segments=1, budget=TokenBucket(20, clock, clock.advance)).run()
    assert clock() - began == pytest.approx(sum(map(write_units, stores.source.scan())) / 20 - 1, rel=0.05)


LINEAGE = "version, updatedAt, sequenceNumber, recordSequenceNumber, recentEventIds"
NEWER = aggregate(FIRST, 3, note="x")
OTHER = aggregate(FIRST, 2, note="x", amount=Decimal(1))


@pytest.mark.parametrize(
    ("stored", "what", "repaired"),
    [
        ((STORED, None), "only in the source", True),
        ((STORED, aggregate(FIRST, 1, count=0)), f"the target is behind: {LINEAGE}", True),
        (
            (STORED, NEWER),
            f"the target is newer than the source, which decides: state.note, {LINEAGE}",
            False,
        ),
        ((STORED, OTHER), "of the same events, other values: state.amount, state.note", False),
        ((None, STORED), "only in the target", False),
    ],
)
def test_a_difference_is_named_by_its_fields_and_repaired_if_the_target_is_behind(
    stores: Stores, stored: Sequence[Aggregate[LawState] | None], what: str, repaired: bool
) -> None:
    stores.copy().run()
    for store, each in zip((stores.source, stores.target), stored, strict=True):
        store.delete([FIRST])
        insert(store, *([each] if each is not None else []))
    assert stores.verify() == [f"0000: {what}"]
    assert stores.verify(repair=True) == [f"0000: {what}{' (repaired)' * repaired}"]
    assert (stores.verify() == []) is stores.are_equal() is repaired


def test_what_differs_for_a_moment_only_is_no_difference(stores: Stores) -> None:
    stores.copy().run()
    stores.target.delete([FIRST])
    assert stores.verify(pause=lambda _: stores.copy().run()) == []


@pytest.mark.parametrize("down", Side)
def test_a_key_that_cannot_be_read_since_a_store_is_down_ends_the_verification(
    stores: Stores, down: Side
) -> None:
    def fail() -> None:
        raise RepositoryError("it is down")

    stores.copy().run()
    sides: dict[Side, Any] = {Side.SOURCE: stores.source, Side.TARGET: stores.target}
    sides[down] = Interrupted(sides[down], before_call(2, fail))
    with pytest.raises(RepositoryError, match="it is down"):
        list(Verification[LawState](sides, Side.SOURCE, sleep=id).run())


def test_a_key_that_a_store_does_not_answer_for_ends_the_verification(stores: Stores) -> None:
    """It is not known to be damaged, nor to be equal."""
    sides: dict[Side, Any] = {
        Side.SOURCE: stores.source,
        Side.TARGET: WithoutAKey(RepositoryError("throttled")),
    }
    with pytest.raises(RepositoryError, match="p 0000 cannot be read: throttled"):
        list(Verification[LawState](sides, Side.SOURCE, sleep=id).run())


def test_a_key_that_comes_to_the_deciding_side_during_verification_is_compared(stores: Stores) -> None:
    source = MemoryRepository[LawState]()
    stores.copy().run()
    late = before_call(1, lambda: insert(source, aggregate(FIRST, 1)))
    sides: dict[Side, Any] = {Side.SOURCE: source, Side.TARGET: Interrupted(stores.target, late)}
    found = Verification[LawState](sides, Side.SOURCE, sleep=id)
    [what] = [each.what for each in found.run() if each.key == FIRST]
    assert what.startswith("the target is newer")
