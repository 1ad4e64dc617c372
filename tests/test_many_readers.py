"""One event, many readers: several processors of one type, and several keys of one event."""

from collections.abc import Callable, Collection
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.json import decode, encode

from accounts import Account, Accounts, Closed, Moved, accounts_of, deliver, expected, movements, records_of
from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    Key,
    KinesisHandler,
    Projection,
    RejectedError,
    Remark,
    Remarked,
    event_processor,
)
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import BatchResult
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.telemetry.metrics import EmbeddedMetrics
from kinesis_handler.testing import FakeClock, FaultyRepository, invocation
from testkit.tables import Tables

MakeRepository = Callable[[type[Any]], Repository[Any]]
STORES = {"memory": 60, "sqlite": 12, "dynamodb": 6}
"""Each store, and how many examples its speed allows."""


class Months(Struct, frozen=True):
    """How many events a month has seen, and the accounts in them."""

    events: int = 0
    accounts: tuple[str, ...] = ()


class Ledger(Projection[Months, Moved | Closed]):
    """Counts each event in the bank's total and in the ledger of its account's group."""

    event_types = {"MOVED": Moved, "CLOSED": Closed}

    def keys(self, event: Event[Moved | Closed]) -> Collection[Key]:
        account = event.payload.account
        return [] if account == "c" else [("ledger", "all"), ("ledger", account), ("ledger", "all")]

    def apply(self, state: Months | None, event: Event[Moved | Closed]) -> Months:
        before = state or Months()
        return Months(before.events + 1, (*before.accounts, event.payload.account))


def ledger_of(events: list[dict[str, Any]]) -> dict[Key, tuple[int, Months | None]]:
    """Return what one clean pass leads to, by a count of its own."""
    accounts = [each["payload"]["account"] for each in events if each["payload"]["account"] != "c"]
    found = {("ledger", name): [each for each in accounts if each == name] for name in set(accounts)}
    found |= {("ledger", "all"): accounts} if accounts else {}
    return {key: (len(each), Months(len(each), tuple(each))) for key, each in found.items()}


@pytest.fixture(scope="module")
def stores(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakeRepository]:
    folder, numbers = tmp_path_factory.mktemp("readers"), count()
    return {
        "memory": lambda _: MemoryRepository(),
        "sqlite": lambda kind: SQLiteRepository(folder / f"{next(numbers)}.db", kind),
        "dynamodb": tables.repository,
    }


@pytest.mark.parametrize("store", STORES)
def test_two_projections_whose_stores_fail_at_random_end_each_in_the_state_of_its_clean_pass(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store], deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans(), size=st.integers(1, 9))
    def law(seed: int, numbered: bool, size: int) -> None:
        random = Random(seed)
        events = list(movements(random, 24, numbered=numbered))
        records = records_of(events)
        accounts, ledger = stores[store](Account), stores[store](Months)
        handler = KinesisHandler(
            [
                Accounts(FaultyRepository(accounts, random, rate=0.2, budget=8)),
                Ledger(
                    FaultyRepository(ledger, random, rate=0.2, budget=8), slice_size=random.choice((1, 9))
                ),
            ]
        )
        deliver(handler, records, size)
        assert accounts_of(accounts) == expected(events)
        assert accounts_of(ledger) == ledger_of(events)

    law()


def sent(*texts: str, kind: str = "SENT") -> dict[str, Any]:
    return invocation(
        [
            {"eventId": f"{number}-{text}", "type": kind, "createdAt": number, "payload": {"text": text}}
            for number, text in enumerate(texts)
        ]
    )


class Sent(Struct):
    text: str


def statuses(result: BatchResult) -> list[str]:
    return [each.outcome.status.value for each in result]


def reader(name: str, fails: str = "", rejects: str = "") -> tuple[Any, list[str]]:
    """Return a processor that fails at some texts and rejects others, and the texts that it has taken."""
    taken: list[str] = []

    def take(event: Event[Sent]) -> None:
        if event.payload.text in fails:
            raise BusinessError(f"{name} cannot yet")
        if event.payload.text in rejects:
            raise RejectedError(f"{name} never can")
        taken.append(event.payload.text)

    take.__name__ = name
    return event_processor({"SENT": Sent}, key=lambda event: event.id)(take), taken


def test_an_event_that_several_take_has_the_worst_of_their_outcomes() -> None:
    (one, by_one), (two, by_two) = reader("one", fails="b"), reader("two", rejects="bc")
    result = KinesisHandler([one, two]).handle(sent("a", "b", "c"))
    assert statuses(result) == ["applied", "failed", "rejected"]
    assert (by_one, by_two) == (["a", "c"], ["a"])
    assert [str(each.outcome.error) for each in result.notable] == ["one cannot yet", "two never can"]


