"""For whom a redriven record is: the readers and keys that have not dealt with it, and no others."""

import json
from collections.abc import Callable, Collection
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from aggregates import aggregate
from interrupted import Interrupted, Killed
from kinesis_handler import BusinessError, Event, Key, KinesisHandler, Projection, RejectedError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive import Redrive, Result
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.entry import ALL, Entry
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock
from redrive.waiting import give_up, on_shard, results_of
from testkit.quarantine import MemoryQuarantine

TTL = 1_000


class Moved(Struct):
    account: str
    number: int
    userId: str = "anna"  # noqa: N815 - the partition key of `on_shard`


class Moves(Struct, frozen=True):
    account: str
    numbers: tuple[int, ...]


class Journal(Projection[Moves, Moved]):
    """Lists the numbers of each account; each letter of an event's account is one."""

    event_types = {"MOVED": Moved}
    refused: Collection[tuple[str, int]] = ()
    failing: Collection[int] = ()

    def keys(self, event: Event[Moved]) -> list[Key]:
        return [("bank", letter) for letter in event.payload.account]

    def apply(self, state: Moves | None, event: Event[Moved]) -> Moves:
        number, known = event.payload.number, state or Moves(event.payload.account, ())
        if number in self.failing:
            raise BusinessError("not yet")
        if (known.account, number) in self.refused:
            raise RejectedError("never")
        return Moves(known.account, (*known.numbers, number))


class Copy(Journal):
    """A second reader of the same events."""


def moved(*accounts: str, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "eventId": f"e{number}",
            "type": "MOVED",
            "createdAt": number,
            "payload": {"account": account, "number": number, "userId": "anna"},
        }
        for number, account in enumerate(accounts, start=first)
    ]


class Bank:
    """Two readers, and the quarantine of their handler."""

    def __init__(self, *, park_after: float | None = None, interrupt: Callable[[], object] = str) -> None:
        self.clock = FakeClock()
        self.quarantine = MemoryQuarantine()
        self.stores = [MemoryRepository[Moves](TTL, self.clock) for _ in range(2)]
        first, second = (Interrupted(each, interrupt) for each in self.stores)
        self.journal = Journal(first, park_after=park_after)
        self.copy = Copy(second, park_after=park_after)
        self.handler = KinesisHandler(
            [self.journal, self.copy], quarantine=self.quarantine, now=self.clock, clock=self.clock
        )

    def handle(self, records: list[LambdaRecord]) -> list[str]:
        return [each.outcome.status.value for each in self.handler.handle({"Records": records})]

    def redrive(self, handler: KinesisHandler | None = None) -> list[tuple[int, str]]:
        target = ThroughHandler(handler or self.handler, self.quarantine, clock=self.clock)
        sent = Redrive([read_contents(self.quarantine)], clock=self.clock).run(target)
        return results_of(list(sent))

    def waiting(self) -> list[Entry]:
        return [each.entry for each in waiting_in([read_contents(self.quarantine)]).values()]

    def numbers(self, reader: int) -> dict[str, tuple[int, ...]]:
        return {each.key[1]: each.state.numbers for each in self.stores[reader].scan()}

    def expire(self) -> None:
        self.clock.advance(TTL + 1)
        assert self.numbers(0) == self.numbers(1) == {}


def refuses(*refused: tuple[str, int]) -> set[tuple[str, int]]:
    return set(refused)


