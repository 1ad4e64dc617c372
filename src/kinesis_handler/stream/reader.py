"""Reads the records of a stream, in the shape in which Lambda delivers them.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pybase64
from msgspec import Struct

from kinesis_handler.event_source import lambda_record
from kinesis_handler.record import LambdaRecord
from kinesis_handler.stream.checkpoint import Checkpoint
from kinesis_handler.stream.client import told
from kinesis_handler.stream.shards import Shard

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import RecordTypeDef

MAX_RECORDS = 10_000
"""Of one answer; it holds 10 MB at most."""


class Page(Struct, frozen=True):
    """What one look at a shard brought.

    Args:
        records: in stream order.
        behind_ms: how far behind the tip of the shard it ends, in milliseconds; 0 at the tip.
        ended: the shard is closed, and this was the last of it.
    """

    records: list[LambdaRecord]
    behind_ms: int
    ended: bool


class StreamReader:
    """Reads one stream.

    Args:
        client: botocore's: see `kinesis_client`.
        name: of the stream, or its ARN.
    """

    def __init__(self, client: "KinesisClient", name: str) -> None:
        self.name = name
        self._client = client

    @cached_property
    def arn(self) -> str:
        """The stream's ARN. Raises StreamError if it cannot be asked for."""
        return str(self._answer["StreamDescriptionSummary"]["StreamARN"])

    @property
    def identity(self) -> str:
        """What no other stream has, one of the same name that is made after this one was removed neither."""
        created_at = self._answer["StreamDescriptionSummary"]["StreamCreationTimestamp"]
        return f"{self.arn}:{int(created_at.timestamp())}"

    @property
    def opened_at(self) -> int:
        """The stream's own time when it was first asked for anything, in milliseconds since epoch."""
        date = self._answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return int(parsedate_to_datetime(date).timestamp() * 1_000)

    def shards(self) -> list[Shard]:
        """Return all shards that still have records. Raises StreamError if they cannot be listed."""
        shards: list[Shard] = []
        which: dict[str, Any] = {"StreamARN": self.arn}
        while which:
            with told(self.name):
                answer = self._client.list_shards(**which)
            for each in answer["Shards"]:
                parents = each.get("ParentShardId"), each.get("AdjacentParentShardId")
                shards.append(Shard(each["ShardId"], tuple(filter(None, parents))))
            # The token stands for all else. botocore's paginator says the stream again, which is refused.
            token = answer.get("NextToken")
            which = {"NextToken": token} if token else {}
        return shards

    def shard(self, shard_id: str, place: Checkpoint) -> "ShardReader":
        """Return what reads a shard on from a place."""
        return ShardReader(self._client, self.name, self.arn, shard_id, _where(place))

    def between(self, shard_id: str, first: str, last: str) -> list[LambdaRecord]:
        """Return the records of a shard from one sequence number to another, both included.

        Those that the stream no longer retains are not among them. Raises StreamError if they cannot be read.
        """
        end = int(last)
        found: list[LambdaRecord] = []
        where = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": first}
        reader = ShardReader(self._client, self.name, self.arn, shard_id, where)
        while True:
            page = reader.read()
            found += [each for each in page.records if int(each["kinesis"]["sequenceNumber"]) <= end]
            behind_it = page.records and int(page.records[-1]["kinesis"]["sequenceNumber"]) >= end
            if behind_it or page.ended or not page.behind_ms:
                return found

    @cached_property
    def _answer(self) -> dict[str, Any]:
        key = "StreamARN" if self.name.startswith("arn:") else "StreamName"
        with told(self.name):
            return dict(self._client.describe_stream_summary(**{key: self.name}))


class ShardReader:
    """Reads one shard on from a place, in the words of GetShardIterator. See `StreamReader.shard`."""

    def __init__(
        self, client: "KinesisClient", stream: str, stream_arn: str, shard_id: str, where: dict[str, Any]
    ) -> None:
        self._client = client
        self._stream = stream
        self._stream_arn = stream_arn
        self._shard_id = shard_id
        self._where = where
        self._iterator: str | None = None

    def read(self) -> Page:
        """Return what comes next, which may be nothing yet. Not to be called behind the end.

        Raises StreamError if the shard cannot be read. After a StreamUnavailableError it can be called again.
        """
        # An iterator lasts for five minutes, and a batch may take longer: after an error a new one is made.
        iterator, self._iterator = self._iterator, None
        with told(self._stream):
            answer = self._client.get_records(
                StreamARN=self._stream_arn, ShardIterator=iterator or self._begin(), Limit=MAX_RECORDS
            )
        records = [self._record(each) for each in answer["Records"]]
        if records:
            self._where = _where(Checkpoint(after=records[-1]["kinesis"]["sequenceNumber"]))
        self._iterator = answer.get("NextShardIterator")
        return Page(records, answer.get("MillisBehindLatest", 0), ended=not self._iterator)

    def _begin(self) -> str:
        answer = self._client.get_shard_iterator(
            StreamARN=self._stream_arn, ShardId=self._shard_id, **self._where
        )
        return answer["ShardIterator"]

    def _record(self, record: "RecordTypeDef") -> LambdaRecord:
        return lambda_record(
            self._stream_arn,
            self._shard_id,
            record["SequenceNumber"],
            record["PartitionKey"],
            pybase64.b64encode(record["Data"]).decode(),
            record["ApproximateArrivalTimestamp"].timestamp(),
        )


def _where(place: Checkpoint) -> dict[str, Any]:
    if place.after is not None:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": place.after}
    if place.since is not None:
        moment = datetime.fromtimestamp(place.since / 1_000, UTC)
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}
    return {"ShardIteratorType": "TRIM_HORIZON"}
