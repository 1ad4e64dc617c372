"""An SQS queue is told where the records were: they are fetched from the stream while it retains them."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kinesis_handler.errors import QuarantineError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive.fetch import fetch_from_queue, fetch_records
from kinesis_handler.local.redrive.queue import FailedBatchQueue
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.on_failure import FailedBatch
from redrive.documents import KEY, document, metadata, whole
from redrive.stream import Stream
from redrive.waiting import created, data_of, on_shard, progress
from testkit.quarantine import MemoryQuarantine

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

FOREIGN = re.compile(
    r"the message [0-9a-f-]{36} is no document of a Kinesis stream, and was left in the queue: see what it "
    r"is, and who sends it there"
)
EVENTS = [created("e1"), progress("e2", 5), progress("e3", 7)]


def notification(message: str) -> str:
    """Return what SNS puts around a message on its way to a queue."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:given-up",
            "Message": message,
            "Timestamp": "2026-11-22T10:00:01.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
        }
    )


class Queue:
    """A queue, and how many messages are in it."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def __len__(self) -> int:
        """Count what waits, and what has been received and not been deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)  # type: ignore[arg-type]
        return sum(map(int, answer["Attributes"].values()))


@pytest.fixture
def queue(sqs_client: "SQSClient", queue_url: str) -> Queue:
    return Queue(sqs_client, queue_url)


@pytest.fixture
def records(stream: Stream) -> list[LambdaRecord]:
    """Put events onto the stream; return their records."""
    for each in EVENTS:
        stream.put("anna", data_of(each))
    return stream.records()


def fetch(queue: FailedBatchQueue | Queue, quarantine: MemoryQuarantine, stream: Stream) -> list[str]:
    """Move what is in the queue; return what was wrong."""
    from_queue = FailedBatchQueue(queue.url) if isinstance(queue, Queue) else queue
    return list(fetch_from_queue(from_queue, quarantine, lambda arn: StreamReader(stream.client, arn)))


def numbers(records: list[LambdaRecord]) -> list[int]:
    return [int(record["kinesis"]["sequenceNumber"]) for record in records]


def open_numbers(quarantine: MemoryQuarantine) -> list[int]:
    return [place.sequence_number for place in sorted(waiting_in([read_contents(quarantine)]))]


def test_what_a_queue_refers_to_is_fetched_raw_or_by_sns_and_its_messages_are_deleted(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    queue.send(metadata(records[:1]), notification(metadata(records[1:])), metadata(records[:1]))
    assert fetch(queue, quarantine, stream) == []
    assert len(queue) == 0
    assert len(quarantine.objects) == 2, "the same batch is kept once"
    assert open_numbers(quarantine) == numbers(records)
    kept = [each for entries in read_contents(quarantine).objects.values() for each in entries]
    assert sorted(each.data for each in kept) == sorted(record["kinesis"]["data"] for record in records)
    assert {(each.reason, each.error) for each in kept} == {
        ("given up after 3 deliveries", "RetryAttemptsExhausted")
    }


def test_messages_that_bring_nothing_stay_and_are_reported_and_the_others_are_done(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    gone = on_shard([created("e0")], stream=stream.arn)
    other_stream = on_shard([created("e0")])
    foreign = ["hello", '{"Records": []}', notification("hello"), "[" * 2_000]
    queue.send(*foreign, metadata(gone), metadata(other_stream), metadata(records))
    problems = fetch(queue, quarantine, stream)
    named = [each for each in problems if FOREIGN.fullmatch(each)]
    assert len(set(named)) == 4
    place = f"shardId-000000000000 from {gone[0]['kinesis']['sequenceNumber']}"
    assert [each.startswith(place) for each in problems if each not in named] == [True, True]
    assert len(queue) == 6
    assert open_numbers(quarantine) == numbers(records)


def test_a_message_with_a_payload_that_is_no_invocation_stays_and_is_reported(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    broken = ["nonsense", "", "{}"]
    queue.send(*[json.dumps(document(records, payload=each)) for each in broken], metadata(records))
    assert len(fetch(queue, quarantine, stream)) == 3
    assert (len(queue), open_numbers(quarantine)) == (3, numbers(records))


def test_what_is_left_of_a_batch_is_fetched_and_what_is_lost_is_reported(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    told = document(records)
    told["KinesisBatchInfo"]["batchSize"] = 5
    queue.send(json.dumps(told))
    [problem] = fetch(queue, quarantine, stream)
    assert problem.endswith(": 2 of 5 records are no longer on the stream")
    assert (len(queue), open_numbers(quarantine)) == (0, numbers(records))


def test_who_is_interrupted_before_a_message_is_deleted_fetches_it_again_and_keeps_it_once(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    class Interrupted(FailedBatchQueue):
        def delete(self, receipt: str) -> None:
            # it comes back at once, and not after some minutes
            queue.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0
            )
            raise KeyboardInterrupt

    queue.send(metadata(records))
    with pytest.raises(KeyboardInterrupt):
        fetch(Interrupted(queue.url), quarantine, stream)
    assert (len(queue), len(quarantine.objects)) == (1, 1)
    assert fetch(queue, quarantine, stream) == []
    assert (len(queue), len(quarantine.objects)) == (0, 1)
    assert open_numbers(quarantine) == numbers(records)


def test_a_message_whose_records_could_not_be_kept_stays(
    stream: Stream, records: list[LambdaRecord], queue: Queue, quarantine: MemoryQuarantine
) -> None:
    def full(name: str) -> None:
        raise QuarantineError(f"it is full: {name}")

    quarantine.before = full
    queue.send(metadata(records))
    with pytest.raises(QuarantineError, match="it is full"):
        fetch(queue, quarantine, stream)
    assert len(queue) == 1


def test_a_queue_shows_how_many_messages_wait_and_one_that_is_not_there_is_named(queue: Queue) -> None:
    queue.send("hello")
    assert len(FailedBatchQueue(queue.url)) == 1
    with pytest.raises(QuarantineError, match=r"^the queue 'http.*-missing': "):
        next(FailedBatchQueue(f"{queue.url}-missing").receive())


def test_a_document_without_its_records_gets_them(
    stream: Stream, records: list[LambdaRecord], tmp_path: Path
) -> None:
    quarantine = DirectoryQuarantine(tmp_path)
    quarantine.keep(KEY, metadata(records).encode())
    contents = read_contents(quarantine)
    assert list(fetch_records(contents, lambda arn: StreamReader(stream.client, arn))) == []
    assert contents.unfetched == {}
    for each in (contents, read_contents(quarantine)):
        assert [place.sequence_number for place in waiting_in([each])] == numbers(records)
    restored = json.loads(quarantine.read(KEY))
    assert restored.keys() == json.loads(whole(records)).keys()
    assert json.loads(restored["payload"])["Records"] == json.loads(json.dumps(records))


def test_a_document_whose_records_are_gone_stays_as_it_is_and_is_reported(
    stream: Stream, records: list[LambdaRecord], quarantine: MemoryQuarantine
) -> None:
    gone = metadata(on_shard([created("e0")], stream=stream.arn)).encode()
    quarantine.keep(KEY, gone)
    contents = read_contents(quarantine)
    [problem] = fetch_records(contents, lambda arn: StreamReader(stream.client, arn))
    assert problem.startswith(f"{KEY}: shardId-000000000000 from ")
    assert quarantine.objects == {KEY: gone}
    assert isinstance(contents.unfetched[KEY], FailedBatch)
    assert records