class World(Bank):
    """A stream of two readers, redriven at any moment: between two deliveries, and in the midst of one."""

    LETTERS = "xyz"

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.interruptions, self.depth = 8, 0
        super().__init__(park_after=random.choice((None, 0)), interrupt=self._interrupt)
        accounts = [
            *self.LETTERS,
            *("".join(random.sample("xyz", random.choice((1, 1, 2)))) for _ in range(9)),
        ]
        self.records = on_shard(moved(*accounts))
        self.accounts = accounts
        self.refused = {
            reader: {(letter, number) for number in range(3, 12) for letter in "xyz" if random.random() < 0.2}
            for reader in (self.journal, self.copy)
        }
        for reader, refused in self.refused.items():
            reader.refused = set(refused)
            reader.failing = {number for number in range(3, 12) if random.random() < 0.2}

    def run(self) -> None:
        """Deliver the stream, mend all, and redrive until nothing changes."""
        start = 0
        while start < len(self.records):
            start += self._deliver(self.records[start : start + self.random.randint(1, 6)])
            for reader in (self.journal, self.copy):
                if reader.failing and self.random.random() < 0.5:
                    reader.failing = set(list(reader.failing)[1:])
            self._mend()
            if self.random.random() < 0.3:
                with suppress(Killed):
                    self.redrive()
        self.interruptions = 0
        for reader in (self.journal, self.copy):
            reader.failing = reader.refused = ()
        before: list[Entry] | None = None
        while before != self.waiting():
            before = self.waiting()
            self.redrive()

    def problems(self) -> list[str]:
        """Return where a state is no clean pass, with what waits as rejected left out."""
        found = []
        for index, reader in enumerate((self.journal, self.copy)):
            name = type(reader).__name__
            for letter in self.LETTERS:
                numbers = self.numbers(index).get(letter, ())
                who = ReaderKey(name, ("bank", letter))
                left = {
                    int(each.event_id[1:])
                    for each in self.waiting()
                    if who in each.rejected and each.event_id
                }
                mine = [number for number, account in enumerate(self.accounts) if letter in account]
                if [*numbers] != [each for each in mine if each not in left]:
                    found.append(f"{name} {letter}: {numbers}, expected {mine} without {left}")
                if not all((letter, each) in self.refused[reader] for each in left):
                    found.append(f"{name} {letter}: {left} wait, and were not all rejected")
        return found

    def _mend(self) -> None:
        for reader in (self.journal, self.copy):
            if reader.refused and self.random.random() < 0.3:
                reader.refused = set(sorted(reader.refused)[1:])

    def _deliver(self, records: list[LambdaRecord]) -> int:
        try:
            failed = self.handler.handle({"Records": records}).response()["batchItemFailures"]
        except Killed:
            return 0
        numbers = [each["kinesis"]["sequenceNumber"] for each in records]
        return min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(records))

    def _interrupt(self) -> None:
        if self.interruptions == 0 or self.depth or self.random.random() > 0.15:
            return
        self.interruptions -= 1
        self.depth += 1
        if self.random.random() < 0.5:
            self._mend()
        with suppress(Killed):
            self.redrive()
        self.depth -= 1
        if self.random.random() < 0.3:
            raise Killed


def differs(seed: int) -> list[str]:
    world = World(seed)
    world.run()
    return world.problems()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_redriven_at_any_moment_ends_in_the_clean_pass_of_each_reader(seed: int) -> None:
    assert differs(seed) == []


def differs_after_an_expiry(seed: int) -> bool:
    """Return whether anything but what was rejected is applied when that is redriven after an expiry."""
    random, bank = Random(seed), Bank()
    accounts = [*"xyz", *("".join(random.sample("xyz", random.choice((1, 2)))) for _ in range(8))]
    refused = []
    for reader in (bank.journal, bank.copy):
        mine = [(letter, at) for at, account in enumerate(accounts) for letter in account if at > 2]
        refused.append({each for each in mine if random.random() < 0.3})
        reader.refused = refused[-1]
    bank.handle(on_shard(moved(*accounts)))
    bank.expire()
    bank.journal.refused = bank.copy.refused = ()
    bank.redrive()
    right = [
        {letter: tuple(sorted(at for each, at in pairs if each == letter)) for letter in dict(pairs)}
        for pairs in refused
    ]
    return [bank.numbers(0), bank.numbers(1)] != right or bank.waiting() != []


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_redriven_after_an_expiry_is_applied_where_it_was_rejected_and_nowhere_else(
    seed: int,
) -> None:
    assert not differs_after_an_expiry(seed)


