"""What a process remembers of its own writes: it saves reads, and changes no outcome, whoever else writes."""

import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import (
    DELETED,
    BusinessError,
    Deleted,
    Event,
    Key,
    KinesisHandler,
    Projection,
    RejectedError,
)
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.owned_states import OwnedStates
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.contents import read_contents
from kinesis_handler.stores import Change, Loaded, Repository, Saved
from kinesis_handler.stores.cached import CachedRepository
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.recent import RecentDocuments
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, LawState, RepositoryLaws, invocation
from kinesis_handler.testing.law_states import after, aggregate, insert
from kinesis_handler.testing.vacant_laws import parked, vacant
from testkit.quarantine import MemoryQuarantine

MB = 1_024 * 1_024


def cached(
    repository: Repository[LawState], max_bytes: int, clock: Callable[[], float], ttl: int = 0
) -> CachedRepository[LawState]:
    return CachedRepository(
        repository, RecentDocuments(max_bytes), state_type=LawState, expiry=Expiry(ttl), clock=clock
    )


@pytest.mark.parametrize("max_bytes", [MB, 2_000, 0])
class TestCachedMemory(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _bound(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return cached(MemoryRepository(ttl=ttl, clock=clock), self.max_bytes, clock, ttl)


class TestCachedSQLite(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        stored = SQLiteRepository(self.folder / "laws.db", LawState, ttl=ttl, clock=clock)
        return CachedRepository(stored, RecentDocuments(MB), clock=clock)


class Watched(MemoryRepository[Any]):
    """Says what was read, and lets something come before a request."""

    state_type: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.read: list[Key] = []
        self.saves = 0
        self.before_request: Callable[[], object] | None = None
        self.refused: UnstorableError | None = None
        self.fails: Exception | None = None

    def load(self, keys: Collection[Key]) -> Loaded[Any]:
        self._interrupt()
        self.read += keys
        return super().load(keys)

    def save(self, changes: Sequence[Change[Any]]) -> Saved:
        self._interrupt()
        self.saves += 1
        if self.refused is not None:
            return Saved(failed={change.key: self.refused for change in changes})
        saved = super().save(changes)
        if self.fails is not None:
            raise self.fails
        return saved

    def _interrupt(self) -> None:
        if (interrupt := self.before_request) is not None:
            self.before_request = None
            interrupt()


def test_what_was_written_is_loaded_without_a_read_and_then_only_if_it_was_written_again() -> None:
    store = Watched()
    repository = cached(store, MB, FakeClock())
    first = aggregate(("a", "1"), 3, amount=Decimal("1.10"), tags=("x",))
    insert(repository, first)
    loaded = repository.load([first.key])
    assert (loaded.found, loaded.remembered, store.read) == ({first.key: first}, {first.key}, [])
    assert repository.load([first.key]).remembered == set(), "nobody has written: it is in doubt"
    assert store.read == [first.key]
    assert not repository.save([after(first)]).conflicts
    assert repository.load([first.key]).remembered == {first.key}


def test_what_is_vacant_is_remembered_with_its_lineage_and_what_is_parked_is_read() -> None:
    store = Watched()
    repository = cached(store, MB, FakeClock())
    gone, waits = vacant(aggregate(("a", "gone"))), parked(aggregate(("a", "waits")))
    insert(repository, gone, waits)
    loaded = repository.load([gone.key, waits.key])
    assert loaded.stored() == {gone.key: gone, waits.key: waits}
    assert (loaded.remembered, store.read) == ({gone.key}, [waits.key])


def test_after_a_conflict_a_failure_or_an_exception_it_is_read() -> None:
    store = Watched()
    repository = cached(store, MB, FakeClock())
    first = aggregate(("a", "1"))
    insert(repository, first)
    other = after(first, note="of another process")
    store.save([other])
    assert repository.save([after(first, note="stale")]).conflicts == {first.key}
    assert repository.load([first.key]).found == {first.key: other.after}
    assert not repository.save([after(other.after)]).conflicts
    store.fails = RepositoryError("injected: the answer is lost")
    with pytest.raises(RepositoryError):
        repository.save([Change(after(other.after).after, aggregate(first.key, 9))])
    assert repository.load([first.key]).remembered == set()


def test_what_would_have_expired_is_read() -> None:
    clock = FakeClock()
    store = Watched(ttl=60, clock=clock)
    repository = cached(store, MB, clock, ttl=60)
    first = aggregate(("a", "1"))
    insert(repository, first)
    clock.advance(59.9)
    loaded = repository.load([first.key])
    assert loaded.remembered == {first.key}
    assert not repository.save([after(first)]).conflicts
    clock.advance(60)
    assert repository.load([first.key]).stored() == {}
    assert store.read == [first.key]


def test_the_oldest_go_first_and_what_is_written_again_is_young() -> None:
    store = Watched()
    all_of_them = [aggregate(("a", str(number))) for number in range(5)]
    recent = RecentDocuments(MB)
    repository = CachedRepository(store, recent, state_type=LawState, expiry=Expiry())
    insert(repository, *all_of_them[:4])
    limit = recent.used_bytes
    repository = CachedRepository(store, RecentDocuments(limit), state_type=LawState, expiry=Expiry())
    store.delete([each.key for each in all_of_them])
    insert(repository, *all_of_them[:4])
    again = replace(all_of_them[0], updated_at=all_of_them[0].updated_at + 1)
    assert not repository.save([Change(all_of_them[0], again)]).conflicts
    insert(repository, all_of_them[4])
    remembered = repository.load([each.key for each in all_of_them]).remembered
    assert sorted(key[1] for key in remembered) == ["0", "2", "3", "4"]


def test_the_bound_in_bytes_is_what_python_takes_for_it() -> None:
    recent = RecentDocuments(2 * MB)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for start in range(0, 10_000, 100):
            numbers = range(start, start + 100)
            recent.put(0, [((f"user-{n}-ä", f"limit-{n}"), f"{n:0300}".encode(), 1e9) for n in numbers])
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 2 * MB * 0.98 < recent.used_bytes <= 2 * MB
    assert 0.5 * recent.used_bytes < taken <= 1.05 * recent.used_bytes
    recent.clear()
    assert (len(recent), recent.used_bytes) == (0, 0)


def test_a_document_that_cannot_be_written_or_read_again_is_read_from_the_store() -> None:
    store = Watched()
    repository: CachedRepository[Any] = CachedRepository(
        store, RecentDocuments(MB), state_type=LawState, expiry=Expiry()
    )
    strange: Any = replace(aggregate(("a", "1")), state=object())
    other: Any = replace(aggregate(("a", "2")), state={"count": "seven"})
    assert repository.save([Change(None, strange), Change(None, other)]) == Saved()
    loaded = repository.load([strange.key, other.key])
    assert (loaded.stored(), loaded.remembered) == ({strange.key: strange, other.key: other}, set())


class Moved(Struct, frozen=True):
    account: str
    number: int


class Taken(Struct, frozen=True):
    account: str
    number: int


class Waits(Struct, frozen=True):
    account: str
    number: int


class Closed(Struct, frozen=True):
    account: str


class Numbers(Struct, frozen=True):
    numbers: tuple[int, ...] = ()


class Accounts(Projection[Numbers, Moved | Taken | Waits | Closed]):
    """Each event counts, and what becomes of it depends on the state."""

    event_types = {"MOVED": Moved, "TAKEN": Taken, "WAITS": Waits, "CLOSED": Closed}

    def key(self, event: Event[Any]) -> Key:
        return "accounts", event.payload.account

    def apply(self, state: Numbers | None, event: Event[Any]) -> Numbers | Deleted:
        numbers = state.numbers if state is not None else ()
        match event.payload:
            case Closed():
                return DELETED
            case Moved(number=number):
                return Numbers((*numbers, number))
            case Taken(number=number) if number not in numbers:
                raise RejectedError("it is not there")
            case Waits(number=number) if number not in numbers:
                raise BusinessError("it is not there yet")
            case Taken(number=number):
                return Numbers(tuple(each for each in numbers if each != number))
        return Numbers(numbers)


class Worker:
    """A process that believes to own the shard, and remembers what it has written."""

    def __init__(self, store: Watched, quarantine: MemoryQuarantine, max_bytes: int = MB) -> None:
        self.handler = KinesisHandler([Accounts(store, park_after=0)], quarantine=quarantine)
        self.states = OwnedStates(self.handler, max_bytes)
        self.position = 0

    def handle(self, records: Sequence[LambdaRecord]) -> list[Status]:
        result = self.handler.handle({"Records": list(records)})
        assert result.response() == {"batchItemFailures": []}
        self.position += len(records)
        return [each.outcome.status for each in result]


def make_store(**options: Any) -> Watched:
    store = Watched(**options)
    store.state_type = Numbers
    return store


def events(*described: tuple[str, str, int]) -> list[LambdaRecord]:
    """Return the records of events, each of a type, an account and a number."""
    made = (
        {
            "eventId": f"event-{index}",
            "type": kind,
            "createdAt": index,
            "payload": {"account": account, "number": number},
        }
        for index, (kind, account, number) in enumerate(described)
    )
    records: list[LambdaRecord] = invocation(made)["Records"]
    return records


def test_in_the_steady_state_a_batch_costs_no_reads_and_one_write_for_each_key() -> None:
    store = make_store()
    worker = Worker(store, MemoryQuarantine())
    batch = events(*(("MOVED", account, number) for number in range(30) for account in "abc"))
    worker.handle(batch[:30])
    assert sorted(store.read) == [("accounts", account) for account in "abc"]
    store.read.clear()
    worker.handle(batch[30:60])
    worker.handle(batch[60:])
    assert (store.read, store.saves) == ([], 3)
    assert [len(each.state.numbers) for each in store.scan()] == [30] * 3


def test_a_lost_lease_makes_it_read_again() -> None:
    store = make_store()
    worker = Worker(store, MemoryQuarantine())
    batch = events(("MOVED", "a", 1), ("MOVED", "a", 2))
    worker.handle(batch[:1])
    worker.states.forget()
    store.read.clear()
    worker.handle(batch[1:])
    assert store.read == [("accounts", "a")]


def test_what_is_rejected_by_a_stale_state_is_decided_by_reading() -> None:
    store, quarantine = make_store(), MemoryQuarantine()
    one, other = Worker(store, quarantine), Worker(store, quarantine)
    records = events(("MOVED", "a", 1), ("MOVED", "a", 2), ("TAKEN", "a", 2), ("MOVED", "a", 3))
    one.handle(records[:1])
    other.handle(records[:2])
    assert one.handle(records[2:]) == [Status.APPLIED, Status.APPLIED]
    assert list(quarantine.names()) == []
    [stored] = store.scan()
    assert (stored.state.numbers, stored.version) == ((1, 3), 4)


def test_what_is_a_duplicate_by_what_is_remembered_is_new_if_the_key_was_deleted_since() -> None:
    store = make_store()
    worker = Worker(store, MemoryQuarantine())
    records = events(("MOVED", "a", 1))
    worker.handle(records)
    store.delete([("accounts", "a")])  # by a person, who then reads the stream again
    assert worker.handle(records) == [Status.APPLIED]
    assert len(list(store.scan())) == 1


def test_what_the_store_can_never_hold_behind_a_stale_state_is_tried_behind_what_is_stored() -> None:
    store = make_store()
    worker = Worker(store, MemoryQuarantine())
    records = events(("MOVED", "a", 1), ("CLOSED", "a", 0), ("MOVED", "a", 3))
    worker.handle(records[:1])

    def other_closes_it() -> None:
        store.refused = None
        Worker(store, MemoryQuarantine()).handle(records[:2])
        store.read.clear()

    store.refused = UnstorableError("it is too large")
    assert store.before_request is None
    real_load = store.load

    def load(keys: Collection[Key]) -> Loaded[Any]:
        if store.refused is not None:
            other_closes_it()
        return real_load(keys)

    store.load = load  # type: ignore[method-assign]
    assert worker.handle(records[2:]) == [Status.APPLIED]
    [stored] = store.scan()
    assert (stored.state.numbers, stored.version) == ((3,), 3)


class Expected(NamedTuple):
    """What an account comes to, by one clean pass in plain Python."""

    numbers: tuple[int, ...] | None
    version: int
    is_parked: bool


def clean_pass(described: Sequence[tuple[str, str, int]]) -> tuple[dict[str, Expected], set[str]]:
    """Return what each account comes to, and the ids of the events that wait or were rejected."""
    numbers: dict[str, list[int] | None] = defaultdict(lambda: None)
    versions: dict[str, int] = defaultdict(int)
    waiting: set[str] = set()
    left: set[str] = set()
    for index, (kind, account, number) in enumerate(described):
        known = numbers[account] or []
        missing = kind in {"TAKEN", "WAITS"} and number not in known
        if account in waiting or missing:
            left.add(f"event-{index}")
            if kind == "WAITS":
                waiting.add(account)
            continue
        versions[account] += 1
        numbers[account] = {
            "MOVED": [*known, number],
            "TAKEN": [each for each in known if each != number],
            "WAITS": known,
            "CLOSED": None,
        }[kind]
    accounts = {
        account: Expected(
            None if numbers[account] is None else tuple(numbers[account] or ()),
            versions[account],
            account in waiting,
        )
        for account in versions.keys() | waiting
    }
    return accounts, left


KINDS = ["MOVED", "MOVED", "MOVED", "TAKEN", "CLOSED", "WAITS"]
EVENTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("ab"), st.integers(0, 2)), min_size=4, max_size=24
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(1, 6),
        st.sampled_from(["handle", "handle", "handle", "interrupted", "take over", "lose the lease"]),
    ),
    max_size=30,
)


