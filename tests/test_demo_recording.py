"""A recording is shown as if it had just happened: no limit is due because it is old."""

from base64 import b64decode
from pathlib import Path

import pytest
from msgspec.structs import replace

from kinesis_handler import KinesisHandler
from kinesis_handler.cli.events_file import open_events, read_records
from kinesis_handler.envelopes import Native
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.demo_recording import moved_to_now
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

CAPTURE = Path(__file__).parent.parent / "apps" / "user_limits" / "data" / "events.json"
NOW = 2_000_000_000
"""Seconds: long after the capture."""


@pytest.fixture
def recorded() -> list[LambdaRecord]:
    with open_events(CAPTURE) as file:
        return list(read_records(file, str(CAPTURE), Native()))


def limits_of(records: list[LambdaRecord]) -> dict[tuple[str, str], Limit]:
    limits: MemoryRepository[Limit] = MemoryRepository()
    KinesisHandler([UserLimitEventProcessor(limits)])({"Records": records})
    return {each.key: each.state for each in limits.scan()}


def data(records: list[LambdaRecord]) -> list[bytes]:
    return [b64decode(record["kinesis"]["data"]) for record in records]


def test_no_limit_of_the_capture_is_due(recorded: list[LambdaRecord]) -> None:
    before, after = (limits_of(each) for each in (recorded, moved_to_now(recorded, clock=lambda: NOW)))
    assert min(each.next_reset_time for each in before.values() if each.next_reset_time) < NOW * 1_000
    assert min(each.next_reset_time for each in after.values() if each.next_reset_time) > NOW * 1_000


def test_only_times_change_and_all_by_the_same(recorded: list[LambdaRecord]) -> None:
    before, after = (limits_of(each) for each in (recorded, moved_to_now(recorded, clock=lambda: NOW)))
    assert before.keys() == after.keys()
    [later] = {after[key].active_from - before[key].active_from for key in before}

    def moved(at: int | None) -> int | None:
        return None if at is None else at + later

    for key, limit in before.items():
        reset = limit.last_reset
        assert after[key] == replace(
            limit,
            active_from=limit.active_from + later,
            active_until=moved(limit.active_until),
            next_reset_time=moved(limit.next_reset_time),
            last_reset=replace(reset, at=reset.at + later) if reset else None,
            drifted_at=moved(limit.drifted_at),
        )


def test_records_keep_their_order_and_their_amounts_as_they_are_written() -> None:
    event = (
        b'{"eventId":"e","type":"T","createdAt":5,"payload":{"amount":12.50,"value":"7.00","activeFrom":3}}'
    )
    records = list(put_on_shard([("key", event), ("key", b'{"createdAt":1}')]))
    moved = moved_to_now(records, clock=lambda: 0.105)
    assert data(moved) == [
        event.replace(b'"createdAt":5', b'"createdAt":105').replace(b'"activeFrom":3', b'"activeFrom":103'),
        b'{"createdAt":101}',
    ]
    numbers = [[record["kinesis"]["sequenceNumber"] for record in each] for each in (records, moved)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[1]", b'{"createdAt":"now","payload":7}', b"[" * 10_000]
)
def test_what_is_no_event_stays_as_it_is(content: bytes) -> None:
    records = list(put_on_shard([("key", content)]))
    assert moved_to_now(records, clock=lambda: NOW) == records
    beside = [*records, *put_on_shard([("key", b'{"createdAt":1}')])]
    assert data(moved_to_now(beside, clock=lambda: NOW))[0] == content
