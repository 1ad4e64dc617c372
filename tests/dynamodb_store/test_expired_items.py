"""Items that have expired and are still there; partitions and tables of several pages."""

import re

import pytest

from dynamodb_store.faulty_store import (
    KEY,
    LOST_ANSWERS,
    READ,
    TTL,
    WRITE,
    Store,
    keys,
    many,
    new,
    place,
    save,
    stored,
)
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.retry import (
    ATTEMPTS,
)
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import after as changed
from kinesis_handler.testing.law_states import aggregate, find_all, insert
from testkit.emulators.wire import Answer, Call, Fault, Wire, after, then, undelivered, unreachable


class TestExpiredItems:
    @pytest.fixture
    def expired(self, expiring: Store) -> Aggregate[LawState]:
        """Return what has expired, and is still stored."""
        old = aggregate(KEY, 5, note="old", tags=("old",), count=5)
        insert(expiring.other, old)
        expiring.set("theirs", {"S": "of another program"})
        expiring.clock.advance(TTL)
        return old

    @pytest.mark.usefixtures("expired")
    def test_a_new_item_in_the_place_of_an_expired_one_replaces_it_whole(
        self, expiring: Store, wire: Wire
    ) -> None:
        save(expiring, new())
        save(expiring, new(("b", "1")))
        replaced, inserted = expiring.item(), expiring.item(("b", "1"))
        assert replaced | place(("b", "1")) == inserted
        assert wire.count(READ) == 1

    @pytest.mark.usefixtures("expired")
    def test_many_new_items_in_the_places_of_expired_ones_are_looked_up_at_once(
        self, expiring: Store, wire: Wire
    ) -> None:
        changes = many(50)
        insert(expiring.other, *(change.after for change in changes))
        expiring.clock.advance(TTL)
        again = many(50, note="again")
        save(expiring, *again)
        assert stored(expiring, *keys(again)) == {change.key: change.after for change in again}
        assert (wire.count(WRITE), wire.count(READ)) == (4, 1)

    @pytest.mark.usefixtures("expired")
    def test_of_two_that_replace_the_same_expired_item_one_wins(self, expiring: Store, wire: Wire) -> None:
        theirs = new(note="theirs")
        wire.on(WRITE, Call.send)
        wire.on(WRITE, after(lambda: insert(expiring.other, theirs.after), Call.send))
        saved = expiring.faulty.save([new(note="mine")])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(expiring) == {KEY: theirs.after}

    @pytest.mark.usefixtures("expired")
    def test_an_expired_item_that_dynamodb_removes_before_our_look_is_no_conflict(
        self, expiring: Store, wire: Wire
    ) -> None:
        wire.on(READ, after(expiring.remove, Call.send))
        save(expiring, new())
        assert stored(expiring) == {KEY: aggregate(KEY)}
        assert wire.count(WRITE) == 2

    @pytest.mark.usefixtures("expired")
    def test_another_writers_item_after_that_removal_is_a_conflict(self, expiring: Store, wire: Wire) -> None:
        theirs = new(note="theirs")
        wire.on(READ, after(expiring.remove, Call.send))
        wire.on(WRITE, Call.send)
        wire.on(WRITE, after(lambda: insert(expiring.other, theirs.after), Call.send))
        saved = expiring.faulty.save([new(note="mine")])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(expiring) == {KEY: theirs.after}

    @LOST_ANSWERS
    @pytest.mark.usefixtures("expired")
    def test_a_replacement_whose_answer_was_lost_is_looked_up_and_not_repeated(
        self, expiring: Store, wire: Wire, lost: Fault
    ) -> None:
        wire.on(WRITE, Call.send)
        wire.on(WRITE, lost)
        save(expiring, new())
        assert stored(expiring) == {KEY: aggregate(KEY)}
        assert wire.count(WRITE) == 2

    @pytest.mark.usefixtures("expired")
    def test_a_replacement_that_was_lost_on_its_way_is_sent_again(self, expiring: Store, wire: Wire) -> None:
        wire.on(WRITE, undelivered)
        wire.on(WRITE, undelivered)
        save(expiring, new())
        assert stored(expiring) == {KEY: aggregate(KEY)}

    @pytest.mark.usefixtures("expired")
    def test_a_replacement_that_was_lost_while_dynamodb_removed_the_item_becomes_an_insert(
        self, expiring: Store, wire: Wire
    ) -> None:
        wire.on(WRITE, Call.send)
        wire.on(WRITE, then(undelivered, expiring.remove))
        save(expiring, new())
        assert stored(expiring) == {KEY: aggregate(KEY)}
        assert wire.count(WRITE) == 3

    def test_an_item_that_comes_and_goes_ends_with_the_patience(self, expiring: Store, wire: Wire) -> None:
        other = new(note="theirs").after

        def comes(call: Call) -> Answer:
            insert(expiring.other, other)
            answer = call.send()
            expiring.remove()
            return answer

        wire.on(WRITE, undelivered)
        wire.on(WRITE, comes, times=ATTEMPTS - 1)
        saved = expiring.faulty.save([new()])
        assert not saved.conflicts
        assert str(saved.failed[KEY]) == "DynamoDB: the item keeps changing"

    @pytest.mark.usefixtures("expired")
    def test_a_look_for_an_expired_item_that_fails_makes_no_conflict(
        self, expiring: Store, wire: Wire
    ) -> None:
        wire.on(READ, unreachable, times=ATTEMPTS)
        assert not expiring.faulty.save([new()]).conflicts

    def test_a_change_of_what_has_expired_is_a_conflict_and_leaves_it_alone(
        self, expiring: Store, expired: Aggregate[LawState]
    ) -> None:
        before = expiring.item()
        saved = expiring.faulty.save([changed(expired)])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert expiring.item() == before