@pytest.mark.parametrize("broken", ["handed to all", "put too early"])
def test_a_redrive_that_hands_a_record_to_all_or_a_handler_that_quarantines_too_early_is_found(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "handed to all":
        monkeypatch.setattr(Recipients, "_of", lambda *_: None)
    else:
        for module in ("loading", "partial_save"):
            monkeypatch.setattr(f"kinesis_handler.{module}.behind_change", lambda _: None)
    assert any(differs(seed) for seed in range(200))
    assert broken != "handed to all" or any(differs_after_an_expiry(seed) for seed in range(9))


def test_an_entry_names_the_readers_and_keys_that_rejected_it_or_are_parked_by_it() -> None:
    bank = Bank(park_after=0)
    bank.journal.refused = refuses(("x", 2))
    bank.copy.failing = {2}
    assert bank.handle(on_shard(moved("x", "y", "xy"))) == ["applied", "applied", "parked"]
    [entry] = bank.waiting()
    assert entry.rejected == (ReaderKey("Journal", ("bank", "x")),)
    assert entry.parked == (ReaderKey("Copy", ("bank", "x")), ReaderKey("Copy", ("bank", "y")))
    lines = [json.loads(line) for each in bank.quarantine.objects.values() for line in each.splitlines()]
    assert [each.get("rejected") for each in lines if "rejected" in each] == [
        [{"reader": "Journal", "key": ["bank", "x"]}]
    ]


def test_what_could_not_be_decoded_or_was_given_up_names_nobody_and_goes_to_all() -> None:
    bank = Bank()
    give_up(bank.quarantine, on_shard(moved("x")))
    bank.handle(on_shard([b'{"eventId":"e1","type":"MOVED","createdAt":1,"payload":{}}'], first=1))
    assert [(each.rejected, each.parked) for each in bank.waiting()] == [((), ()), ((), ())]
    assert bank.redrive() == [(0, Result.APPLIED), (1, Result.REJECTED)]
    assert bank.numbers(0) == bank.numbers(1) == {"x": (0,)}


def test_a_record_that_one_reader_rejected_is_not_applied_again_by_the_other_that_has_forgotten_it() -> None:
    bank = Bank()
    bank.journal.refused = refuses(("x", 1))
    assert bank.handle(on_shard(moved("x", "x"))) == ["applied", "rejected"]
    bank.expire()
    bank.journal.refused = ()
    assert bank.redrive() == [(1, Result.APPLIED)]
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (1,)}, {})


def test_a_record_that_one_key_rejected_is_not_applied_again_to_the_other_that_has_forgotten_it() -> None:
    bank = Bank()
    bank.journal.refused = refuses(("x", 2))
    assert bank.handle(on_shard(moved("x", "y", "xy"))) == ["applied", "applied", "rejected"]
    bank.expire()
    bank.journal.refused = ()
    bank.redrive()
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (2,)}, {})


def test_a_record_that_is_parked_for_one_key_is_released_when_the_other_has_forgotten_it() -> None:
    bank = Bank(park_after=0)
    bank.journal.failing = {1}
    assert bank.handle(on_shard(moved("x", "x"))) == ["applied", "parked"]
    bank.journal.failing = ()
    assert bank.handle(on_shard(moved("xy", first=2), first=2)) == ["parked"], "behind the other one"
    bank.clock.advance(TTL + 1)
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (0,)}, {}), "a parked key does not expire"
    assert bank.redrive() == [(1, Result.APPLIED), (2, Result.APPLIED)]
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (0, 1, 2)}, {})
    assert bank.waiting() == []


def test_what_one_reader_has_dealt_with_is_marked_though_the_other_rejects_it_again() -> None:
    bank = Bank()
    bank.journal.refused = bank.copy.refused = refuses(("x", 1))
    assert bank.handle(on_shard(moved("x", "x"))) == ["applied", "rejected"]
    bank.copy.refused = ()
    assert bank.redrive() == [(1, Result.REJECTED)]
    assert [each.rejected for each in bank.waiting()] == [(ReaderKey("Journal", ("bank", "x")),)]
    bank.expire()
    bank.journal.refused = ()
    assert bank.redrive() == [(1, Result.APPLIED)]
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (1,)}, {})


