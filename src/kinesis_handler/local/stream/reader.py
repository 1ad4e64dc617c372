"""Reads the records of a stream, in the form in which Lambda delivers them.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pybase64
from botocore.exceptions import ClientError
from msgspec import Struct

from kinesis_handler.errors import ExpiredCheckpointError, StreamError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import lambda_record
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.client import ask, require
from kinesis_handler.local.stream.listing import ShardListing
from kinesis_handler.local.stream.shards import Shard

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

MAX_RECORDS = 10_000
"""Most records of one answer, which holds at most 10 MB."""

_AFTER = "AFTER_SEQUENCE_NUMBER"
_OF_A_SHARD = ("ShardId", "SequenceNumberRange")
_OF_A_RECORD = ("SequenceNumber", "Data", "ApproximateArrivalTimestamp")


class Page(Struct, frozen=True):
    """The result of one read of a shard.

    Args:
        records: in stream order.
        behind_ms: how far behind the tip of the shard it ends, in milliseconds; 0 at the tip. 1 if an
            incomplete answer claims to be at the tip.
        ended: the shard is closed, and this was the last of it.
    """

    records: list[LambdaRecord]
    behind_ms: int
    ended: bool


class StreamReader:
    """Reads one stream.

    Args:
        client: botocore's: see `kinesis_client`.
        name: the stream's name or ARN.
        clock: seconds, from any starting point, for the age of the list of shards.
    """

    def __init__(
        self, client: "KinesisClient", name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.listing = ShardListing(self._list_shards, clock)
        """The stream's shards, for all threads."""
        self._client = client

    @cached_property
    def arn(self) -> str:
        """The stream's ARN. Raises StreamError if it cannot be read."""
        return str(self.summary["StreamARN"])

    @property
    def summary(self) -> Mapping[str, Any]:
        """The description of the stream at the first request: `StreamDescriptionSummary`.

        Raises StreamError if it cannot be read.
        """
        summary: Mapping[str, Any] = self._answer["StreamDescriptionSummary"]
        return summary

    @property
    def identity(self) -> str:
        """The identity of the stream: a later stream of the same name has another one."""
        created_at = self.summary["StreamCreationTimestamp"]
        return f"{self.arn}:{int(created_at.timestamp())}"

    @property
    def opened_at(self) -> int:
        """The stream's own time at the first request, in milliseconds since epoch.

        Raises StreamError if its answer has no date.
        """
        date = self._answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return int(parsedate_to_datetime(date).timestamp() * 1_000)
        except ValueError as error:
            text = f"its answer has the Date {date!r}, so that nobody knows when `latest` is: name a time"
            raise StreamError(f"the stream {self.name!r}: {text}") from error

    def shards(self) -> Sequence[Shard]:
        """Return all shards that still have records; the list is at most a second old.

        Raises StreamError if they cannot be listed.
        """
        return self.listing.shards()

    def _list_shards(self) -> list[Shard]:
        """Return all shards that still have records."""
        shards: list[Shard] = []
        which: dict[str, Any] = {"StreamARN": self.arn}
        while which:
            answer = ask(self.name, self._client.list_shards, "Shards", **which)
            for each in answer["Shards"]:
                require(self.name, "a shard in the answer to list_shards", each, *_OF_A_SHARD)
                parents = each.get("ParentShardId"), each.get("AdjacentParentShardId")
                closed = "EndingSequenceNumber" in each["SequenceNumberRange"]
                shards.append(Shard(each["ShardId"], tuple(filter(None, parents)), closed))
            # The token replaces all other parameters. botocore's paginator repeats the stream: it is refused.
            token = answer.get("NextToken")
            which = {"NextToken": token} if token else {}
        return shards

    def shard(self, shard_id: str, checkpoint: Checkpoint) -> "ShardReader":
        """Return a reader of a shard that continues from a checkpoint."""
        return ShardReader(self._client, self, shard_id, _where(checkpoint))

    def between(self, shard_id: str, first: str, last: str) -> list[LambdaRecord]:
        """Return the records of a shard from one sequence number to another, both included.

        Those that the stream no longer retains are left out. Raises StreamError if they cannot be read.
        """
        end = int(last)
        found: list[LambdaRecord] = []
        where = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": first}
        reader = ShardReader(self._client, self, shard_id, where)
        while True:
            page = reader.read()
            found += [each for each in page.records if int(each["kinesis"]["sequenceNumber"]) <= end]
            behind_it = page.records and int(page.records[-1]["kinesis"]["sequenceNumber"]) >= end
            if behind_it or page.ended or not page.behind_ms:
                return found

    @cached_property
    def _answer(self) -> dict[str, Any]:
        key = "StreamARN" if self.name.startswith("arn:") else "StreamName"
        what = "StreamDescriptionSummary"
        answer = ask(self.name, self._client.describe_stream_summary, what, **{key: self.name})
        require(self.name, f"the {what}", answer[what], "StreamARN", "StreamCreationTimestamp")
        return answer


