"""What can never be kept, what other programs have stored, and what an update sends."""

import re
from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from dynamodb_store.faulty_store import (
    DELETE,
    KEY,
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
from kinesis_handler import Aggregate, Key
from kinesis_handler.deadline import Deadline, within
from kinesis_handler.errors import UnreadableError, UnstorableError
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.stores.dynamodb.attributes import to_attribute, to_python
from kinesis_handler.stores.dynamodb.size import MAX_ITEM_BYTES, item_bytes
from kinesis_handler.testing.law_states import after as changed
from kinesis_handler.testing.law_states import aggregate, insert, load
from testkit.emulators.wire import Wire, undelivered
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables


class TestWhatCannotBeKept:
    @pytest.mark.parametrize(
        "state",
        [
            {"note": "x" * 410_000},
            {"amount": Decimal("1" * 39)},
            {"amount": Decimal("NaN")},
            {"amount": Decimal("Infinity")},
            {"amount": Decimal("1E126")},
            {"amount": Decimal("1E-131")},
        ],
        ids=["400 KB", "39 digits", "NaN", "infinite", "too large", "too small"],
    )
    @pytest.mark.parametrize("before", [False, True], ids=["new", "changed"])
    def test_one_state_of_many_that_can_never_be_kept_is_unstorable_and_all_others_are_saved(
        self, store: Store, state: dict[str, Any], *, before: bool
    ) -> None:
        changes = many(30)
        place = changes[7].key
        if before:
            insert(store.other, aggregate(place))
            changes[7] = changed(aggregate(place), **state)
        else:
            changes[7] = new(place, **state)
        saved = store.faulty.save(changes)
        assert {key: type(each) for key, each in saved.failed.items()} == {place: UnstorableError}
        assert not saved.conflicts
        assert not store.pauses
        found = stored(store, *keys(changes))
        assert found.pop(place, aggregate(place)) == aggregate(place)
        assert found.keys() == keys(changes) - {place}

    @pytest.mark.parametrize(
        "state",
        [
            {"note": "x" * 410_000},
            {"note": "å" * 205_000},
            {"tags": ("x",) * 205_000},
            {"tags": ("",) * 409_600},
        ],
        ids=["text", "other letters", "short texts", "no texts"],
    )
    def test_what_is_larger_than_an_item_may_be_costs_no_request(
        self, store: Store, wire: Wire, state: dict[str, Any]
    ) -> None:
        change = new(**state)
        saved = store.faulty.save([change])
        assert re.match(r"the item has 4\d\d,\d{3} bytes; DynamoDB takes 409,600$", str(saved.failed[KEY]))
        assert type(saved.failed[KEY]) is type(store.faulty.refusal(change.after)) is UnstorableError
        assert not wire.sent

    @pytest.mark.parametrize(
        "value",
        [
            "x",
            "å日🎲",
            "",
            None,
            True,
            [1, -10, 100, -12345, 0],
            [1_763_800_000_000, 1_763_800_000_001, 123_456_789, 10**37, -(10**37)],
            [Decimal(each) for each in ("12.5", "-0.05", "1E+20", "1E+21", "1.00", "-1E-7", "123.456")],
            [7.25, -0.001],
            {"at": 1_763_800_000_000, "id": "e-1", "amounts": [Decimal("1.10")], "none": {}},
        ],
        ids=str,
    )
    def test_an_item_as_large_as_can_be_is_kept_and_no_larger_one(self, store: Store, value: object) -> None:
        item = {**place(KEY), "note": {"S": ""}, "list": to_attribute([value] * 500)}
        fits = MAX_ITEM_BYTES - item_bytes({name: to_python(each) for name, each in item.items()})
        assert store.is_taken({**item, "note": {"S": "x" * fits}})
        assert not store.is_taken({**item, "note": {"S": "x" * (fits + 1)}})

    def test_several_states_that_can_never_be_stored_are_distinguished_from_all_others(
        self, store: Store
    ) -> None:
        changes = many(60)
        bad = [changes[at] for at in (0, 1, 24, 25, 59)]
        mixed = [new(change.key, amount=Decimal("1" * 39)) if change in bad else change for change in changes]
        saved = store.faulty.save(mixed)
        assert saved.failed.keys() == keys(bad)
        assert {type(each) for each in saved.failed.values()} == {UnstorableError}
        assert stored(store, *keys(changes)).keys() == keys(changes) - keys(bad)

    @pytest.mark.parametrize("digits", ["9" * 38, "-0." + "1" * 38, "9.9E+125", "-1E-130", "0"])
    def test_a_number_as_long_as_can_be_is_kept(self, store: Store, digits: str) -> None:
        save(store, new(amount=Decimal(digits)))
        assert stored(store) == {KEY: aggregate(KEY, amount=Decimal(digits))}

    @pytest.mark.parametrize(
        "key",
        [("", "1"), ("a", ""), ("a" * 2_049, "1"), ("a", "a" * 1_025), ("å" * 1_025, "1"), ("a", "å" * 513)],
        ids=[
            "no partition",
            "no sort",
            "long partition",
            "long sort",
            "partition of many bytes",
            "sort of many",
        ],
    )
    def test_a_key_that_can_never_be_kept_is_unstorable_without_a_request(
        self, store: Store, wire: Wire, key: Key
    ) -> None:
        loaded = store.faulty.load([key])
        assert not loaded.found
        assert {failed: type(each) for failed, each in loaded.failed.items()} == {key: UnstorableError}
        assert not wire.sent

    def test_a_key_that_can_never_be_kept_keeps_no_other_from_being_loaded(self, store: Store) -> None:
        insert(store.other, aggregate(KEY))
        loaded = store.faulty.load([("", "1"), KEY])
        assert loaded.found.keys() == {KEY}
        assert loaded.failed.keys() == {("", "1")}

    def test_a_key_as_long_as_can_be_is_kept(self, store: Store) -> None:
        key = ("å" * 1_024, "å" * 512)
        save(store, new(key))
        assert stored(store, key).keys() == {key}


class Indexed(Struct, frozen=True):
    open: str | UnsetType = UNSET


STATE: dict[str, Any] = {
    "version": {"N": "1"},
    "updatedAt": {"N": "1"},
    "recordSequenceNumber": {"S": "1"},
    "recordSubSequenceNumber": {"N": "0"},
    "recentEventIds": {"L": []},
    "amount": {"N": "1.1"},
}


SOMETHING_ELSE = pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"count": {"N": "1"}}, id="no version"),
        pytest.param(STATE | {"version": {"S": "one"}}, id="version of text"),
        pytest.param(STATE | {"version": {"B": b"1"}}, id="version of bytes"),
        pytest.param(STATE | {"amount": {"M": {}}}, id="amount that is none"),
        pytest.param({"expiresAt": {"S": "tomorrow"}}, id="expiry of text"),
        pytest.param({"expiresAt": {"NULL": True}}, id="expiry of null"),
        pytest.param(STATE | {"decimals": {"S": "two"}}, id="decimals of text"),
        pytest.param(STATE | {"decimals": {"M": {"amount": {"N": "1.5"}}}}, id="decimals of a fraction"),
        pytest.param(STATE | {"decimals": {"M": {"amount": {"N": "1000"}}}}, id="decimals of too many"),
        pytest.param(
            STATE | {"amount": {"NULL": True}, "decimals": {"M": {"amount": {"N": "2"}}}},
            id="decimals of nothing",
        ),
        pytest.param(
            STATE | {"amount": {"L": []}, "decimals": {"M": {"amount": {"N": "2"}}}}, id="decimals of a list"
        ),
    ],
)


