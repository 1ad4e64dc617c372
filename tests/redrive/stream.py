"""A stream of one shard."""

from typing import TYPE_CHECKING
from uuid import uuid4

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.reader import StreamReader

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

SHARD = "shardId-000000000000"


class Stream:
    """A new stream, and what is on it."""

    def __init__(self, client: "KinesisClient") -> None:
        self.client = client
        self.name = f"stream-{uuid4()}"
        client.create_stream(StreamName=self.name, ShardCount=1)
        self.reader = StreamReader(client, self.name)

    @property
    def arn(self) -> str:
        return self.reader.arn

    def put(self, partition_key: str, data: bytes) -> str:
        """Put a record; return its sequence number."""
        answer = self.client.put_record(StreamName=self.name, PartitionKey=partition_key, Data=data)
        return answer["SequenceNumber"]

    def records(self) -> list[LambdaRecord]:
        """Return what is on it."""
        return self.reader.shard(SHARD, Checkpoint()).read().records

    def content(self) -> list[tuple[str, bytes]]:
        """Return partition key and data of what is on it."""
        answer = self.client.get_records(ShardIterator=self._begin())
        return [(each["PartitionKey"], each["Data"]) for each in answer["Records"]]

    def _begin(self) -> str:
        answer = self.client.get_shard_iterator(
            StreamName=self.name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON"
        )
        return answer["ShardIterator"]
