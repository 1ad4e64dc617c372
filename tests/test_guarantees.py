"""The guarantees, over random streams, cuts and faults: what is stored equals one clean pass."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.json import decode

from chaos.oracle import Oracle
from chaos.verdict import differing_limits
from kinesis_handler import Aggregate, Event, KinesisHandler, Remarked
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import QuarantineError
from kinesis_handler.lambda_types import LambdaContext
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping, LocalContext, put_on_shard
from kinesis_handler.outcome import Status
from kinesis_handler.retry import Backoff
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb import dynamodb_connection
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from streams import events, packed
from testkit.emulators.wire import (
    FOR_EVER,
    Answer,
    Call,
    Fault,
    Wire,
    cut,
    error,
    server_error,
    timeout,
    undelivered,
)
from testkit.tables import Tables
from user_limits.events import LimitPayload
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

FAULTS = 4
"""Of each kind: reading, writing, processing, the quarantine, and the invocation itself."""
EXAMPLES = settings().max_examples
"""As many as the profile says: those of `make chaos` are ten times those of `make test`."""
thorough = settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
briefly = settings(thorough, max_examples=EXAMPLES // 6)
"""For stores that are slower than memory."""

MakeRepository = Callable[[], Repository[Limit]]


STORES = ["sqlite", "dynamodb", "dynamodb over a bad line"]


BREAKS: list[Fault] = [cut, timeout, server_error, undelivered, error("ThrottlingException")]


class BadLine:
    """A line to DynamoDB on which requests and answers are lost, until it has been mended."""

    def __init__(self) -> None:
        self._random = Random(0)
        self._left = 0

    def breaks(self) -> None:
        """From now on it is bad."""
        self._left = 5 * FAULTS

    def __call__(self, call: Call) -> Answer | AWSResponse:
        if self._left <= 0 or self._random.random() > 0.3:
            return call.send()
        self._left -= 1
        return self._random.choice(BREAKS)(call)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory, tables: Tables) -> Iterator[dict[str, MakeRepository]]:
    """Return what makes an empty repository of each kind."""
    folder, numbers, line = tmp_path_factory.mktemp("guarantees"), count(), BadLine()

    def over_a_bad_line() -> Repository[Limit]:
        repository = tables.repository(Limit, wire.connection, make_backoff=lambda: Backoff(lambda _: None))
        line.breaks()
        return repository

    with Wire(dynamodb_connection(endpoint=tables.endpoint)) as wire:
        for operation in ("BatchGetItem", "BatchExecuteStatement"):
            wire.on(operation, line, times=FOR_EVER)
        yield {
            "sqlite": lambda: SQLiteRepository(folder / f"{next(numbers)}.db", Limit),
            "dynamodb": lambda: tables.repository(Limit),
            "dynamodb over a bad line": over_a_bad_line,
        }


class FlakyProcessor(UserLimitEventProcessor):
    """Fails at an event now and then, though nothing is wrong with it."""

    def __init__(self, repository: Repository[Limit], random: Random, **options: int) -> None:
        super().__init__(repository, **options)
        self._random = random
        self._budget = FAULTS

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        if self._budget and self._random.random() < 0.1:
            self._budget -= 1
            raise ConnectionError("injected: a service that the processor asks is down")
        return super().apply(state, event)


class Invocations:
    """A Lambda function that is cut off or loses its answer now and then, and whose answers are checked."""

    def __init__(self, handler: KinesisHandler, clock: FakeClock, random: Random, budget: int) -> None:
        self.tally = Tally()
        self._handler = handler
        self._clock = clock
        self._random = random
        self._budget = budget

    def __call__(self, invocation: dict[str, Any], _context: LambdaContext) -> object:
        # all the time in the world, or so little that only one slice is done
        seconds = 0.5 if self._strikes() else 60
        result = self._handler.handle(invocation, LocalContext(self._clock, self._clock() + seconds))
        response = result.response()
        assert sum(result.counts().values()) == len(result)
        batch = {record["kinesis"]["sequenceNumber"] for record in invocation["Records"]}
        identifiers = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
        assert batch.issuperset(identifiers)
        assert identifiers == sorted(identifiers)
        self.tally.add(result)
        if self._strikes():
            raise TimeoutError("injected: the answer is lost")
        return response

    def _strikes(self) -> bool:
        strikes = self._budget > 0 and self._random.random() < 0.2
        self._budget -= strikes
        return strikes


def check_state(repository: Repository[Limit], oracle: Oracle) -> None:
    stored: dict[Any, Aggregate[Limit]] = {aggregate.key: aggregate for aggregate in repository.scan()}
    assert list(differing_limits(stored, [oracle])) == []


class FlakyQuarantine:
    """Takes an object, or fails to, or takes it and fails to say so."""

    def __init__(self, random: Random) -> None:
        self.objects: dict[str, bytes] = {}
        self._random = random
        self._budget = FAULTS

    def keep(self, name: str, content: bytes) -> None:
        fails = self._budget > 0 and self._random.random() < 0.3
        self._budget -= fails
        if not fails or self._random.random() < 0.5:
            self.objects[name] = content
        if fails:
            raise QuarantineError("injected: not known to be kept")

    def places(self) -> set[tuple[str, int]]:
        """Return the records that are kept: one may be in several objects, after other cuts of the batch."""
        entries = [decode(line) for content in self.objects.values() for line in content.splitlines()]
        return {(entry["sequenceNumber"], entry["subSequenceNumber"]) for entry in entries}


def run_with_failures(data: st.DataObject, repository: Repository[Limit]) -> None:
    """Fail wherever one can, and see that the state is that of one clean pass."""
    clock = FakeClock()
    records = list(put_on_shard(data.draw(packed(data.draw(events()))), clock=clock))
    random = Random(data.draw(st.integers()))
    faulty = FaultyRepository(repository, random, rate=data.draw(st.sampled_from([0.1, 0.3])), budget=FAULTS)
    processor = FlakyProcessor(faulty, random, slice_size=data.draw(st.integers(1, 3)), attempts=2)
    quarantine = FlakyQuarantine(random)
    function = Invocations(KinesisHandler([processor], quarantine=quarantine), clock, random, FAULTS)
    given_up: list[DiscardedBatch] = []
    mapping = EventSourceMapping(
        function,
        batch_size=data.draw(st.integers(1, 12)),
        maximum_retry_attempts=5 * FAULTS + 1,
        bisect_batch_on_function_error=True,
        on_failure=given_up.append,
        clock=clock,
        sleep=clock.advance,
    )
    for _ in mapping.run(records):
        function.tally.settle()
    oracle = Oracle(records)
    check_state(repository, oracle)
    assert [r["kinesis"]["sequenceNumber"] for batch in given_up for r in batch.records] == oracle.given_up
    assert sum(function.tally.outcomes.values()) == len(oracle.outcomes)
    failed = dict.fromkeys(handled.record.sequence_number for handled in function.tally.failed)
    assert list(failed) == oracle.given_up
    assert quarantine.places() == oracle.rejected.keys()
    assert len(oracle.rejected) == function.tally.outcomes[Status.REJECTED]


@thorough
@given(data=st.data())
def test_whatever_fails_on_the_way_the_state_equals_one_clean_pass(data: st.DataObject) -> None:
    run_with_failures(data, MemoryRepository())


@pytest.mark.parametrize("store", STORES)
@briefly
@given(data=st.data())
def test_whatever_fails_on_the_way_it_does_in_every_store(
    stores: dict[str, MakeRepository], store: str, data: st.DataObject
) -> None:
    run_with_failures(data, stores[store]())


@thorough
@given(data=st.data())
def test_any_part_of_the_stream_may_come_again_in_any_cut(data: st.DataObject) -> None:
    records = list(put_on_shard(data.draw(packed(data.draw(events(may_fail=False))))))
    repository: MemoryRepository[Limit] = MemoryRepository()
    handler = KinesisHandler([UserLimitEventProcessor(repository)])
    done = 0
    for end in [*data.draw(st.lists(st.integers(1, len(records)), max_size=6)), len(records)]:
        # from anywhere in what has been delivered, to anywhere before its end or behind it
        first = data.draw(st.integers(0, min(done, end - 1)))
        assert handler({"Records": records[first:end]}) == {"batchItemFailures": []}
        done = max(done, end)
    check_state(repository, Oracle(records))


@thorough
@given(data=st.data())
def test_the_outcomes_of_a_clean_pass_do_not_depend_on_the_batch_size(data: st.DataObject) -> None:
    records = list(put_on_shard(data.draw(packed(data.draw(events(may_fail=False))))))
    counts = []
    for batch_size in (1, 3, 10_000):
        handler = KinesisHandler([UserLimitEventProcessor(MemoryRepository())])
        outcomes: dict[Status, int] = dict.fromkeys(Status, 0)
        for start in range(0, len(records), batch_size):
            for status, number in (
                handler.handle({"Records": records[start : start + batch_size]}).counts().items()
            ):
                outcomes[status] += number
        counts.append(outcomes)
    assert counts[0] == counts[1] == counts[2]
    assert counts[0][Status.FAILED] == 0


@settings(thorough, max_examples=EXAMPLES)
@given(data=st.data())
def test_each_record_has_the_outcome_and_the_remarks_that_the_domain_says(data: st.DataObject) -> None:
    records = list(put_on_shard(data.draw(packed(data.draw(events())))))
    repository: MemoryRepository[Limit] = MemoryRepository()
    handler = KinesisHandler([UserLimitEventProcessor(repository)])
    handled = [each for record in records for each in handler.handle({"Records": [record]})]
    oracle = Oracle(records)
    assert [
        (each.outcome.status.value, tuple(sorted(remark.name for remark in each.outcome.remarks)))
        for each in handled
    ] == oracle.outcomes
    check_state(repository, oracle)


@settings(thorough, max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_two_handlers_on_one_shard_at_once_end_in_the_state_of_one(data: st.DataObject) -> None:
    run_two_at_once(data, MemoryRepository())


@pytest.mark.parametrize("store", STORES)
@briefly
@given(data=st.data())
def test_two_handlers_on_one_shard_at_once_end_in_the_state_of_one_in_every_store(
    stores: dict[str, MakeRepository], store: str, data: st.DataObject
) -> None:
    run_two_at_once(data, stores[store]())


def run_two_at_once(data: st.DataObject, repository: Repository[Limit]) -> None:
    records = list(put_on_shard(data.draw(packed(data.draw(events(may_fail=False))))))
    sizes = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))

    def run(batch_size: int) -> None:
        handler = KinesisHandler([UserLimitEventProcessor(repository)])
        mapping = EventSourceMapping(handler, batch_size=batch_size, maximum_retry_attempts=100, retry_wait=0)
        for _ in mapping.run(records):
            pass

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they get in each other's way
    try:
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(run, size) for size in sizes]:
                done.result()
    finally:
        sys.setswitchinterval(interval)
    check_state(repository, Oracle(records))
