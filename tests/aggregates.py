"""Aggregated records as AWS's own library writes them: a writer that knows nothing of our reader."""

from collections.abc import Iterable

from aws_kinesis_agg.aggregator import RecordAggregator


def aggregate(records: Iterable[tuple[str, str | None, bytes]]) -> bytes:
    """Write (partition key, explicit hash key, data) of each user record into one record's data."""
    writer = RecordAggregator()
    for partition_key, hash_key, data in records:
        writer.add_user_record(partition_key, data, hash_key)
    content: bytes = writer.clear_and_get().get_contents()[2]
    return content
