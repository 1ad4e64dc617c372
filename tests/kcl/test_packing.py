"""KPL records that the library has taken apart are as Lambda delivers them."""

from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from aggregates import aggregate
from kcl.library import ARN, SHARD, Record
from kinesis_handler.ingest.record import unpack
from kinesis_handler.kcl.packing import packed
from kinesis_handler.lambda_types import LambdaRecord

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
user_records = st.lists(st.tuples(keys, st.binary(max_size=400)), min_size=2, max_size=40)


def parts_of(record: LambdaRecord) -> list[tuple[str, int, str | None, object]]:
    found = unpack([record])
    return [
        (
            each.sequence_number,
            each.sub_sequence_number,
            each.partition_key,
            content if isinstance(content, bytes) else str(content),
        )
        for each, content in found
    ]


@given(user_records)
def test_each_user_record_has_the_position_key_and_content_that_it_has_on_lambda(
    parts: list[tuple[str, bytes]],
) -> None:
    on_lambda = aggregate((key, None, data) for key, data in parts)
    records = [Record("7", data, number, key) for number, (key, data) in enumerate(parts)]
    [(record, last)] = packed(records, ARN, SHARD)
    as_on_lambda: LambdaRecord = {
        **record,
        "kinesis": {**record["kinesis"], "data": b64encode(on_lambda).decode()},
    }
    assert last == len(parts) - 1
    assert parts_of(record) == parts_of(as_on_lambda)


@given(st.binary(max_size=100))
def test_any_other_record_is_unchanged(data: bytes) -> None:
    [(record, last)] = packed([Record("7", data)], ARN, SHARD)
    assert last == 0
    kinesis = record["kinesis"]
    assert b64decode(kinesis["data"]) == data
    assert (kinesis["sequenceNumber"], kinesis["partitionKey"]) == ("7", "anna")
    assert kinesis["approximateArrivalTimestamp"] == 1_700_000_000.0
    assert (record["eventID"], record["awsRegion"]) == (f"{SHARD}:7", "us-east-1")


def test_records_of_an_automatic_stream_have_no_key() -> None:
    [(record, _)] = packed([Record("7", partition_key=None, timestamp_millis=None)], ARN, SHARD)
    assert record["kinesis"]["partitionKey"] is None
    assert "approximateArrivalTimestamp" not in record["kinesis"]
