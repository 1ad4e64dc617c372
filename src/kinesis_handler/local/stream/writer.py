"""Puts records onto a stream, in the order of each partition key.

PutRecords does not preserve order: one record of a request may be refused, and sent again later, while those
after it succeed. So no request has two records of one partition key, and a refused record blocks its key.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kinesis_handler.errors import StreamUnavailableError
from kinesis_handler.local.stream.client import ask, stream_errors
from kinesis_handler.retry import Pauses

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef, WaiterConfigTypeDef

MAX_RECORDS = 500
MAX_BYTES = 4 * 1024 * 1024
"""Largest request, in bytes of data and partition keys. Kinesis accepts 10 MiB, also for one record."""

ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
"""Shortest and longest wait after a request with refused records, in seconds: it doubles each time."""

_PAUSES = Pauses(FIRST_WAIT, LONGEST_WAIT)

_RETRYABLE = {"ProvisionedThroughputExceededException", "InternalFailure"}
"""Error codes of refused records that may be accepted later."""

_WAIT: "WaiterConfigTypeDef" = {"Delay": 1, "MaxAttempts": 120}
"""Interval in seconds, and number, of the looks at a stream that is being created."""

_Queue = deque[tuple[int, bytes]]


class _Refusal(NamedTuple):
    reason: str
    retryable: bool


def create_stream(client: "KinesisClient", name: str, shards: int) -> None:
    """Create a stream, and wait until it is active.

    Raises StreamError if a stream of this name exists, or it may not be created.
    """
    with stream_errors(name):
        client.create_stream(StreamName=name, ShardCount=shards)
        client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=_WAIT)


class StreamWriter:
    """Writes one stream.

    Args:
        client: botocore's: see `kinesis_client`.
        name: the stream's name or ARN.
        sleep: waits for some seconds.
    """

    def __init__(self, client: "KinesisClient", name: str, sleep: Callable[[float], None]) -> None:
        self.name = name
        self._stream: dict[str, Any] = {"StreamARN" if name.startswith("arn:") else "StreamName": name}
        self._client = client
        self._sleep = sleep

    def put(self, records: Sequence[tuple[str, bytes]]) -> Mapping[int, str]:
        """Put (partition key, data) of each record; return the reasons of refused records, by index.

        After a record that is refused for good, later records of its partition key are not put either.

        Raises StreamError if the stream cannot be written at all.
        """
        queues: dict[str, _Queue] = {}
        for index, (partition_key, data) in enumerate(records):
            queues.setdefault(partition_key, deque()).append((index, data))
        given_up: dict[int, str] = {}
        refusals: Counter[str] = Counter()
        while queues:
            asked = _first_of_each(queues)
            refused = self._request(asked, queues)
            for key in asked:
                if key in refused:
                    refusals[key] += 1
                    if refusals[key] == ATTEMPTS or not refused[key].retryable:
                        given_up.update((index, refused[key].reason) for index, _ in queues.pop(key))
                        del refusals[key]
                    continue
                refusals.pop(key, None)
                queues[key].popleft()
                if not queues[key]:
                    del queues[key]
            if refusals:
                self._sleep(_PAUSES.after(max(refusals.values())))
        return given_up

    def _request(self, partition_keys: Sequence[str], queues: Mapping[str, _Queue]) -> Mapping[str, _Refusal]:
        """Put the first record of each of these queues; return the refusals by partition key."""
        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"PartitionKey": key, "Data": queues[key][0][1]} for key in partition_keys
        ]
        try:
            answers = self._put(entries)
        except StreamUnavailableError as error:
            return dict.fromkeys(partition_keys, _Refusal(str(error), retryable=True))
        return {
            key: _Refusal(
                f"{each['ErrorCode']}: {each.get('ErrorMessage', '')}", each["ErrorCode"] in _RETRYABLE
            )
            for key, each in zip(partition_keys, answers, strict=True)
            if "ErrorCode" in each
        }

    def _put(self, entries: "Sequence[PutRecordsRequestEntryTypeDef]") -> Sequence[Mapping[str, str]]:
        """Put records in one request; return the answer for each of them.

        An answer that does not cover each of them counts as lost: all are put again.
        """
        answer = ask(self.name, self._client.put_records, "Records", Records=entries, **self._stream)
        answers: Sequence[Mapping[str, str]] = answer["Records"]
        if len(answers) != len(entries) or not all(
            "ErrorCode" in each or "SequenceNumber" in each for each in answers
        ):
            text = f"the answer to put_records does not speak of each of {len(entries)} records"
            raise StreamUnavailableError(f"the stream {self.name!r}: {text}")
        return answers


def _first_of_each(queues: Mapping[str, _Queue]) -> list[str]:
    """Return the partition keys of the next request: as many as fit, at least one."""
    keys: list[str] = []
    size = 0
    for key, queue in queues.items():
        size += len(key.encode()) + len(queue[0][1])
        if keys and (len(keys) == MAX_RECORDS or size > MAX_BYTES):
            break
        keys.append(key)
    return keys
