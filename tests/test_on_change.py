"""`on_change` of a projection: at least once for each change that is stored, and never in a rebuild."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import Account, Accounts, Closed, Moved, accounts_of, expected, movements, records_of
from interrupted import Killed
from kinesis_handler import Aggregate, ConfigurationError, Event, Key, KinesisHandler, RejectedError
from kinesis_handler.batch import Source
from kinesis_handler.errors import HeldBackError, OnChangeError, OutOfTimeError, UnstorableError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import BatchResult, ReaderKey
from kinesis_handler.quarantine.entry import position_of
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, FaultyRepository

State = Aggregate[Account | None]


class Announcing(Accounts):
    """Writes down what it is called with, and raises what it is told to."""

    def __init__(self, repository: Any, **options: Any) -> None:
        super().__init__(repository, **options)
        self.calls: list[tuple[State | None, State, list[str]]] = []
        self.problem: Exception | None = None
        self.meanwhile: Callable[[State], object] = lambda _: None

    def on_change(self, before: State | None, after: State, events: Sequence[Event[Moved | Closed]]) -> None:
        self.meanwhile(after)
        if self.problem is not None:
            raise self.problem
        self.calls.append((before, after, [each.id for each in events]))

    def versions(self) -> list[tuple[str, int | None, int, list[str]]]:
        """Return of each call the key, the versions before and after, and the ids of the events."""
        return [
            (after.key[1], before.version if before else None, after.version, ids)
            for before, after, ids in self.calls
        ]


def moved(*ids: str) -> list[LambdaRecord]:
    """Return records of events such as `a1`: of account `a`, with the number 1; `a!` closes it."""
    return records_of(
        [
            {
                "eventId": each,
                "type": "CLOSED" if each[1:] == "!" else "MOVED",
                "createdAt": 1_700_000_000_000,
                "payload": {"account": each[0]} | ({} if each[1:] == "!" else {"number": int(each[1:])}),
            }
            for each in ids
        ]
    )


def handle(projection: Announcing, records: list[LambdaRecord], **options: Any) -> BatchResult:
    return KinesisHandler([projection]).handle({"Records": records}, **options)


def statuses(result: BatchResult) -> list[str]:
    return [each.outcome.status.value for each in result]


def test_it_is_called_once_for_each_key_of_a_batch_when_the_change_is_stored() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    projection = Announcing(repository)
    stored: list[bool] = []
    projection.meanwhile = lambda after: stored.append(
        after == repository.load([after.key]).stored()[after.key]
    )
    assert statuses(handle(projection, moved("a1", "b1", "a2"))) == ["applied"] * 3
    assert projection.versions() == [("a", None, 2, ["a1", "a2"]), ("b", None, 1, ["b1"])]
    assert stored == [True, True]
    [_, (before, after, _)] = projection.calls
    assert (before, after.state) == (None, Account((1,)))


def test_it_is_given_what_was_stored_before_and_of_a_deleted_key_no_state() -> None:
    projection = Announcing(MemoryRepository())
    first, *others = moved("a1", "a2", "a!")
    handle(projection, [first])
    handle(projection, others)
    [_, (before, after, ids)] = projection.calls
    assert before is not None
    assert (before.state, after.state, after.version, ids) == (Account((1,)), None, 3, ["a2", "a!"])


def test_it_is_not_called_for_what_changes_nothing() -> None:
    class Rejecting(Announcing):
        def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Any:
            if event.id == "a7":
                raise RejectedError("never")
            return super().apply(state, event)

    projection = Rejecting(MemoryRepository())
    records = moved("a1", "a2", "a7")
    handle(projection, records[:2])
    handle(projection, records[:1])  # a duplicate, and not the last one
    handle(projection, records[2:])
    assert projection.versions() == [("a", None, 2, ["a1", "a2"])]


def test_where_it_raises_the_record_fails_and_is_called_again_when_it_comes_again_as_a_duplicate() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    projection = Announcing(repository)
    projection.problem = ConnectionError("the bus is down, and this text may quote a payload")
    records = moved("a1", "a2", "b1")
    result = handle(projection, records)
    assert statuses(result) == ["failed", "failed", "failed"]
    errors = [each.outcome.error for each in result]
    assert [type(each) for each in errors] == [OnChangeError, HeldBackError, OnChangeError]
    assert "`on_change` of Announcing was not done: ConnectionError raised at test_on_change.py" in str(
        errors[0]
    )
    assert "payload" not in str(errors[0])
    assert accounts_of(repository) == {("bank", "a"): (2, Account((1, 2))), ("bank", "b"): (1, Account((1,)))}
    projection.problem = None
    assert statuses(handle(projection, records)) == ["duplicate"] * 3
    assert projection.versions() == [("a", None, 2, ["a1", "a2"]), ("b", None, 1, ["b1"])]


def test_it_is_called_again_before_anything_is_saved_over_the_change() -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    projection = Announcing(repository)
    records = moved("a1", "a2", "a3")
    handle(Announcing(repository), records[:2])  # this process is killed before it hears of the answer
    projection.problem = ConnectionError()
    result = handle(projection, records[1:])
    assert statuses(result) == ["failed", "failed"]
    assert accounts_of(repository)["bank", "a"] == (2, Account((1, 2)))
    projection.problem = None
    assert statuses(handle(projection, records[1:])) == ["duplicate", "applied"]
    assert projection.versions() == [("a", None, 2, ["a2"]), ("a", 2, 3, ["a3"])]


def test_an_error_that_rejects_fails_too_as_the_change_is_stored() -> None:
    projection = Announcing(MemoryRepository())
    projection.problem = RejectedError("never")
    assert statuses(handle(projection, moved("a1"))) == ["failed"]


def test_what_is_too_late_to_be_called_fails_and_is_called_at_the_next_delivery() -> None:
    clock = FakeClock()
    projection = Announcing(MemoryRepository())
    projection.meanwhile = lambda _: clock.advance(10)
    records = moved("a1", "b1")
    result = handle(projection, records, context=LocalContext(clock, clock() + 5))
    assert statuses(result) == ["applied", "failed"]
    assert isinstance(result.notable[0].outcome.error, OutOfTimeError)
    assert statuses(handle(projection, records[1:])) == ["duplicate"]
    assert projection.versions() == [("a", None, 1, ["a1"]), ("b", None, 1, ["b1"])]


def test_in_a_rebuild_it_is_not_called() -> None:
    projection = Announcing(MemoryRepository())
    records = moved("a1", "a2")
    handle(projection, records, rebuild=True)
    handle(projection, records, rebuild=True)
    assert projection.calls == []


def test_what_is_redriven_calls_it_again_even_if_later_events_have_been_applied() -> None:
    projection = Announcing(MemoryRepository())
    records = moved("a1", "a2")
    handle(projection, records)
    assert statuses(handle(projection, records[:1], source=Source.QUARANTINE)) == ["duplicate"]
    assert projection.versions()[1:] == [("a", None, 2, ["a1"])]


def test_what_is_saved_in_parts_is_called_for_each_part() -> None:
    class Small(MemoryRepository[Account]):
        def save(self, changes: Sequence[Change[Account]]) -> Saved:
            [change] = changes
            if change.after.state is not None and 9 in change.after.state.movements:
                return Saved(failed={change.key: UnstorableError("too large")})
            return super().save(changes)

    projection = Announcing(Small())
    assert statuses(handle(projection, moved("a1", "a2", "a9", "a4"))) == [
        "applied",
        "applied",
        "rejected",
        "applied",
    ]
    seen = [ids for *_, ids in projection.versions()]
    assert [each for ids in seen for each in ids] == ["a1", "a2", "a4"]
    assert [after for *_, after, _ in projection.versions()] == sorted(
        {after for *_, after, _ in projection.versions()}
    )


class Quarantine:
    """Takes everything."""

    def keep(self, name: str, content: bytes) -> None: ...


def test_a_key_that_is_released_is_called_for_and_if_that_raises_at_the_next_redrive() -> None:
    class Mended(Announcing):
        broken = True

        def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Any:
            if self.broken:
                raise KeyError(event.id)
            return super().apply(state, event)

    projection = Mended(MemoryRepository(), park_after=0)
    handler = KinesisHandler([projection], quarantine=Quarantine())
    invoked = {"Records": moved("a1", "a2")}
    parked = handler.handle(invoked)
    assert statuses(parked) == ["parked", "parked"]
    projection.broken, projection.problem = False, ConnectionError()
    recipients = Recipients(
        released=ReaderKey("Mended", ("bank", "a")), parked=[position_of(each.record) for each in parked]
    )
    released: dict[str, Any] = {"source": Source.PARKED, "recipients": recipients}
    assert statuses(handler.handle(invoked, **released)) == ["failed", "failed"]
    projection.problem = None
    assert statuses(handler.handle(invoked, **released)) == ["duplicate", "duplicate"]
    assert projection.versions() == [("a", None, 2, ["a1", "a2"])]


def test_a_key_that_is_only_parked_has_not_changed() -> None:
    class Stuck(Announcing):
        def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Any:
            raise KeyError(event.id, state)

    projection = Stuck(MemoryRepository(), park_after=0)
    result = KinesisHandler([projection], quarantine=Quarantine()).handle({"Records": moved("a1")})
    assert (statuses(result), projection.calls) == (["parked"], [])


def test_a_coroutine_function_is_refused() -> None:
    class Async(Announcing):
        async def on_change(self, *_: Any) -> None: ...  # type: ignore[override]

    with pytest.raises(ConfigurationError, match=r"`on_change` of .*Async is a coroutine function"):
        Async(MemoryRepository())


class Witness(MemoryRepository[Account]):
    """Sees that no change is saved over one that nobody was informed of."""

    def __init__(self) -> None:
        super().__init__()
        self.informed: dict[Key, set[int]] = defaultdict(set)
        self.forgotten: list[Change[Account]] = []

    def save(self, changes: Sequence[Change[Account]]) -> Saved:
        for change in changes:
            if change.before is not None and change.before.version not in self.informed[change.key]:
                self.forgotten.append(change)
        return super().save(changes)


@settings(max_examples=6 * settings().max_examples, deadline=None)
@given(seed=st.integers(0, 2**32), numbered=st.booleans())
def test_wherever_the_process_is_killed_each_change_that_was_stored_has_been_called_for(
    seed: int, numbered: bool
) -> None:
    random = Random(seed)
    kills = iter([True, False] * 4 + [False] * 1_000)
    events = list(movements(random, 24, numbered=numbered))
    records, witness = records_of(events), Witness()

    def perhaps_killed(probability: float = 0.15) -> None:
        if random.random() < probability and next(kills):
            raise Killed

    class Fragile(Announcing):
        def on_change(
            self, before: State | None, after: State, events: Sequence[Event[Moved | Closed]]
        ) -> None:
            perhaps_killed()
            if random.random() < 0.1:
                raise ConnectionError
            is_stored = after == witness.load([after.key]).stored()[after.key]
            if is_stored and (before is None or before.version + len(events) == after.version):
                witness.informed[after.key].add(after.version)
            perhaps_killed()

    projection = Fragile(
        FaultyRepository(witness, random, rate=0.1, budget=5), slice_size=random.choice((1, 9))
    )
    handler = KinesisHandler([projection])
    start = 0
    while start < len(records):
        batch = records[start : start + random.randint(1, 9)]
        try:
            failed = handler({"Records": batch})["batchItemFailures"]
        except Killed:
            continue  # Lambda delivers again from there, cut as it likes
        numbers = [each["kinesis"]["sequenceNumber"] for each in batch]
        start += min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(batch))
        if random.random() < 0.1:
            start = random.randrange(start + 1)
    assert accounts_of(witness) == expected(events)
    assert not witness.forgotten
    for key, (version, _) in accounts_of(witness).items():
        assert version in witness.informed[key]
