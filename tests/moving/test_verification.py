"""A verification of a few keys: how often it looks, what it reads again, what it counts and names."""

from collections.abc import Collection
from typing import Any

import pytest

from kinesis_handler import Key
from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving import verification
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.verification import LOOKS, PAUSE, Verification, differing_fields
from kinesis_handler.stores import Loaded
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import aggregate, insert

A, B, C, D = (aggregate(("p", key), 2) for key in "abcd")


class Observed(MemoryRepository[LawState]):
    """A repository that counts how often each key is read; it does not answer for one of them."""

    def __init__(self, silent: Key | None = None) -> None:
        super().__init__()
        self.silent = silent
        self.read: list[Key] = []

    def load(self, keys: Collection[Key]) -> Loaded[LawState]:
        self.read += keys
        loaded = super().load(keys)
        if self.silent is not None and self.silent in keys:
            loaded.failed[self.silent] = RepositoryError("it is down")
        return loaded


class Sides:
    """Two stores: A is in both, C is older in the target, B and D are in one of them only."""

    def __init__(self) -> None:
        self.source, self.target = Observed(), Observed()
        insert(self.source, A, C, D)
        insert(self.target, A, B, aggregate(C.key, 1))
        self.pauses: list[float] = []
        self.read: list[Key] = []

    def verify(self, **options: Any) -> tuple[Verification, list[Key]]:
        work = Verification(Side.SOURCE, sleep=self.pauses.append, **options)
        found = work.run({Side.SOURCE: self.source, Side.TARGET: self.target})
        return work, [each.key for each in found]


def test_each_item_and_each_key_is_counted_and_each_difference_named_once() -> None:
    work, found = Sides().verify()
    assert sorted(found) == [B.key, C.key, D.key]
    assert (work.scanned, work.compared, work.differ, work.repaired) == (6, 4, 3, 0)


def test_a_key_that_has_been_named_does_not_end_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups: C and D of the source, B and C of the target. Here C comes before B."""
    monkeypatch.setattr(verification, "SUSPECTS", 2)
    sides = Sides()
    insert(sides.target, last := aggregate(("p", "e")))
    sides.target.delete([B.key])
    assert sides.verify()[1] == [C.key, D.key, last.key]


def test_what_is_repaired_is_counted() -> None:
    sides = Sides()
    assert [sides.verify(repair=True)[0].repaired for _ in range(2)] == [2, 0]


def test_a_group_of_suspects_is_looked_at_again_with_a_pause_before_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size, groups in ((2, 2), (2_000, 1)):
        monkeypatch.setattr(verification, "SUSPECTS", size)
        sides = Sides()
        sides.verify()
        assert sides.pauses == [PAUSE] * (LOOKS - 1) * groups


def test_what_is_equal_is_read_once_for_each_scan_that_has_it() -> None:
    sides = Sides()
    sides.target.delete([B.key, C.key])
    sides.verify()
    assert (sides.source.read.count(A.key), sides.target.read.count(A.key)) == (2, 1)
    assert sides.source.read.count(D.key) > 1


def test_a_key_for_which_a_store_does_not_answer_is_named() -> None:
    sides = Sides()
    sides.source.silent = B.key
    with pytest.raises(RepositoryError, match=r"^p b cannot be read: it is down$"):
        sides.verify()


@pytest.mark.parametrize(
    ("one", "other", "fields"),
    [
        ({}, {}, []),
        ({"a": None}, {}, ["a"]),
        ({}, {"a": None}, ["a"]),
        ({"X": 1, "same": 2}, {"X": 2, "same": 2}, ["X"]),
        ({"a": {"b": 1, "c": {"X": 1}}}, {"a": {"b": 2, "c": {}}}, ["a.b", "a.c.X"]),
        ({"a": {".b": 1}}, {"a": {".b": 2}}, ["a..b"]),
        ({"a": {}}, {"a": []}, ["a"]),
    ],
)
def test_fields_that_differ_are_named_with_those_they_lie_in(one: Any, other: Any, fields: list[str]) -> None:
    assert list(differing_fields(one, other)) == fields