class TestItemsOfAnotherProgram:
    @SOMETHING_ELSE
    def test_an_item_that_is_no_such_state_fails_to_load_and_the_others_are_found(
        self, store: Store, attributes: dict[str, Any]
    ) -> None:
        insert(store.other, aggregate(("a", "2")))
        store.put(attributes)
        loaded = store.faulty.load([KEY, ("a", "2")])
        assert loaded.found.keys() == {("a", "2")}
        assert {key: type(each) for key, each in loaded.failed.items()} == {KEY: UnreadableError}

    @SOMETHING_ELSE
    def test_a_new_item_whose_place_is_taken_by_something_else_fails_and_leaves_it_alone(
        self, store: Store, attributes: dict[str, Any]
    ) -> None:
        store.put(attributes)
        saved = store.faulty.save([new(), new(("a", "2"))])
        assert not saved.conflicts
        assert {key: type(each) for key, each in saved.failed.items()} == {KEY: UnreadableError}
        assert store.item() == {**place(KEY), **attributes}
        assert stored(store, ("a", "2")).keys() == {("a", "2")}

    def test_an_expired_item_of_something_else_keeps_no_other_from_being_saved(self, expiring: Store) -> None:
        expiring.put({"expiresAt": {"N": "1"}})
        saved = expiring.faulty.save([new(), new(("a", "2"))])
        assert saved.failed.keys() <= {KEY}
        assert ("a", "2") in stored(expiring, ("a", "2"))

    def test_a_lost_insert_where_something_else_is_fails_even_if_there_is_no_time_left(
        self, store: Store, wire: Wire
    ) -> None:
        store.put({})
        wire.on(WRITE, undelivered)
        with within(Deadline(lambda: 0.0)):
            saved = store.faulty.save([new()])
        assert {key: type(each) for key, each in saved.failed.items()} == {KEY: UnreadableError}

    def test_attributes_of_another_program_do_not_disturb_and_survive_an_update(self, store: Store) -> None:
        first = aggregate(KEY)
        insert(store.other, first)
        added = {
            "theirText": {"S": "x"},
            "theirSet": {"SS": ["x", "y"]},
            "theirNumbers": {"NS": ["1"]},
            "theirBinary": {"B": b"x"},
            "theirMap": {"M": {"x": {"L": [{"NULL": True}, {"BOOL": False}]}}},
        }
        for name, value in added.items():
            store.set(name, value)
        assert load(store.faulty, KEY) == first
        save(store, changed(first, count=2))
        assert store.item() | added == store.item()


