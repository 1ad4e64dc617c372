"""What parking costs at DynamoDB: nothing where nothing is parked, else one write for a key and batch."""

from collections.abc import Callable, Iterator

import pytest

from accounts import Account, Accounts, Closed, Moved, records_of
from kinesis_handler import BusinessError, Deleted, Event, KinesisHandler
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.outcome import Status
from kinesis_handler.stores.dynamodb import DynamoDBRepository, dynamodb_connection
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.size import item_bytes
from kinesis_handler.testing import FakeClock
from testkit.emulators.wire import Call, Tap
from testkit.quarantine import MemoryQuarantine
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables

UNIT = 1_024
"""Bytes that a write unit writes."""
CODEC = ItemCodec(Account, PARTITION_KEY, SORT_KEY)


class Choosy(Accounts):
    """Refuses some movements, by their numbers."""

    failing: frozenset[int] = frozenset()

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if isinstance(event.payload, Moved) and event.payload.number in self.failing:
            raise BusinessError("not now")
        return super().apply(state, event)


class Sent:
    """The requests that a repository has sent since it was asked last."""

    def __init__(self, table: str) -> None:
        self.calls: list[Call] = []
        self._table = table

    def take(self) -> list[str]:
        """Return the requests, as if the table had another name."""
        return [f"{each.operation} {each.text.replace(self._table, 'TABLE')}" for each in self._take()]

    def take_numbers(self) -> list[tuple[int, int]]:
        """Return how many keys each request reads, and how many it writes."""
        bodies = [each.body for each in self._take()]
        return [
            (
                sum(len(table["Keys"]) for table in each.get("RequestItems", {}).values()),
                len(each.get("Statements", ())),
            )
            for each in bodies
        ]

    def _take(self) -> list[Call]:
        calls = [*self.calls]
        self.calls.clear()
        return calls


Made = tuple[DynamoDBRepository[Account], Sent]


@pytest.fixture
def make(tables: Tables) -> Iterator[Callable[[], Made]]:
    """Return what makes a repository whose requests are recorded."""
    taps = []

    def made() -> Made:
        connection = dynamodb_connection(endpoint=tables.endpoint)
        name = tables.table().name
        repository = DynamoDBRepository(
            connection, name, Account, partition_key=PARTITION_KEY, sort_key=SORT_KEY, clock=FakeClock()
        )
        sent = Sent(name)
        taps.append(Tap(connection, sent.calls.append))
        return repository, sent

    yield made
    for each in taps:
        each.__exit__(None, None, None)


def moved(numbers: range, accounts: int) -> list[LambdaRecord]:
    """Return movements of accounts in turn."""
    return records_of(
        [
            {
                "eventId": f"e{number}",
                "type": "MOVED",
                "createdAt": number,
                "payload": {"account": f"a{number % accounts}", "number": number},
            }
            for number in numbers
        ]
    )


def test_where_nothing_is_parked_the_requests_are_those_of_a_handler_that_cannot_park(
    make: Callable[[], Made],
) -> None:
    clock = FakeClock()
    parking, of_parking = make()
    plain, of_plain = make()
    handlers = [
        KinesisHandler([Choosy(parking, park_after=0)], quarantine=MemoryQuarantine(), now=clock),
        KinesisHandler([Choosy(plain, park_after=None)], now=clock),
    ]
    for batch in (moved(range(30), 6), moved(range(30, 60), 6), moved(range(60, 66), 3)):
        results = [each.handle({"Records": batch}).counts() for each in handlers]
        assert results[0] == results[1]
        sent = of_parking.take()
        assert sent == of_plain.take()
        assert len(sent) == 2


def test_a_parked_key_costs_one_read_and_one_write_of_a_unit_for_a_batch(make: Callable[[], Made]) -> None:
    repository, sent = make()
    accounts = Choosy(repository, park_after=0)
    handler = KinesisHandler([accounts], quarantine=MemoryQuarantine())
    accounts.failing = frozenset({4})
    handler.handle({"Records": moved(range(4), 1)})
    assert sent.take_numbers() == [(1, 0), (0, 1)]
    for batch in (range(4, 10), range(10, 40)):
        records = moved(batch, 1)
        assert handler.handle({"Records": records}).counts()[Status.PARKED] == len(batch)
        assert sent.take_numbers() == [(1, 0), (0, 1)]
        assert handler.handle({"Records": records}).counts()[Status.DUPLICATE] == len(batch)
        assert sent.take_numbers() == [(1, 0)], "what is delivered again is not written again"
    [stored] = repository.scan_stored()
    assert stored.parked is not None
    assert stored.parked.count == 36
    assert item_bytes({**CODEC.key_attributes(stored.key), **CODEC.attributes(stored)}) <= UNIT
