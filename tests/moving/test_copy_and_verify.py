"""Copying and verifying: what is newer stays, what was interrupted resumes, what differs is named."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.moving.copy import CHUNK, Progress, copy_store, read_progress, write_units
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores import Loaded
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.law_states import aggregate, insert
from kinesis_handler.testing.vacant_laws import parked, vacant
from moving.test_two_stores import at_call, fail
from testkit.tables import Tables

ITEMS = 3 * CHUNK + 7
FIRST = ("p", "0000")
STORED = aggregate(FIRST, 2, count=0)
NEWER = aggregate(FIRST, 3, note="x")
GONE = replace(NEWER, state=None)


class Stores:
    """A source with many items, and an empty target."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = MemoryRepository[LawState](), MemoryRepository[LawState]()
        self.file = folder / "progress.json"
        items = [aggregate(("p", f"{number:04}"), 2, count=number) for number in range(ITEMS)]
        insert(self.source, *items[:-2], vacant(items[-2]), parked(items[-1]))

    def copy(self, target: Any = None, **options: Any) -> Progress:
        """Copy, until a store is down."""
        progress = read_progress(self.file, ("old", "new"))
        sides = {Side.SOURCE: self.source, Side.TARGET: target or self.target}
        with suppress(RepositoryError):
            copy_store({"": sides}, Side.SOURCE, progress, self.file, **options)
        return progress

    def verify(self, source: Any = None, target: Any = None, **options: Any) -> list[str]:
        sides = {Side.SOURCE: source or self.source, Side.TARGET: target or self.target}
        work = Verification(Side.SOURCE, **{"sleep": id, **options})
        found = [f"{each.key[1]}: {each.what}{' (repaired)' * each.repaired}" for each in work.run(sides)]
        assert (work.differ, work.compared) == (len(found), ITEMS)
        return found

    def are_equal(self) -> bool:
        return sorted(self.source.scan_stored(), key=str) == sorted(self.target.scan_stored(), key=str)


class WithoutAKey(MemoryRepository[LawState]):
    """A repository that cannot read the first key, and answers for the others only."""

    why: RepositoryError = UnreadableError("damaged")

    def load(self, keys: Collection[Key]) -> Loaded[LawState]:
        loaded = super().load({*keys} - {FIRST})
        loaded.failed |= {FIRST: self.why} if FIRST in keys else {}
        return loaded


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


def test_a_copy_has_all_that_is_stored_of_a_key_and_a_second_one_writes_nothing(stores: Stores) -> None:
    for written in (ITEMS, 0):
        progress = stores.copy()
        assert (progress.seen, progress.written, stores.file.exists()) == (ITEMS, written, False)
        assert stores.are_equal() is (stores.verify() == []) is True


@pytest.mark.parametrize("newer", [NEWER, GONE], ids=["changed", "deleted"])
def test_what_is_newer_in_the_target_stays_even_if_it_comes_after_the_read(
    stores: Stores, newer: Aggregate[LawState]
) -> None:
    progress = stores.copy(at_call(2, stores.target, lambda: insert(stores.target, newer)))
    assert (stores.target.load([FIRST]).stored(), progress.written) == ({FIRST: newer}, ITEMS - 1)


def test_what_can_never_be_stored_is_named_and_the_rest_is_copied(stores: Stores, tables: Tables) -> None:
    insert(stores.source, aggregate(("p", "large"), note="x" * 450_000))
    target = tables.repository(LawState)
    progress = stores.copy(target)
    [why] = progress.named
    assert re.match("p large: .* bytes", why)
    assert (progress.uncopied, progress.written, len(list(target.scan_stored()))) == (1, ITEMS, ITEMS)


@pytest.mark.parametrize("file", ["as it was", "of another copy", "broken"])
def test_a_copy_that_was_interrupted_resumes_if_its_file_is_there(stores: Stores, file: str) -> None:
    """It knows of what the runs before could not copy: here what is damaged in the target, and stays."""
    stores.target = WithoutAKey()
    cut = stores.copy(at_call(6, stores.target, fail))
    assert (cut.seen, cut.written, cut.present, cut.named) == (CHUNK, CHUNK - 1, 0, ["p 0000: damaged"])
    text = stores.file.read_text()
    stores.file.write_text({"of another copy": text.replace("old", "x"), "broken": text[:-1]}.get(file, text))
    progress = stores.copy()
    present = CHUNK if file == "as it was" else CHUNK + cut.written  # the second chunk's answer was lost
    assert (progress.seen, progress.present, progress.uncopied) == (ITEMS, present, 1)
    assert progress.named == cut.named
    assert stores.verify() == ["0000: cannot be read: the target: damaged"]


def test_a_copy_stays_within_its_rate(stores: Stores) -> None:
    clock = FakeClock()
    began = clock()
    stores.copy(rate=20, clock=clock, sleep=clock.advance)
    assert clock() - began == pytest.approx(sum(map(write_units, stores.source.scan_stored())) / 20)


LINEAGE = "version, updatedAt, sequenceNumber, recordSequenceNumber, recentEventIds"
AHEAD = f"the target is newer than the source, which decides: state.note, {LINEAGE}"
OTHER = aggregate(FIRST, 2, note="x", amount=Decimal(1))


@pytest.mark.parametrize(
    ("stored", "what", "repaired"),
    [
        ((STORED, None), "only in the source", True),
        ((STORED, aggregate(FIRST, 1, count=0)), f"the target is behind: {LINEAGE}", True),
        ((STORED, NEWER), AHEAD, False),
        ((STORED, OTHER), "of the same events, other values: state.amount, state.note", False),
        ((None, STORED), "only in the target", False),
        ((GONE, STORED), f"the target is behind: state, {LINEAGE}", True),
        ((parked(STORED), STORED), "the target is behind: parked", True),
    ],
)
def test_a_difference_is_named_by_its_fields_and_repaired_if_the_target_is_behind(
    stores: Stores, stored: Sequence[Aggregate[LawState] | None], what: str, repaired: bool
) -> None:
    stores.copy()
    for store, each in zip((stores.source, stores.target), stored, strict=True):
        store.delete([FIRST])
        insert(store, *([each] if each is not None else []))
    assert stores.verify() == [f"0000: {what}"]
    assert stores.verify(repair=True) == [f"0000: {what}{' (repaired)' * repaired}"]
    assert (stores.verify() == []) is stores.are_equal() is repaired


def test_what_differs_for_a_moment_only_is_no_difference(stores: Stores) -> None:
    stores.copy()
    stores.target.delete([FIRST])
    assert stores.verify(sleep=lambda _: stores.copy()) == []


def test_a_store_that_does_not_answer_ends_the_verification(stores: Stores) -> None:
    """What it has is not known to be damaged, nor to be equal."""
    stores.copy()
    throttled = WithoutAKey()
    throttled.why = RepositoryError("it is down")
    source, target = (at_call(2, each, fail) for each in (stores.source, stores.target))
    for sides in ({"source": source}, {"target": target}, {"target": throttled}):
        with pytest.raises(RepositoryError, match="it is down"):
            stores.verify(**sides)


def test_a_key_that_comes_to_the_deciding_side_during_verification_is_compared(stores: Stores) -> None:
    source = MemoryRepository[LawState]()
    insert(stores.target, STORED)
    late = at_call(1, stores.target, lambda: insert(source, aggregate(FIRST, 1)))
    sides: dict[Side, Any] = {Side.SOURCE: source, Side.TARGET: late}
    [found] = Verification(Side.SOURCE, sleep=id).run(sides)
    assert found.what.startswith("the target is newer")