class TestWhatIsSent:
    def test_an_update_sets_every_field_and_removes_what_an_item_may_lack(
        self, store: Store, wire: Wire
    ) -> None:
        first = aggregate(KEY, note="first", amount=Decimal("12.5"), tags=("x",))
        insert(store.other, first)
        untouched = store.item()
        save(store, changed(first, count=2, note=None))
        [[statement]] = [body["Statements"] for body in wire.bodies(WRITE)]
        sets, _, condition = statement["Statement"].partition(" WHERE ")
        assert set(re.findall(r'SET "(\w+)"', sets)) == untouched.keys() - place(KEY).keys()
        assert re.findall(r'REMOVE "(\w+)"', sets) == ["decimals", "expiresAt"]
        assert '"version"=?' in condition
        written = {"count": {"N": "2"}, "version": {"N": "2"}, "note": {"NULL": True}}
        assert store.item() == untouched | written

    def test_a_field_that_is_unset_is_not_there_so_that_an_index_may_leave_the_item_out(
        self, tables: Tables
    ) -> None:
        name = tables.table().name
        repository = DynamoDBRepository(
            tables.connection, name, Indexed, partition_key=PARTITION_KEY, sort_key=SORT_KEY
        )
        first = Aggregate(**asdict(aggregate(KEY)) | {"state": Indexed("x")})
        assert repository.save([Change(None, first)]) == Saved()
        second = Aggregate(**asdict(first) | {"state": Indexed(), "version": 2})
        assert repository.save([Change(first, second)]) == Saved()
        [item] = tables.client.scan(TableName=name)["Items"]
        assert "open" not in item
        assert repository.load([KEY]).found == {KEY: second}

    def test_what_expires_says_so_in_whole_seconds(self, expiring: Store) -> None:
        expiring.clock.advance(0.25)
        save(expiring, new())
        assert expiring.item()["expiresAt"] == {"N": f"{4_000_000_001 + TTL}"}

    def test_what_does_not_expire_says_nothing_of_it(self, store: Store) -> None:
        save(store, new())
        assert "expiresAt" not in store.item()

    def test_what_no_longer_expires_says_nothing_of_it(self, expiring: Store) -> None:
        first = aggregate(KEY)
        save(expiring, Change(None, first))
        insert(expiring.repository(ttl=0), aggregate(("a", "2")))
        assert not expiring.repository(ttl=0).save([changed(first)]).conflicts
        assert "expiresAt" not in expiring.item()

    def test_load_reads_consistently_and_find_and_scan_at_half_the_price(
        self, store: Store, wire: Wire
    ) -> None:
        store.faulty.load([KEY])
        store.faulty.find("a")
        list(store.faulty.scan())
        [read] = wire.bodies(READ)
        assert read["RequestItems"][store.table]["ConsistentRead"] is True
        for body in wire.bodies("Query") + wire.bodies("Scan"):
            assert not body.get("ConsistentRead")

    def test_nothing_is_sent_for_nothing(self, store: Store, wire: Wire) -> None:
        store.faulty.load([])
        store.faulty.save([])
        store.faulty.delete([])
        assert not wire.sent

    def test_a_key_given_twice_is_asked_for_once(self, store: Store, wire: Wire) -> None:
        insert(store.other, aggregate(KEY))
        assert store.faulty.load([KEY, KEY]).found.keys() == {KEY}
        store.faulty.delete([KEY, KEY])
        assert (wire.count(READ), wire.count(DELETE)) == (1, 1)
