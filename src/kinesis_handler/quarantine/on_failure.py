"""Encodes batches that an event source mapping gave up, as Lambda's on-failure destination does. Pure.

A bucket gets the whole invocation, with its records; a queue or a topic gets only the positions of the
records.

Source: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from typing import Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from kinesis_handler.ingest.record import arrival_time, shard_of
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.quarantine.entry import Entry, SequenceNumber, object_name, rfc3339

TOO_LARGE: Literal["RequestTooLargeException"] = "RequestTooLargeException"
"""Lambda's error for an invocation that is too large; AWS documents no discard condition for it."""

DiscardCondition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded", "RequestTooLargeException"]


class DiscardedBatch(Struct, frozen=True):
    """Records that an event source mapping gave up, as passed to its on-failure destination.

    Args:
        condition: why, in Lambda's words; `RequestTooLargeException` for a single record that is too large
            for an invocation.
        records: as they were delivered, in stream order.
        invocations: how often they were delivered.
    """

    condition: DiscardCondition
    records: list[LambdaRecord]
    invocations: int


class _RequestContext(Struct, rename="camel"):
    condition: str
    approximate_invoke_count: int = 0
    request_id: str = ""
    function_arn: str = ""


class _ResponseContext(Struct, rename="camel"):
    status_code: int | None = None
    executed_version: str | None = None
    function_error: str | None = None


class BatchInfo(Struct, frozen=True, rename="camel"):
    """The positions of a batch's records on the stream."""

    shard_id: str
    start_sequence_number: SequenceNumber
    end_sequence_number: SequenceNumber
    batch_size: int
    stream_arn: str
    approximate_arrival_of_first_record: str | None = None
    approximate_arrival_of_last_record: str | None = None


class FailedBatch(Struct, frozen=True, kw_only=True, rename="camel"):
    """A document of an on-failure destination. `payload` is the invocation as JSON, if it carries one."""

    request_context: _RequestContext
    response_context: _ResponseContext | None = None
    version: str = "1.0"
    timestamp: str | None = None
    info: BatchInfo = field(name="KinesisBatchInfo")
    payload: str | None = None

    @property
    def records(self) -> list[LambdaRecord] | None:
        """The records as they were delivered; None if the document does not carry any.

        Raises msgspec.DecodeError if the payload is something else.
        """
        if self.payload is None or not msgspec.json.decode(self.payload, type=Invocation).records:
            return None
        records: list[LambdaRecord] = msgspec.json.decode(self.payload)["Records"]
        return records

    def with_records(self, records: list[LambdaRecord]) -> "FailedBatch":
        """Return the document with the records in it."""
        return replace(self, payload=msgspec.json.encode({"Records": records}).decode())

    def entries(self) -> list[Entry]:
        """Return an entry for each record, or no entries if the document does not carry them."""
        return [self._entry(record) for record in self.records or ()]

    def object(self) -> tuple[str, bytes]:
        """Return the name and the content of its quarantine object: the same batch has the same name.

        Raises ValueError if it does not carry its records.
        """
        first, *_ = self.entries()
        ending = f"-{self.info.end_sequence_number}.on-failure.json"
        return object_name(first, ending), msgspec.json.encode(self)

    def _entry(self, record: LambdaRecord) -> Entry:
        kinesis = record["kinesis"]
        return Entry(
            reason=self._reason(),
            error=self.request_context.condition,
            event_id=None,
            event_type=None,
            correlation_id=None,
            stream=self.info.stream_arn,
            shard_id=self.info.shard_id,
            sequence_number=kinesis["sequenceNumber"],
            sub_sequence_number=None,
            partition_key=kinesis.get("partitionKey"),
            arrived_at=rfc3339(arrival_time(record)),
            handler_version=(self.response_context and self.response_context.executed_version) or "",
            data=kinesis["data"],
        )

    def _reason(self) -> str:
        if self.request_context.condition == TOO_LARGE:
            return "larger than an invocation by Lambda can be: redrive it through the handler"
        times = self.request_context.approximate_invoke_count
        return f"given up after {times} {'delivery' if times == 1 else 'deliveries'}"


class _Kinesis(Struct, rename="camel"):
    sequence_number: SequenceNumber
    data: str
    partition_key: str | None = None


class _LambdaRecord(Struct):
    kinesis: _Kinesis


class Invocation(Struct, rename="pascal"):
    """An invocation by a Kinesis stream, as far as the handler can report each of its records."""

    records: list[_LambdaRecord]


_DECODER = msgspec.json.Decoder(FailedBatch)


def decode(content: bytes | str) -> FailedBatch:
    """Return the document in an object or a message.

    Raises msgspec.DecodeError if it is something else.
    """
    return _DECODER.decode(content)


def failed_batch(discarded: DiscardedBatch, at: float) -> FailedBatch:
    """Return the document of a batch that our own event source mapping gave up.

    Args:
        discarded: the batch, as the mapping passed it.
        at: seconds since epoch.
    """
    first, last = discarded.records[0], discarded.records[-1]
    document = FailedBatch(
        request_context=_RequestContext(discarded.condition, discarded.invocations),
        timestamp=rfc3339(at),
        info=BatchInfo(
            shard_id=shard_of(first),
            start_sequence_number=first["kinesis"]["sequenceNumber"],
            end_sequence_number=last["kinesis"]["sequenceNumber"],
            batch_size=len(discarded.records),
            stream_arn=str(first.get("eventSourceARN") or ""),
            approximate_arrival_of_first_record=rfc3339(arrival_time(first)),
            approximate_arrival_of_last_record=rfc3339(arrival_time(last)),
        ),
    )
    return document.with_records(discarded.records)
