"""A projection that returns DELETED: readers see nothing, and a replay changes nothing (G3)."""

from collections.abc import Callable
from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts import Account, Accounts, accounts_of, deliver, expected, movements, records_of, visible
from kinesis_handler import DELETED, Deleted, Event, Key, KinesisHandler, Projection, Remark, Remarked
from kinesis_handler.stores import Change, Repository
from kinesis_handler.stores.expiry import VACANT_TTL
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from testkit.tables import Tables

MakeRepository = Callable[[], Repository[Account]]
STORES = {"memory": 60, "sqlite": 15, "dynamodb": 8}
"""Each store, and how many examples its speed allows."""


@pytest.fixture(scope="module")
def stores(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakeRepository]:
    folder, numbers = tmp_path_factory.mktemp("deleting"), count()
    return {
        "memory": MemoryRepository,
        "sqlite": lambda: SQLiteRepository(folder / f"{next(numbers)}.db", Account),
        "dynamodb": lambda: tables.repository(Account),
    }


def opened_and_closed(*kinds: str) -> list[dict[str, object]]:
    """Return events of one account: `m` moves, `c` closes."""
    return [
        {
            "eventId": f"e{number}",
            "type": "CLOSED" if kind == "c" else "MOVED",
            "createdAt": number,
            "payload": {"account": "a"} if kind == "c" else {"account": "a", "number": number},
        }
        for number, kind in enumerate(kinds, start=1)
    ]


@pytest.mark.parametrize("store", STORES)
def test_deleted_keys_are_gone_for_readers_and_a_replay_of_everything_changes_nothing(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store], deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans(), size=st.integers(1, 7))
    def law(seed: int, numbered: bool, size: int) -> None:
        random = Random(seed)
        events = list(movements(random, 24, numbered=numbered))
        records, repository = records_of(events), stores[store]()
        handler = KinesisHandler([Accounts(FaultyRepository(repository, random, rate=0.1, budget=6))])
        deliver(handler, records, size, random)
        assert accounts_of(repository) == expected(events)
        alive = {key[1]: state.movements for key, (_, state) in expected(events).items() if state}
        assert visible(repository) == alive
        before = {each.key: each for each in repository.scan_stored()}
        replayed = KinesisHandler([Accounts(repository)]).handle({"Records": records})
        assert {each.outcome.status.value for each in replayed} <= {"duplicate", "superseded"}
        assert {each.key: each for each in repository.scan_stored()} == before

    law()


def test_an_event_after_a_deletion_begins_anew_under_the_next_version() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    KinesisHandler([Accounts(repository)]).handle({"Records": records_of(opened_and_closed(*"mmcm"))})
    assert accounts_of(repository) == {("bank", "a"): (4, Account((4,)))}


def test_a_key_that_never_had_a_state_can_be_deleted() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    result = KinesisHandler([Accounts(repository)]).handle({"Records": records_of(opened_and_closed("c"))})
    assert [each.outcome.status.value for each in result] == ["applied"]
    assert accounts_of(repository) == {("bank", "a"): (1, None)}


def test_a_deletion_can_come_with_a_remark() -> None:
    class Noted(Projection[Account, object]):
        event_types = {"CLOSED": object}

        def key(self, event: Event[object]) -> Key:
            return ("bank", event.id)

        def apply(self, state: Account | None, event: Event[object]) -> Remarked[Deleted]:
            return Remarked(DELETED, (Remark("closed", f"{event.type} of {state}"),))

    repository: MemoryRepository[Account] = MemoryRepository()
    result = KinesisHandler([Noted(repository)]).handle({"Records": records_of(opened_and_closed("c"))})
    assert result.remarks() == {"closed": 1}
    assert accounts_of(repository) == {("bank", "e1"): (1, None)}


def test_the_lineage_of_a_deleted_key_expires_when_no_replay_can_reach_it_any_more() -> None:
    clock = FakeClock()
    repository: MemoryRepository[Account] = MemoryRepository(clock=clock)
    handler = KinesisHandler([Accounts(repository)])
    records = records_of(opened_and_closed("m", "c"))
    handler.handle({"Records": records})
    clock.advance(VACANT_TTL - 1)
    assert handler.handle({"Records": records}).applied() == []
    clock.advance(1)
    assert accounts_of(repository) == {}


def test_without_a_lineage_a_position_of_the_beginning_is_new() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    handler = KinesisHandler([Accounts(repository)])
    [record] = records_of(opened_and_closed("m"))
    handler.handle({"Records": [record]})
    [stored] = repository.scan()
    without = replace(stored, record_sequence_number=None, recent_event_ids=(), version=0)
    repository.delete([stored.key])
    repository.save([Change(None, without)])
    assert len(handler.handle({"Records": [record]}).applied()) == 1


def test_a_state_type_that_is_no_struct_can_be_deleted_too() -> None:
    class Texts(Projection[str, object]):
        event_types = {"MOVED": object, "CLOSED": object}

        def key(self, event: Event[object]) -> Key:
            return ("texts", event.type)

        def apply(self, state: str | None, event: Event[object]) -> str | Deleted:
            return DELETED if state else event.id

    repository: MemoryRepository[str] = MemoryRepository()
    KinesisHandler([Texts(repository)]).handle({"Records": records_of(opened_and_closed(*"mcm"))})
    assert [each.state for each in repository.scan_stored()] == [None, "e2"]