def test_the_outcomes_of_each_reader_are_counted_apart_in_metrics_and_result() -> None:
    lines: list[str] = []
    (one, _), (two, _) = reader("one", fails="b"), reader("two", rejects="bc")
    metrics = EmbeddedMetrics("limits", lines.append, clock=FakeClock())
    result = KinesisHandler([one, two], metrics=metrics).handle(sent("a", "b", "c"))
    assert result.readers == {"one": {"applied": 2, "failed": 1}, "two": {"applied": 1, "rejected": 2}}
    [_, first, second] = map(decode, lines)
    assert (first["reader"], first["Applied"], first["Failed"]) == ("one", 2, 1)
    assert (second["reader"], second["Rejected"]) == ("two", 2)
    assert first["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "reader"]]


def test_a_single_reader_is_not_counted_apart() -> None:
    one, _ = reader("one")
    assert KinesisHandler([one]).handle(sent("a")).readers == {}


def test_two_readers_of_one_name_are_distinguished() -> None:
    (one, _), (two, _) = reader("take"), reader("take")
    assert KinesisHandler([one, two]).handle(sent("a")).readers.keys() == {"take", "take-2"}


@given(st.lists(st.sampled_from(["take", "take-2", "take-2-2", "to-take"]), max_size=8))
def test_no_two_readers_have_one_name_whatever_they_are_called(names: list[str]) -> None:
    handler = KinesisHandler(reader(name)[0] for name in names)
    assert len(handler.readers) == len(names)
    assert set(names) <= handler.readers.keys()


def test_the_remarks_of_all_readers_are_on_the_record() -> None:
    def noting(name: str) -> Projection[str, Sent]:
        class Noting(Projection[str, Sent]):
            event_types = {"SENT": Sent}

            def key(self, event: Event[Sent]) -> Key:
                return ("sent", event.payload.text)

            def apply(self, state: str | None, event: Event[Sent]) -> Remarked[str]:
                return Remarked(f"{state or ''}{event.payload.text}", (Remark(name),))

        return Noting(MemoryRepository())

    result = KinesisHandler([noting("odd"), noting("even")]).handle(sent("a"))
    assert result.remarks() == {"odd": 1, "even": 1}


def test_a_reader_that_raises_fails_its_own_events_and_the_others_go_on() -> None:
    class Broken:
        event_types = {"SENT": Sent}

        def process(self, events: Any, batch: Any) -> None:
            raise ZeroDivisionError(len(events), batch)

    one, by_one = reader("one")
    result = KinesisHandler([Broken(), one]).handle(sent("a", "b"))
    assert (statuses(result), by_one) == (["failed", "failed"], ["a", "b"])


def test_readers_for_which_no_time_is_left_fail_and_find_the_events_again() -> None:
    clock = FakeClock()
    (one, by_one), (two, by_two) = reader("one"), reader("two")

    class Slow:
        event_types = {"SENT": Sent}

        def process(self, events: Any, batch: Any) -> None:
            clock.advance(9)
            one.process(events, batch)

    handler = KinesisHandler([Slow(), two])
    assert statuses(handler.handle(sent("a"), LocalContext(clock, clock() + 10))) == ["failed"]
    assert (by_one, by_two) == (["a"], [])


def test_one_processor_cannot_be_registered_twice() -> None:
    one, _ = reader("one")
    with pytest.raises(ConfigurationError, match="one is registered twice"):
        KinesisHandler([one, one])


def test_two_projections_of_one_type_need_repositories_of_their_own() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    with pytest.raises(ConfigurationError, match="Accounts and Accounts take the event type 'MOVED'"):
        KinesisHandler([Accounts(repository), Accounts(repository)])


def test_a_projection_has_a_key_or_keys() -> None:
    class Neither(Projection[str, Sent]):
        event_types = {"SENT": Sent}

        def apply(self, state: str | None, event: Event[Sent]) -> str:
            return f"{state}{event}"

    with pytest.raises(ConfigurationError, match="has neither `key` nor `keys`"):
        Neither(MemoryRepository())


@pytest.mark.parametrize(
    ("keys", "outcome", "reason"),
    [
        ([], "ignored", ""),
        (None, "failed", "Odd returned None"),
        ("ab", "failed", "Odd returned a value of the type str"),
        ([("a", "b"), "ab"], "failed", "Odd returned a value of the type str"),
        ([("a", "b"), ("a", "")], "rejected", "the sort key has 0 bytes"),
    ],
)
def test_what_keys_returns_is_checked_before_anything_is_stored(keys: Any, outcome: str, reason: str) -> None:
    class Odd(Projection[str, Sent]):
        event_types = {"SENT": Sent}

        def keys(self, event: Event[Sent]) -> Any:
            return keys if event.payload.text else ()

        def apply(self, state: str | None, event: Event[Sent]) -> str:
            return f"{state}{event}"

    repository: MemoryRepository[str] = MemoryRepository()
    result = KinesisHandler([Odd(repository)]).handle(sent("a"))
    assert statuses(result) == [outcome]
    assert reason in str([each.outcome.error for each in result])
    assert list(repository.scan()) == []


def test_an_event_that_fails_at_one_of_its_keys_holds_back_the_later_ones_of_that_key_only() -> None:
    class Both(Projection[str, Sent]):
        event_types = {"SENT": Sent}
        mended = False

        def keys(self, event: Event[Sent]) -> list[Key]:
            return [("sent", letter) for letter in event.payload.text]

        def apply(self, state: str | None, event: Event[Sent]) -> str:
            if event.payload.text == "ab" and state is None and not self.mended:
                raise BusinessError("not yet")
            return f"{state or ''}.{event.payload.text}"

    repository: MemoryRepository[str] = MemoryRepository()
    projection = Both(repository)
    handler = KinesisHandler([projection])
    assert statuses(handler.handle(sent("b", "ab", "a", "b"))) == ["applied", "failed", "failed", "applied"]
    projection.mended = True
    assert statuses(handler.handle(sent("b", "ab", "a", "b"))) == [
        "duplicate",
        "applied",
        "applied",
        "duplicate",
    ]
    assert {each.key[1]: each.state for each in repository.scan()} == {"a": ".ab.a", "b": ".b.ab.b"}


def test_records_of_several_readers_are_counted_once() -> None:
    (one, _), (two, _) = reader("one"), reader("two")
    result = KinesisHandler([one, two]).handle(sent("a", "b"))
    assert len(result) == sum(result.counts().values()) == 2
    assert encode(result.counts())