@settings(max_examples=4 * settings().max_examples, deadline=None)
@given(EVENTS, STEPS, st.sampled_from([MB, 1_200, 0]))
def test_two_workers_that_both_believe_to_own_a_shard_lose_nothing_and_count_nothing_twice(
    described: list[tuple[str, str, int]], steps: list[tuple[int, int, str]], max_bytes: int
) -> None:
    records = events(*described)
    store, quarantine = make_store(), MemoryQuarantine()
    workers = [Worker(store, quarantine, max_bytes) for _ in range(2)]
    for number, count, what in steps:
        worker, other = workers[number], workers[1 - number]
        if what == "take over":
            worker.position = max(each.position for each in workers)
        elif what == "lose the lease":
            worker.states.forget()
        else:
            if what == "interrupted":
                store.before_request = lambda other=other, count=count: other.handle(
                    records[other.position : other.position + count]
                )
            worker.handle(records[worker.position : worker.position + count])
            store.before_request = None
    for worker in workers:
        worker.handle(records[worker.position :])
    accounts, left = clean_pass(described)
    found = {
        each.key[1]: Expected(
            None if each.state is None else each.state.numbers, each.version, each.is_parked
        )
        for each in store.scan_stored()
    }
    assert found == accounts
    assert left <= set(ids_in(quarantine))


def ids_in(quarantine: MemoryQuarantine) -> Iterator[str]:
    for entries in read_contents(quarantine).objects.values():
        yield from (each.event_id for each in entries if each.event_id is not None)
