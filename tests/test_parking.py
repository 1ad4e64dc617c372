"""G10: order outlives the last retry. What is parked is overtaken by nothing, and released in its order."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count, takewhile
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import Account, Accounts, Closed, Moved, accounts_of, expected, movements, records_of, visible
from interrupted import Interrupted, Killed
from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Deleted,
    Event,
    Key,
    KinesisHandler,
    RejectedError,
)
from kinesis_handler.aggregate import Parked
from kinesis_handler.errors import QuarantineError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.local.redrive import Redrive, Result, Sent
from kinesis_handler.local.redrive.rounds import Verdicts, redrive_all
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.local.redrive.through_stream import ThroughStream
from kinesis_handler.local.stream.writer import StreamWriter
from kinesis_handler.outcome import BatchResult, ReaderKey
from kinesis_handler.quarantine.contents import read_contents, remove_finished, waiting_in
from kinesis_handler.quarantine.entry import Entry
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from redrive.waiting import give_up
from testkit.quarantine import MemoryQuarantine
from testkit.tables import Tables

MakeRepository = Callable[[], Repository[Account]]
STORES = {"memory": 150, "sqlite": 20, "dynamodb": 8}
"""Each store, and how many examples its speed allows."""
PARK_AFTER, EVENTS = 10.0, 20


@pytest.fixture(scope="module")
def stores(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakeRepository]:
    folder, numbers = tmp_path_factory.mktemp("parking"), count()
    return {
        "memory": MemoryRepository,
        "sqlite": lambda: SQLiteRepository(folder / f"{next(numbers)}.db", Account),
        "dynamodb": lambda: tables.repository(Account),
    }


class Breaking(Accounts):
    """Fails at some movements until they are mended, rejects others; each event is asked for once."""

    def __init__(self, repository: Repository[Account], **options: Any) -> None:
        super().__init__(repository, **options)
        self.failing: set[str] = set()
        self.rejecting: set[str] = set()
        self.snapshots: set[str] = set()
        self.stream: list[dict[str, Any]] = []
        self.out_of_order: list[str] = []

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if self.stream and (state.movements if state else ()) != self._movements_before(event):
            self.out_of_order.append(event.id)
        if event.id in self.failing:
            raise BusinessError(f"{event.id} cannot be applied yet")
        if event.id in self.rejecting:
            raise RejectedError(f"{event.id} never can")
        if event.id in self.snapshots and isinstance(event.payload, Moved):
            return Account((event.payload.number,))
        return super().apply(state, event)

    def _movements_before(self, event: Event[Moved | Closed]) -> tuple[int, ...]:
        """Return what its account has seen when an event is applied, if no earlier one of it is missing."""
        found: list[int] = []
        for each in takewhile(lambda each: each["eventId"] != event.id, self.stream):
            if each["payload"]["account"] != event.payload.account or each["eventId"] in self.rejecting:
                continue
            if each["type"] == "CLOSED":
                found.clear()
            else:
                found.append(each["payload"]["number"])
        return tuple(found)

    def is_snapshot(self, event: Event[Moved | Closed], state: Account | None) -> bool:
        return event.id in self.snapshots and (state is None or len(state.movements) < EVENTS)


class World:
    """A stream, a live handler and those before it, redrives, and all that goes wrong around them."""

    def __init__(
        self, repository: Repository[Account], seed: int, *, numbered: bool, snapshots: float = 0
    ) -> None:
        self.random = random = Random(seed)
        self.clock = FakeClock()
        self.events = list(movements(random, EVENTS, numbered=numbered))
        self.records = records_of(self.events)
        for record in self.records:
            record["kinesis"]["approximateArrivalTimestamp"] = self.clock()
        self.repository = repository
        self.quarantine = MemoryQuarantine()
        self.quarantine.before = self.quarantine.after = self._perhaps_fail
        self.acknowledged, self.interruptions, self.depth = 0, 12, 0
        inner = Interrupted(FaultyRepository(repository, random, rate=0.1, budget=6), self._interrupt)
        self.accounts = Breaking(inner, park_after=PARK_AFTER)
        ids = [each["eventId"] for each in self.events]
        self.accounts.failing = {each for each in ids if random.random() < 0.25}
        self.accounts.snapshots = {each for each in ids if random.random() < snapshots}
        self.accounts.stream = [] if snapshots else self.events
        self.parked = 0
        self.handler = KinesisHandler([self.accounts], quarantine=self.quarantine, now=self.clock)

    def deliver_all(self) -> None:
        """Deliver the stream until all of it is acknowledged, some of it more than once."""
        start, rounds = 0, 0
        while start < len(self.records):
            rounds += 1
            assert rounds < 1_000, "the same records fail for ever"
            size = self.random.randint(1, 6)
            start += self._deliver(self.records[start : start + size])
            self.acknowledged = max(self.acknowledged, start)
            self.clock.advance(self.random.random() * 6)
            if self.random.random() < 0.2:
                self._redrive()
            if self.random.random() < 0.2:
                self._mend()
            if self.random.random() < 0.1:
                start = self.random.randrange(start + 1)

    def release_all(self) -> None:
        """Mend everything, and redrive until nothing waits."""
        while self.accounts.failing:
            self._mend()
        self.interruptions = 0
        for _ in range(20):
            waiting = waiting_in([read_contents(self.quarantine)]).values()
            if all(not each.entry.is_only_parked for each in waiting) and not self.parked_keys():
                break
            self._redrive()

    def applied(self) -> dict[Key, tuple[int, Account | None]]:
        """Return the version and the state of each key of which an event was applied.

        A key all of whose events were rejected when it was released is vacant, and was never seen.
        """
        return {key: each for key, each in accounts_of(self.repository).items() if each[0]}

    def parked_keys(self) -> list[Key]:
        """Return the keys that have a note."""
        return [each.key for each in self.repository.scan_stored() if each.is_parked]

    def applicable(self) -> list[dict[str, Any]]:
        """Return the events that can be applied in the end."""
        return [each for each in self.events if each["eventId"] not in self.accounts.rejecting]

    def _deliver(self, records: list[LambdaRecord]) -> int:
        """Return how many of the records are acknowledged, from the first on."""
        try:
            result = self.handler.handle({"Records": records})
        except Killed:
            return 0
        self.parked += result.counts()["parked"]  # type: ignore[index]  # a Status is a str
        failed = result.response()["batchItemFailures"]
        numbers = [each["kinesis"]["sequenceNumber"] for each in records]
        return min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(records))

    def _redrive(self) -> None:
        with suppress(Killed, QuarantineError):
            redrive(self.handler, self.quarantine)

    def _mend(self) -> None:
        if self.accounts.failing:
            mended = self.random.choice(sorted(self.accounts.failing))
            self.accounts.failing.remove(mended)
            if self.random.random() < 0.2:
                self.accounts.rejecting.add(mended)

    def _interrupt(self) -> None:
        """Let another handler or redrive come in between, or end this one."""
        if self.interruptions == 0 or self.depth > 1 or self.random.random() > 0.12:
            return
        self.interruptions -= 1
        self.depth += 1
        try:
            match self.random.randrange(3):
                case 0:
                    raise Killed
                case 1:
                    self._redrive()
                case _:
                    first = self.random.randrange(self.acknowledged + 1)  # a zombie has what came before
                    self._deliver(self.records[first : first + self.random.randint(1, 6)])
        finally:
            self.depth -= 1

    def _perhaps_fail(self, _name: str) -> None:
        if self.interruptions and self.random.random() < 0.15:
            self.interruptions -= 1
            raise QuarantineError("injected: the quarantine is down")


def redrive(handler: KinesisHandler, quarantine: MemoryQuarantine) -> list[Sent]:
    return list(Redrive([read_contents(quarantine)]).run(ThroughHandler(handler, quarantine)))


@pytest.mark.parametrize("store", STORES)
def test_whatever_fails_the_end_is_that_of_one_clean_pass(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store], deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans())
    def law(seed: int, numbered: bool) -> None:
        world = World(stores[store](), seed, numbered=numbered)
        world.deliver_all()
        world.release_all()
        assert world.applied() == expected(world.applicable())
        assert world.accounts.out_of_order == []
        check_nothing_is_parked(world)
        parked.append(world.parked)

    parked: list[int] = []
    law()
    assert sum(parked) > len(parked)


@pytest.mark.parametrize("store", STORES)
def test_with_snapshots_that_release_keys_the_states_are_those_of_one_clean_pass(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store] // 2, deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans())
    def law(seed: int, numbered: bool) -> None:
        world = World(stores[store](), seed, numbered=numbered, snapshots=0.2)
        world.deliver_all()
        world.release_all()
        clean: MemoryRepository[Account] = MemoryRepository()
        pure = Breaking(clean)
        pure.snapshots, pure.rejecting = world.accounts.snapshots, world.accounts.rejecting
        KinesisHandler([pure]).handle({"Records": world.records})
        states = {key: state for key, (_, state) in world.applied().items()}
        assert states == {key: state for key, (_, state) in accounts_of(clean).items()}
        check_nothing_is_parked(world)

    law()


def check_nothing_is_parked(world: World) -> None:
    """See that no note is left, and that only what was rejected is in the quarantine."""
    assert world.parked_keys() == []
    waiting = [each.entry for each in waiting_in([read_contents(world.quarantine)]).values()]
    assert {each.event_id for each in waiting} <= world.accounts.rejecting
    assert all(not each.is_only_parked for each in waiting)


class Bank:
    """A bank whose events arrived an hour ago, and its quarantine."""

    def __init__(self, *, park_after: float | None = PARK_AFTER, quarantine: bool = True) -> None:
        self.clock = FakeClock()
        self.repository: MemoryRepository[Account] = MemoryRepository()
        self.quarantine = MemoryQuarantine()
        self.accounts = Breaking(self.repository, park_after=park_after)
        kept = self.quarantine if quarantine else None
        self.handler = KinesisHandler([self.accounts], quarantine=kept, now=self.clock)

    def records(self, *accounts: str, age: float = 3_600) -> list[LambdaRecord]:
        """Return records of movements, one for each of these accounts: `e1`, `e2`…"""
        records = records_of(
            [
                {
                    "eventId": f"e{number}",
                    "type": "MOVED",
                    "createdAt": number,
                    "payload": {"account": account, "number": number},
                }
                for number, account in enumerate(accounts, start=1)
            ]
        )
        for record in records:
            record["kinesis"]["approximateArrivalTimestamp"] = self.clock() - age
        return records

    def handle(self, records: list[LambdaRecord]) -> list[str]:
        return statuses(self.handler.handle({"Records": records}))

    def note(self, account: str = "a") -> Parked | None:
        return self.repository.load([("bank", account)]).stored()["bank", account].parked

    def waiting(self) -> list[Entry]:
        return [each.entry for each in waiting_in([read_contents(self.quarantine)]).values()]

    def redrive(self) -> list[str]:
        """Return the last result of each entry."""
        sent = redrive(self.handler, self.quarantine)
        last = {entry.event_id: verdict for each in sent for entry, verdict in each}
        return [f"{event}: {verdict.result}" for event, verdict in last.items()]


def statuses(result: BatchResult) -> list[str]:
    return [each.outcome.status.value for each in result]


def test_what_fails_for_too_long_is_parked_with_all_behind_it_and_other_keys_go_on() -> None:
    bank = Bank()
    bank.accounts.failing = {"e2"}
    assert bank.handle(bank.records(*"aaba")) == ["applied", "parked", "applied", "parked"]
    assert visible(bank.repository) == {"a": (1,), "b": (3,)}
    note = bank.note()
    assert note is not None
    assert (note.count, note.reason) == (2, "BusinessError: e2 cannot be applied yet")
    assert note.since == int(bank.clock() * 1_000)
    parked = (ReaderKey("Breaking", ("bank", "a")),)
    assert [(each.event_id, each.parked, each.reason) for each in bank.waiting()] == [
        ("e2", parked, "e2 cannot be applied yet"),
        ("e4", parked, "an earlier event of the same key is parked"),
    ]


def test_what_lies_behind_is_not_tried_and_not_counted_when_it_comes_again() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    records = bank.records(*"aaa")
    assert bank.handle(records[:2]) == ["parked", "parked"]
    bank.accounts.failing.clear()
    assert bank.handle(records) == ["duplicate", "duplicate", "parked"]
    assert bank.note() is not None
    assert bank.redrive() == ["e1: applied", "e2: applied", "e3: applied"]
    assert visible(bank.repository) == {"a": (1, 2, 3)}
    assert (bank.note(), bank.waiting()) == (None, [])
    assert bank.handle(records) == ["duplicate"] * 3


def test_what_has_not_failed_for_long_is_delivered_again() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    records = bank.records(*"aab", age=PARK_AFTER - 1)
    assert bank.handle(records) == ["failed", "failed", "applied"]
    bank.clock.advance(1)
    assert bank.handle(records) == ["parked", "parked", "duplicate"]


def test_an_event_of_unknown_age_is_not_parked() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    [record] = bank.records("a")
    del record["kinesis"]["approximateArrivalTimestamp"]
    assert bank.handle([record]) == ["failed"]


@pytest.mark.parametrize("options", [{"park_after": None}, {"quarantine": False}])
def test_without_a_time_or_a_quarantine_nothing_is_parked(options: dict[str, Any]) -> None:
    bank = Bank(**options)
    bank.accounts.failing = {"e1"}
    assert bank.handle(bank.records(*"aab")) == ["failed", "failed", "applied"]


def test_a_parked_key_waits_where_nothing_can_be_parked() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    records = bank.records(*"aa")
    bank.handle(records[:1])
    without = KinesisHandler([Breaking(bank.repository)], now=bank.clock)
    result = without.handle({"Records": records})
    assert statuses(result) == ["duplicate", "failed"]
    assert "its key is parked" in str([each.outcome.error for each in result])


def test_a_key_that_was_never_known_is_parked_and_nobody_sees_it() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    assert bank.handle(bank.records("a")) == ["parked"]
    assert visible(bank.repository) == {}
    assert accounts_of(bank.repository) == {("bank", "a"): (0, None)}


def test_a_snapshot_releases_its_key_and_what_waited_is_superseded() -> None:
    bank = Bank()
    bank.accounts.failing, bank.accounts.snapshots = {"e1"}, {"e3"}
    assert bank.handle(bank.records(*"aaaa")) == ["parked", "parked", "applied", "applied"]
    assert visible(bank.repository) == {"a": (3, 4)}
    assert bank.redrive() == ["e1: superseded", "e2: superseded"]
    assert bank.waiting() == []


def test_a_snapshot_that_fails_waits_behind_the_others() -> None:
    bank = Bank()
    bank.accounts.failing, bank.accounts.snapshots = {"e1", "e2"}, {"e2"}
    assert bank.handle(bank.records(*"aa")) == ["parked", "parked"]
    assert [each.reason for each in bank.waiting()] == [
        "e1 cannot be applied yet",
        "e2 cannot be applied yet",
    ]


def test_what_fails_again_stays_parked_with_its_reason_and_what_lies_before_it_is_applied() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1", "e3"}
    bank.handle(bank.records(*"aaaa"))
    bank.accounts.failing.remove("e1")
    assert bank.redrive() == ["e1: applied", "e2: applied", "e3: failed again", "e4: failed again"]
    note = bank.note()
    assert note is not None
    assert (note.count, note.reason) == (2, "BusinessError: e3 cannot be applied yet")
    assert visible(bank.repository) == {"a": (1, 2)}


def test_nothing_is_released_while_a_part_of_it_is_missing() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    records = bank.records(*"aa")
    bank.handle(records[:1])
    first = dict(bank.quarantine.objects)
    bank.handle(records[1:])
    bank.accounts.failing.clear()
    for name in first:
        bank.quarantine.delete(name)
    assert bank.redrive() == ["e2: held back"]
    assert visible(bank.repository) == {}
    bank.quarantine.objects |= first
    assert bank.redrive() == ["e1: applied", "e2: applied"]


def test_what_was_given_up_is_applied_between_what_was_parked() -> None:
    bank = Bank()
    bank.accounts.failing = {"e2"}
    records = bank.records(*"aaa")
    give_up(bank.quarantine, records[:1])
    bank.handle(records[1:])
    bank.accounts.failing.clear()
    bank.redrive()
    assert visible(bank.repository) == {"a": (1, 2, 3)}
    assert bank.waiting() == []


def test_a_redrive_goes_round_again_for_a_key_of_which_a_live_handler_parks_more_meanwhile() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1", "e3"}
    records = bank.records(*"aaba")
    bank.handle(records[:3])
    bank.accounts.failing = {"e3"}
    read_before = [read_contents(bank.quarantine)]
    assert bank.handle(records[3:]) == ["parked"]
    rounds: list[dict[str | None, str]] = []

    def send(sending: Redrive) -> Verdicts:
        sent = [each for some in sending.run(ThroughHandler(bank.handler, bank.quarantine)) for each in some]
        rounds.append({entry.event_id: verdict.result for entry, verdict in sent})
        return {entry.position: (entry, verdict) for entry, verdict in sent}

    verdicts, _ = redrive_all(read_before, lambda: [read_contents(bank.quarantine)], lambda _: True, send)
    assert rounds == [
        {"e1": "held back", "e2": "held back", "e3": "failed again"},
        {"e1": "applied", "e2": "applied", "e4": "applied"},
    ]
    assert [verdict.result for _, verdict in verdicts.values()].count(Result.APPLIED) == 3
    assert visible(bank.repository) == {"a": (1, 2, 4)}


def test_in_a_rebuild_what_fails_is_parked_too_and_is_released() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    result = bank.handler.handle({"Records": bank.records(*"aab")}, rebuild=True)
    assert statuses(result) == ["parked", "parked", "applied"]
    bank.accounts.failing.clear()
    assert bank.redrive() == ["e1: applied", "e2: applied"]
    assert visible(bank.repository) == {"a": (1, 2), "b": (3,)}


def test_an_outage_of_the_store_parks_nothing() -> None:
    bank = Bank()
    down = FaultyRepository(bank.repository, Random(0), rate=1, budget=3)
    handler = KinesisHandler([Breaking(down)], quarantine=bank.quarantine, now=bank.clock)
    assert statuses(handler.handle({"Records": bank.records(*"ab")})) == ["failed", "failed"]
    assert bank.quarantine.objects == {}


def test_without_the_quarantine_nothing_is_noted_and_the_record_comes_again() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}

    def down(_name: str) -> None:
        raise QuarantineError("it is down")

    bank.quarantine.before = down
    assert bank.handle(bank.records("a")) == ["failed"]
    assert accounts_of(bank.repository) == {}


@pytest.mark.parametrize(("rejected", "objects"), [(0, 1), (10, 2)])
def test_a_thousand_keys_that_are_parked_at_once_are_one_object_or_two_if_others_are_rejected(
    rejected: int, objects: int
) -> None:
    bank = Bank()
    bank.accounts.failing = {f"e{number}" for number in range(1, 1_001)}
    bank.accounts.rejecting = {f"e{number}" for number in range(1_001, 1_001 + rejected)}
    records = bank.records(*(f"account-{number}" for number in range(1_000 + rejected)))
    outcomes = bank.handle([*records, *records_of([{}] * rejected)])
    assert (outcomes.count("parked"), outcomes.count("rejected")) == (1_000, 2 * rejected)
    assert len(bank.quarantine.objects) == objects
    assert len(bank.waiting()) == 1_000 + 2 * rejected


def test_parked_events_cannot_go_through_the_stream() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    bank.handle(bank.records("a"))

    def writer_of(arn: str) -> StreamWriter:
        raise AssertionError(f"{arn} is not written")

    sent = list(Redrive([read_contents(bank.quarantine)]).run(ThroughStream(writer_of)))
    [(_, verdict)] = [each for some in sent for each in some]
    assert (verdict.result, verdict.done) == ("held back", False)


def test_only_some_of_a_key_cannot_be_chosen() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    bank.handle(bank.records(*"aa"))
    chosen = Redrive([read_contents(bank.quarantine)], lambda entry: entry.event_id == "e2")
    assert [each.event_id for each in chosen.entries] == ["e1", "e2"]


def test_each_reader_and_each_key_is_parked_by_itself() -> None:
    class Both(Breaking):
        def keys(self, event: Event[Moved | Closed]) -> list[Key]:
            return [("bank", letter) for letter in event.payload.account]

    bank = Bank()
    second: MemoryRepository[Account] = MemoryRepository()
    both = Both(second, park_after=PARK_AFTER)
    handler = KinesisHandler([bank.accounts, both], quarantine=bank.quarantine, now=bank.clock)
    both.failing = {"e1"}
    result = handler.handle({"Records": bank.records("xy", "xy", "y", "z")})
    assert statuses(result) == ["parked", "parked", "parked", "applied"]
    assert visible(bank.repository) == {"xy": (1, 2), "y": (3,), "z": (4,)}
    for_x, for_y = (ReaderKey("Both", ("bank", letter)) for letter in "xy")
    assert [each.parked for each in bank.waiting()] == [(for_x, for_y), (for_x, for_y), (for_y,)]
    both.failing.clear()
    redrive(handler, bank.quarantine)
    assert visible(second) == {"x": (1, 2), "y": (1, 2, 3), "z": (4,)}
    assert bank.waiting() == []
    assert visible(bank.repository) == {"xy": (1, 2), "y": (3,), "z": (4,)}


def test_what_is_rejected_for_several_keys_when_they_are_released_stays_in_the_quarantine() -> None:
    class Both(Breaking):
        def keys(self, event: Event[Moved | Closed]) -> list[Key]:
            return [("bank", letter) for letter in event.payload.account]

    bank = Bank()
    both = Both(bank.repository, park_after=PARK_AFTER)
    handler = KinesisHandler([both], quarantine=bank.quarantine, now=bank.clock)
    both.failing = {"e1"}
    handler.handle({"Records": bank.records("xy", "y")})
    both.failing, both.rejecting = set(), {"e1"}
    for _ in range(2):
        redrive(handler, bank.quarantine)
        assert [each.event_id for each in bank.waiting()] == ["e1"]
    assert visible(bank.repository) == {"y": (2,)}


def test_a_redrive_that_comes_behind_another_one_does_not_finish_what_that_has_rejected() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    bank.handle(bank.records("x"))
    bank.accounts.failing, bank.accounts.rejecting = set(), {"e1"}
    late = Redrive([read_contents(bank.quarantine)])
    assert bank.redrive() == ["e1: rejected again"]
    assert [len(each) for each in late.run(ThroughHandler(bank.handler, bank.quarantine))] == [1]
    remove_finished([read_contents(bank.quarantine)])
    assert [(each.event_id, each.error) for each in bank.waiting()] == [("e1", "RejectedError")]


class Elsewhere(Breaking):
    """Stores accounts under other keys."""

    def key(self, event: Event[Moved | Closed]) -> Key:
        return ("elsewhere", event.payload.account)


def test_what_two_readers_park_under_different_keys_waits_for_both() -> None:
    bank = Bank()
    second: MemoryRepository[Account] = MemoryRepository()
    elsewhere = Elsewhere(second, park_after=PARK_AFTER)
    handler = KinesisHandler([bank.accounts, elsewhere], quarantine=bank.quarantine, now=bank.clock)
    bank.accounts.failing = elsewhere.failing = {"e1"}
    handler.handle({"Records": bank.records("x", "x")})
    bank.accounts.failing = elsewhere.failing = set()
    redrive(handler, bank.quarantine)
    assert visible(bank.repository) == visible(second) == {"x": (1, 2)}
    assert bank.waiting() == []


class InOne(Breaking):
    """Stores all accounts under one key."""

    def key(self, event: Event[Moved | Closed]) -> Key:  # noqa: ARG002 - whatever it is
        return ("bank", "all")


@pytest.mark.parametrize("accounts", ["x", "xx", "xy"])
@pytest.mark.parametrize("other", [Breaking, InOne])
def test_what_one_reader_parks_and_another_one_rejects_is_kept_for_both(
    accounts: str, other: type[Breaking]
) -> None:
    bank = Bank()
    second: MemoryRepository[Account] = MemoryRepository()
    strict = other(second, park_after=PARK_AFTER)
    handler = KinesisHandler([bank.accounts, strict], quarantine=bank.quarantine, now=bank.clock)
    bank.accounts.failing, strict.rejecting = {"e1"}, {"e1"}
    handler.handle({"Records": bank.records(*accounts)})
    bank.accounts.failing = set()
    redrive(handler, bank.quarantine)
    numbers = sorted(number for each in visible(bank.repository).values() for number in each)
    assert numbers == list(range(1, len(accounts) + 1))
    assert bank.note("x") is None
    assert [(each.event_id, each.error) for each in bank.waiting()] == [("e1", "RejectedError")]


def test_what_one_reader_rejected_while_another_one_parked_it_is_applied_when_it_can_be() -> None:
    bank = Bank()
    second: MemoryRepository[Account] = MemoryRepository()
    strict = Elsewhere(second, park_after=PARK_AFTER)
    handler = KinesisHandler([bank.accounts, strict], quarantine=bank.quarantine, now=bank.clock)
    bank.accounts.failing, strict.rejecting = {"e1"}, {"e1"}
    handler.handle({"Records": bank.records("x")})
    bank.accounts.failing = strict.rejecting = set()
    redrive(handler, bank.quarantine)
    assert visible(bank.repository) == visible(second) == {"x": (1,)}
    assert bank.waiting() == []


@pytest.mark.parametrize("park_after", [-1.0, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_an_error(park_after: float) -> None:
    with pytest.raises(ConfigurationError, match="; allowed: from 0 up, or None for never"):
        Breaking(MemoryRepository(), park_after=park_after)


def test_a_long_reason_is_cut_in_the_note_and_whole_in_the_quarantine() -> None:
    class Wordy(Breaking):
        def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
            raise BusinessError(f"{event.id} of {state}: {'x' * 5_000}")

    bank = Bank()
    handler = KinesisHandler([Wordy(bank.repository)], quarantine=bank.quarantine, now=bank.clock)
    handler.handle({"Records": bank.records("a")})
    note = bank.note()
    assert note is not None
    assert len(note.reason) == 256
    assert len(bank.waiting()[0].reason) > 5_000


@pytest.mark.parametrize(("announce", "outcome"), [(True, "parked"), (False, "given up")])
def test_a_mapping_that_announces_its_last_delivery_gives_nothing_up_that_can_be_parked(
    announce: bool, outcome: str
) -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    given_up: list[DiscardedBatch] = []
    mapping = EventSourceMapping(
        bank.handler,
        maximum_retry_attempts=2,
        bisect_batch_on_function_error=True,
        on_failure=given_up.append,
        announce_last_delivery=announce,
        clock=bank.clock,
        sleep=bank.clock.advance,
    )
    list(mapping.run(bank.records(*"aab", age=0)))
    assert (["given up"] if given_up else ["parked"]) == [outcome]
    assert visible(bank.repository)["b"] == (3,)
    bank.accounts.failing.clear()
    bank.redrive()
    if announce:
        assert visible(bank.repository) == {"a": (1, 2), "b": (3,)}


def test_a_reader_that_came_later_keeps_no_key_from_being_released() -> None:
    bank = Bank()
    bank.accounts.failing = {"e1"}
    bank.handle(bank.records(*"aa"))
    bank.accounts.failing.clear()
    later: MemoryRepository[Account] = MemoryRepository()

    class Later(Breaking):
        """Takes the same events, from now on."""

    handler = KinesisHandler([bank.accounts, Later(later)], quarantine=bank.quarantine, now=bank.clock)
    redrive(handler, bank.quarantine)
    assert visible(bank.repository) == {"a": (1, 2)}
    assert (bank.note(), bank.waiting()) == (None, [])
    assert visible(later) == {}, "it was not parked for this one"