def test_of_a_record_that_named_nobody_what_is_rejected_names_who_did_it() -> None:
    bank = Bank()
    give_up(bank.quarantine, on_shard(moved("x", "x")))
    bank.journal.refused = refuses(("x", 1))
    assert bank.redrive() == [(0, Result.APPLIED), (1, Result.REJECTED)]
    assert [each.rejected for each in bank.waiting()] == [(ReaderKey("Journal", ("bank", "x")),)]


def test_other_parts_of_a_kpl_record_are_handed_to_nobody() -> None:
    bank = Bank()
    parts = [("anna", None, json.dumps(each).encode()) for each in moved("x", "y")]
    bank.journal.refused = refuses(("x", 0))
    assert bank.handle(on_shard([aggregate(parts)])) == ["rejected", "applied"]
    bank.expire()
    bank.journal.refused = ()
    bank.redrive()
    assert (bank.numbers(0), bank.numbers(1)) == ({"x": (0,)}, {})


class TestARenamedReader:
    def rejected(self) -> Bank:
        bank = Bank()
        bank.journal.refused = refuses(("x", 1))
        bank.handle(on_shard(moved("x", "x")))
        return bank

    def test_what_waits_for_it_stays_and_the_reason_says_what_to_do(self) -> None:
        bank = self.rejected()

        class Diary(Journal):
            pass

        renamed = KinesisHandler([Diary(bank.stores[0]), bank.copy], quarantine=bank.quarantine)
        target = ThroughHandler(renamed, bank.quarantine, clock=bank.clock)
        [[(_, verdict)]] = Redrive([read_contents(bank.quarantine)]).run(target)
        assert (verdict.result, verdict.done) == (Result.NO_READER, False)
        assert verdict.reason == (
            "it waits for the reader Journal, and this application has Diary, Copy: if it was renamed, set "
            "`reader_name = 'Journal'`"
        )
        assert bank.numbers(0) == {"x": (0,)}

    def test_it_gets_what_waits_for_it_if_it_says_its_old_name(self) -> None:
        bank = self.rejected()

        class Diary(Journal):
            reader_name = "Journal"

        renamed = KinesisHandler([Diary(bank.stores[0]), bank.copy], quarantine=bank.quarantine)
        assert bank.redrive(renamed) == [(1, Result.APPLIED)]
        assert bank.numbers(0) == {"x": (0, 1)}

    def test_if_nobody_takes_the_type_any_more_it_is_ignored(self) -> None:
        bank = self.rejected()

        class Other(Journal):
            event_types = {"OTHER": Moved}

        other = KinesisHandler([Other(bank.stores[0])], quarantine=bank.quarantine)
        assert bank.redrive(other) == [(1, Result.IGNORED)]
        assert bank.waiting() == []


def test_a_record_that_was_rejected_for_a_wrong_key_goes_to_the_right_one() -> None:
    bank = Bank()
    bank.journal.refused = refuses(("x", 1))
    bank.handle(on_shard(moved("x", "x")))

    class Mended(Journal):
        reader_name = "Journal"

        def keys(self, event: Event[Moved]) -> list[Key]:
            return [("right", event.payload.account)]

    mended = KinesisHandler([Mended(bank.stores[0]), bank.copy], quarantine=bank.quarantine)
    assert bank.redrive(mended) == [(1, Result.APPLIED)]
    assert [(each.key, each.state.numbers) for each in bank.stores[0].scan()] == [
        (("bank", "x"), (0,)),
        (("right", "x"), (1,)),
    ]


def test_an_entry_that_is_for_all_and_one_that_names_a_reader_are_for_all_together() -> None:
    bank = Bank()
    records = on_shard(moved("x"))
    bank.journal.refused = refuses(("x", 0))
    bank.handle(records)
    [(name, content)] = bank.quarantine.objects.items()
    nameless = {key: value for key, value in json.loads(content).items() if key != "rejected"}
    bank.quarantine.keep(f"{name}.old.jsonl", json.dumps(nameless).encode())  # as version 0.2 wrote it
    [entry] = bank.waiting()
    assert entry.rejected == (ALL, ReaderKey("Journal", ("bank", "x")))
    bank.journal.refused = ()
    assert bank.redrive() == [(0, Result.APPLIED)]
    assert bank.waiting() == []
