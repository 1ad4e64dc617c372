"""A stream that a test has for itself, and what becomes of it."""

from base64 import b64encode
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import lambda_record
from kinesis_handler.local.stream.reader import StreamReader

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import ShardTypeDef

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"

_numbers = count(1)


class Stream:
    """A stream, new and empty."""

    def __init__(self, client: "KinesisClient", shards: int = 1, prefix: str = "facts") -> None:
        self.client = client
        self.name = f"{prefix}-{next(_numbers)}"
        client.create_stream(StreamName=self.name, ShardCount=shards)

    def reader(self) -> StreamReader:
        """Return what reads it, as another process would: it knows nothing yet, and believes no old list."""
        return StreamReader(self.client, self.name, clock=count().__next__)

    def put(self, *data: bytes, key: str = "anna", hash_key: str | None = None) -> list[str]:
        """Put records one after the other; return their sequence numbers."""
        where = {} if hash_key is None else {"ExplicitHashKey": hash_key}
        return [
            self.client.put_record(StreamName=self.name, Data=each, PartitionKey=key, **where)[  # type: ignore[arg-type]
                "SequenceNumber"
            ]
            for each in data
        ]

    def put_on(self, shard_id: str, *data: bytes) -> list[str]:
        """Put records onto one of its open shards."""
        [shard] = [each for each in self.shards() if each["ShardId"] == shard_id]
        return self.put(*data, key=shard_id, hash_key=shard["HashKeyRange"]["StartingHashKey"])

    def put_at_once(self, records: Sequence[tuple[str, bytes]]) -> list[LambdaRecord]:
        """Put (partition key, data) of records, a key once; return them as they would be delivered."""
        answer = self.client.put_records(
            StreamName=self.name, Records=[{"PartitionKey": key, "Data": data} for key, data in records]
        )
        assert answer["FailedRecordCount"] == 0
        return [
            lambda_record(self.arn, put["ShardId"], put["SequenceNumber"], key, _base64(data), 0)
            for (key, data), put in zip(records, answer["Records"], strict=True)
        ]

    @property
    def arn(self) -> str:
        """What others know it by."""
        return f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"

    def shards(self) -> "list[ShardTypeDef]":
        """Return all of its shards, up to a hundred."""
        return self.client.list_shards(StreamName=self.name)["Shards"]

    def open_shards(self) -> "list[ShardTypeDef]":
        """Return those that take records, in the order of their hash keys."""
        open_ones = [
            each for each in self.shards() if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        return sorted(open_ones, key=lambda each: int(each["HashKeyRange"]["StartingHashKey"]))

    def split(self, shard_id: str) -> list[str]:
        """Split a shard in the middle; return its children."""
        [shard] = [each for each in self.shards() if each["ShardId"] == shard_id]
        ends = shard["HashKeyRange"]
        middle = (int(ends["StartingHashKey"]) + int(ends["EndingHashKey"])) // 2 + 1
        self.client.split_shard(StreamName=self.name, ShardToSplit=shard_id, NewStartingHashKey=str(middle))
        return [each["ShardId"] for each in self.shards()[-2:]]

    def merge(self, shard_id: str, neighbour: str) -> str:
        """Merge two shards; return their child."""
        self.client.merge_shards(StreamName=self.name, ShardToMerge=shard_id, AdjacentShardToMerge=neighbour)
        return self.shards()[-1]["ShardId"]


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
