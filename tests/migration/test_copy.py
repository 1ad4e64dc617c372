"""Copying and verifying, in memory: what is newer stays, and what was interrupted goes on."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from kinesis_handler import Aggregate
from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving.budget import Budget, write_units
from kinesis_handler.moving.copy import CHUNK, Copy
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import VERIFIED, Record, Records, Standing
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.moving.verification import LONGEST_INVOCATION, Verification
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.laws import after, aggregate, insert
from migration.writers import Interrupted
from testkit.tables import Tables

Store = MemoryRepository[LawState]


class Stores:
    """A source with many items, an empty target, and the notes of the move."""

    def __init__(self, items: int = 0) -> None:
        self.clock = FakeClock()
        self.source: Store = MemoryRepository()
        self.target: Store = MemoryRepository()
        self.repairs = Repairs(MemoryRepository[Repair]())
        self.of_source = Repairs(MemoryRepository[Repair]())
        self.records = Records(MemoryRepository[Record](), self.clock)
        insert(self.source, *(aggregate(("p", f"{number:04}"), 2, count=number) for number in range(items)))

    def copy(self, segments: int = 4) -> Copy[LawState]:
        return Copy(self.source, self.target, self.records, "source", segments=segments)

    def verify(
        self, phase: Phase = Phase.SOURCE, *, repair: bool = False, then: Standing | None = None
    ) -> tuple[list[str], Verification[LawState]]:
        work = Verification(
            self.source,
            self.target,
            phase,
            Ledger(self.repairs, self.of_source, self.records),
            clock=self.clock,
            sleep=self.clock.advance,
            repair=repair,
            then=then,
        )
        return [f"{each.key[1]}: {each.what}" for each in work.run()], work


def contents(store: Store) -> dict[object, Aggregate[LawState]]:
    return {each.key: each for each in store.scan()}


def test_a_copy_has_everything_and_a_second_one_writes_nothing() -> None:
    stores = Stores(3 * CHUNK + 7)
    work = stores.copy()
    work.run()
    assert contents(stores.target) == contents(stores.source)
    assert (work.counts.seen, work.counts.written) == (3 * CHUNK + 7, 3 * CHUNK + 7)
    again = stores.copy()
    again.run()
    assert (again.counts.seen, again.counts.written, again.counts.kept) == (307, 0, 307)


def test_what_is_newer_in_the_target_stays_and_what_is_older_is_brought_up() -> None:
    stores = Stores()
    older, other = aggregate(("p", "1")), aggregate(("p", "2"))
    newer = aggregate(("p", "1"), 2, note="newer")
    insert(stores.source, newer, other)
    insert(stores.target, older, aggregate(("p", "2"), 5, note="newer"))
    work = stores.copy()
    work.run()
    assert contents(stores.target)["p", "1"] == newer
    assert contents(stores.target)["p", "2"].version == 5
    assert (work.counts.written, work.counts.kept) == (1, 1)


def test_what_the_target_can_never_keep_is_told_and_the_rest_is_copied(tables: Tables) -> None:
    stores = Stores(3)
    insert(stores.source, aggregate(("p", "large"), note="x" * 450_000))
    target = tables.repository(LawState)
    work = Copy(stores.source, target, stores.records, "source")
    work.run()
    assert (work.counts.written, work.counts.refused) == (3, 1)
    [(key, why)] = work.refused
    assert key == ("p", "large")
    assert "DynamoDB takes 409,600" in why
    assert len(list(target.scan())) == 3


def test_what_is_written_between_the_look_and_the_write_stays() -> None:
    stores = Stores(1)
    first = aggregate(("p", "0000"), 2, count=0)
    newer = after(first, note="newer").after
    turns = [lambda: None, lambda: insert(stores.target, newer)]

    def interrupt() -> None:
        if turns:
            turns.pop(0)()

    work = Copy(stores.source, Interrupted(stores.target, interrupt), stores.records, "source", segments=1)
    work.run()
    assert contents(stores.target)["p", "0000"] == newer


def test_what_has_a_history_of_its_own_is_counted_and_left() -> None:
    stores = Stores(1)
    foreign = aggregate(("p", "0000"), 2, note="foreign")
    insert(stores.target, foreign)
    work = stores.copy()
    work.run()
    assert work.counts.apart == 1
    assert contents(stores.target)["p", "0000"] == foreign


def test_a_copy_that_was_interrupted_goes_on_where_it_was() -> None:
    stores = Stores(5 * CHUNK)
    calls = iter(range(7))

    def interrupt() -> None:
        if next(calls, None) is None:
            raise RepositoryError("the target is gone")

    cut = Copy(stores.source, Interrupted(stores.target, interrupt), stores.records, "source", segments=1)
    with pytest.raises(RepositoryError, match="gone"):
        cut.run()
    done = cut.counts.seen
    assert 0 < done < 5 * CHUNK
    rest = stores.copy(segments=1)
    rest.run()
    assert (rest.counts.resumed, rest.counts.seen) == (done, 5 * CHUNK - done)
    assert contents(stores.target) == contents(stores.source)


def test_a_copy_keeps_to_its_rate() -> None:
    clock = FakeClock()
    stores = Stores(400)
    units = sum(map(write_units, stores.source.scan()))
    budget = Budget(20, clock, clock.advance)
    began = clock()
    Copy(stores.source, stores.target, stores.records, "source", segments=1, budget=budget).run()
    assert clock() - began == pytest.approx(units / 20 - 1, rel=0.05)


DIFFERENCES: dict[str, Callable[[Stores], object]] = {
    "0000: only in the source": lambda stores: stores.target.delete([("p", "0000")]),
    "0000: only in the target": lambda stores: stores.source.delete([("p", "0000")]),
    "0000: the target is 1 version behind": lambda stores: stores.source.save([_next(stores.source)]),
    "0000: the source is 1 version behind": lambda stores: stores.target.save([_next(stores.target)]),
    "0000: both have version 2, with other values": lambda stores: _replace(stores.target),
}


def _next(store: Store) -> Change[LawState]:
    before = store.load([("p", "0000")]).found["p", "0000"]
    ids = (*before.recent_event_ids, "next")
    return Change(before, replace(aggregate(("p", "0000"), 3, note="next"), recent_event_ids=ids))


def _replace(store: Store) -> None:
    store.delete([("p", "0000")])
    insert(store, aggregate(("p", "0000"), 2, note="other"))


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_is_found_told_and_repaired(what: str) -> None:
    stores = Stores(5)
    stores.copy().run()
    assert stores.verify()[0] == []
    DIFFERENCES[what](stores)
    told, work = stores.verify()
    assert (told, work.counts.differ, work.counts.repaired) == ([what], 1, 0)
    assert stores.verify(Phase.DUAL_READ_TARGET, repair=True)[1].counts.repaired == 1
    assert stores.verify()[0] == []
    assert contents(stores.source) == contents(stores.target)
    verified = stores.records.get(VERIFIED)
    assert verified is not None
    assert (verified.state.seen, verified.state.left) == (5, 0)


def test_what_differs_for_a_moment_only_is_no_difference() -> None:
    stores = Stores(3)
    late = aggregate(("p", "0001"), 2, count=1)
    insert(stores.target, *(each for each in stores.source.scan() if each.key != late.key))
    work = Verification(
        stores.source,
        stores.target,
        Phase.DUAL_READ_SOURCE,
        Ledger(stores.repairs, stores.of_source, stores.records),
        sleep=lambda _: insert(stores.target, late),
    )
    assert list(work.run()) == []


def test_a_repair_removes_what_was_noted() -> None:
    stores = Stores(1)
    both = stores.repairs, stores.of_source
    for repairs in both:
        repairs.note({("p", "0000"): "it was down"})
    stores.verify()
    assert [len(list(each.pending())) for each in both] == [1, 1]
    stores.verify(Phase.DUAL_READ_SOURCE, repair=True)
    assert [len(list(each.pending())) for each in both] == [0, 0]
    assert contents(stores.target) == contents(stores.source)


def test_the_target_leads_after_a_verification_that_leaves_nothing_different_and_not_before() -> None:
    stores = Stores(2)
    stores.copy().run()
    insert(stores.source, aggregate(("p", "new")))
    stores.verify(Phase.DUAL_READ_TARGET, then=Standing.LEADS)
    assert stores.records.standing() is Standing.FOLLOWS
    stores.verify(Phase.DUAL_READ_TARGET, repair=True, then=Standing.LEADS)
    assert stores.records.standing() is Standing.LEADS
    assert contents(stores.source) == contents(stores.target)


def test_the_way_back_is_open_after_two_clean_verifications_a_minute_apart() -> None:
    stores = Stores(1)
    stores.records.stand(Standing.LEADS)
    standings = []
    for wait in (0, LONGEST_INVOCATION / 2, LONGEST_INVOCATION):
        stores.clock.advance(wait)
        stores.verify(Phase.DUAL_READ_TARGET, repair=True, then=Standing.FOLLOWS)
        standings.append(stores.records.standing())
    assert standings == [Standing.RETURNS, Standing.RETURNS, Standing.FOLLOWS]