class ShardReader:
    """Reads one shard from a starting point, in the terms of GetShardIterator. See `StreamReader.shard`."""

    def __init__(
        self, client: "KinesisClient", stream: StreamReader, shard_id: str, where: dict[str, Any]
    ) -> None:
        self._client = client
        self._stream = stream
        self._shard_id = shard_id
        self._where = where
        self._iterator: str | None = None

    def read(self) -> Page:
        """Read the next page, which may be empty. Do not call it after the end of the shard.

        Raises StreamError if the shard cannot be read: a StreamUnavailableError if a later call may succeed,
        an ExpiredCheckpointError if the stream refuses the sequence number of the checkpoint.
        """
        # An iterator is valid for five minutes, and a batch may take longer: an error needs a new one.
        iterator, self._iterator = self._iterator, None
        answer = ask(
            self._stream.name,
            self._client.get_records,
            "Records",
            StreamARN=self._stream.arn,
            ShardIterator=iterator or self._begin(),
            Limit=MAX_RECORDS,
        )
        records = [self._record(each) for each in answer["Records"]]
        following, behind_ms = answer.get("NextShardIterator"), answer.get("MillisBehindLatest", 0)
        ended = not following and self._is_end(answer)
        if not following and not ended:
            behind_ms = behind_ms or 1
        if records:
            self._where = _where(Checkpoint(after=records[-1]["kinesis"]["sequenceNumber"]))
        self._iterator = following
        return Page(records, behind_ms, ended=ended)

    def _is_end(self, answer: Mapping[str, Any]) -> bool:
        """Tell whether an answer without a further iterator is the shard's last.

        Such an answer alone proves nothing. The last one of a closed shard names its child shards; if it does
        not, the next answer has no record and is at the tip.
        """
        nothing_left = not answer["Records"] and not answer.get("MillisBehindLatest", 0)
        is_last = bool(answer.get("ChildShards")) or nothing_left
        return is_last and self._stream.listing.is_closed(self._shard_id)

    def _begin(self) -> str:
        name = self._stream.name
        try:
            answer = ask(
                name,
                self._client.get_shard_iterator,
                "ShardIterator",
                StreamARN=self._stream.arn,
                ShardId=self._shard_id,
                **self._where,
            )
        except StreamError as error:
            if self._where["ShardIteratorType"] == _AFTER and _is_invalid_argument(error):
                raise ExpiredCheckpointError(f"{self._shard_id} of {error}") from error
            raise
        return str(answer["ShardIterator"])

    def _record(self, record: Mapping[str, Any]) -> LambdaRecord:
        require(self._stream.name, "a record in the answer to get_records", record, *_OF_A_RECORD)
        return lambda_record(
            self._stream.arn,
            self._shard_id,
            record["SequenceNumber"],
            record.get("PartitionKey"),
            pybase64.b64encode(record["Data"]).decode(),
            record["ApproximateArrivalTimestamp"].timestamp(),
        )


def _is_invalid_argument(error: StreamError) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "InvalidArgumentException"


def _where(checkpoint: Checkpoint) -> dict[str, Any]:
    if checkpoint.after is not None:
        return {"ShardIteratorType": _AFTER, "StartingSequenceNumber": checkpoint.after}
    if checkpoint.since is not None:
        moment = datetime.fromtimestamp(checkpoint.since / 1_000, UTC)
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}
    return {"ShardIteratorType": "TRIM_HORIZON"}
