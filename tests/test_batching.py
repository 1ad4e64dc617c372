"""What an event source mapping delivers together, what it refuses to, and what it cannot deliver at all."""

from typing import Any

import pytest

from aggregates import aggregate
from kinesis_handler import ConfigurationError
from kinesis_handler.errors import InvalidInvocationError
from kinesis_handler.lambda_types import LambdaContext, LambdaRecord
from kinesis_handler.local.batching import PAYLOAD_LIMIT
from kinesis_handler.local.event_source import (
    DiscardedBatch,
    EventSourceMapping,
    first_failure,
    lambda_record,
    put_on_shard,
)
from kinesis_handler.testing import FakeClock

TOO_LARGE = PAYLOAD_LIMIT * 3 // 4 + 3
"""Bytes of data that are more than an invocation in base64."""


class Function:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.delivered: list[LambdaRecord] = []
        self.given_up: list[DiscardedBatch] = []

    def __call__(self, invocation: dict[str, Any], _context: LambdaContext) -> None:
        self.delivered += invocation["Records"]

    def run(self, records: list[LambdaRecord], **options: Any) -> None:
        mapping = EventSourceMapping(self, on_failure=self.given_up.append, **options)
        for _ in mapping.run(records):
            pass


def kpl_record(container: str | None, *user_keys: str) -> tuple[str | None, bytes]:
    return container, aggregate((key, None, b"{}") for key in user_keys)


@pytest.mark.parametrize("factor", [2, 10])
@pytest.mark.parametrize("container", ["a", None])
def test_a_kpl_record_is_refused_where_batches_are_delivered_at_once_and_nothing_is_delivered(
    factor: int, container: str | None
) -> None:
    function = Function()
    records = list(put_on_shard([("anna", b"{}"), kpl_record(container, "anna", "ben"), ("ben", b"{}")]))
    number = records[1]["kinesis"]["sequenceNumber"]
    told = rf"^parallelization_factor is {factor}, and the record {number} of shardId-\d+ is a KPL record"
    with pytest.raises(ConfigurationError, match=told):
        function.run(records, parallelization_factor=factor)
    assert (function.delivered, function.given_up) == ([], [])


def test_one_batch_after_the_other_takes_kpl_records() -> None:
    function = Function()
    records = list(put_on_shard([kpl_record("a", "anna", "ben"), ("anna", b"{}")]))
    function.run(records)
    assert function.delivered == records


@pytest.mark.parametrize(
    "record",
    [
        kpl_record("anna", "anna", "anna"),
        ("anna", kpl_record("a", "anna")[1][:-1]),
        ("anna", b"\xf3\x89\x9a\xff"),
        ("anna", b""),
    ],
    ids=["its events have its own key", "broken", "another record that begins alike", "empty"],
)
def test_what_keeps_its_order_is_delivered_at_once_with_others(record: tuple[str, bytes]) -> None:
    function = Function()
    records = list(put_on_shard([record, ("ben", b"{}")]))
    function.run(records, parallelization_factor=2)
    assert sorted(map(str, function.delivered)) == sorted(map(str, records))


def test_data_that_is_no_base64_is_for_the_handler_to_reject() -> None:
    function = Function()
    records = [lambda_record("", "shardId-0", "1", "a", "84mawg!", 0)]
    function.run(records, parallelization_factor=2)
    assert function.delivered == records


def test_records_without_a_partition_key_are_delivered_at_once_each_by_itself() -> None:
    function = Function()
    records = list(put_on_shard((None, b"{}") for _ in range(50)))
    records[0]["kinesis"].pop("partitionKey")
    function.run(records, parallelization_factor=4)
    assert sorted(map(str, function.delivered)) == sorted(map(str, records))


def test_two_records_with_one_number_are_refused_and_nothing_is_delivered() -> None:
    function = Function()
    records = list(put_on_shard(("a", data) for data in (b"{}", b"[]", b"{}")))
    records[2]["kinesis"]["sequenceNumber"] = records[1]["kinesis"]["sequenceNumber"]
    with pytest.raises(
        InvalidInvocationError, match=r"^Records\[1\] and Records\[2\] have the same sequence"
    ):
        function.run(records)
    assert function.delivered == []


def test_the_same_record_twice_is_delivered_again_from_where_it_came_first() -> None:
    records = list(put_on_shard([("a", b"{}"), ("a", b"[]")]))
    records = [records[0], records[1], records[0]]
    failures = [{"itemIdentifier": records[0]["kinesis"]["sequenceNumber"]}]
    assert first_failure({"batchItemFailures": failures}, records) == 0


def test_a_record_that_no_invocation_can_carry_is_given_up_undelivered_and_the_others_go_on() -> None:
    function = Function()
    records = list(put_on_shard(("a", b"x" * size) for size in (1, TOO_LARGE, 1)))
    function.run(records)
    assert function.delivered == [records[0], records[2]]
    assert function.given_up == [DiscardedBatch("RequestTooLargeException", [records[1]], 0)]


def test_where_no_lambda_has_to_carry_it_it_is_delivered() -> None:
    function = Function()
    records = list(put_on_shard(("a", b"x" * size) for size in (1, TOO_LARGE, 1)))
    function.run(records, deliver_too_large=True)
    assert (function.delivered, function.given_up) == (records, [])


def test_an_arrival_in_milliseconds_is_seen_to_be_one() -> None:
    clock, function = FakeClock(), Function()
    old, young = put_on_shard([("a", b"{}")] * 2, clock=clock)
    old["kinesis"]["approximateArrivalTimestamp"] = (clock.now - 61) * 1_000
    young["kinesis"]["approximateArrivalTimestamp"] = (clock.now - 59) * 1_000
    function.run([old, young], maximum_record_age=60, clock=clock)
    assert function.delivered == [young]
    assert function.given_up == [DiscardedBatch("RecordAgeExceeded", [old], 0)]


def test_a_record_whose_arrival_is_not_known_is_never_too_old() -> None:
    function = Function()
    records = [lambda_record("", "shardId-0", "1", "a", "e30=", None)]
    function.run(records, maximum_record_age=60)
    assert function.delivered == records