class TestPages:
    def test_a_scan_of_several_pages_yields_each_once(self, store: Store, wire: Wire) -> None:
        changes = many(12, note="x" * 200_000)  # DynamoDB answers with a megabyte at most
        insert(store.other, *(change.after for change in changes))
        found = [each.key for each in store.faulty.scan()]
        assert sorted(found) == sorted(keys(changes))
        assert any("ExclusiveStartKey" in body for body in wire.bodies("Scan"))

    def test_a_partition_of_several_pages_is_found_in_one(self, store: Store, wire: Wire) -> None:
        changes = many(12, note="x" * 200_000)
        insert(store.other, *(change.after for change in changes))
        page = store.faulty.find("a")
        assert [each.key for each in page.aggregates] == sorted(keys(changes))
        assert page.cursor is None
        assert any("ExclusiveStartKey" in body for body in wire.bodies("Query"))

    @pytest.mark.parametrize("limit", [1, 3, 4, 100])
    def test_a_page_is_full_however_many_have_expired_in_between(self, expiring: Store, limit: int) -> None:
        changes = many(20)
        insert(expiring.other, *(change.after for change in changes))
        expiring.clock.advance(TTL)
        alive = [changes[at] for at in (5, 6, 13, 19)]
        insert(expiring.other, *(change.after for change in alive))
        page = expiring.faulty.find("a", limit=limit)
        assert len(page.aggregates) == min(limit, 4)
        assert find_all(expiring.faulty, "a", limit) == [change.after for change in alive]

    def test_an_item_that_is_no_such_state_is_named_with_its_table(self, store: Store) -> None:
        store.put({"count": {"N": "1"}})
        page = store.faulty.find("a")
        assert not page.aggregates
        assert re.match(
            rf"what is stored under \('a', '1'\) in table '{store.table}' is no LawState: .*missing required "
            ".*Repair it there, or delete it and send the events of its key again$",
            str(page.unreadable[KEY]),
        )

    def test_an_item_whose_expiry_is_no_number_keeps_no_other_from_being_found(self, store: Store) -> None:
        insert(store.other, aggregate(("a", "2")))
        store.put({"expiresAt": {"S": "tomorrow"}})
        page = store.faulty.find("a")
        assert [each.key for each in page.aggregates] == [("a", "2")]
        assert page.unreadable.keys() == {KEY}
