"""One run of all that the template describes: a stream is written, and read by the deployed consumer."""

import json
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from end_to_end.stack import Stack
from kinesis_handler.local.event_source import lambda_record
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.stores.memory import MemoryRepository
from stream.processes import until
from stream.producer import Content, Producer
from testkit.emulators import recording
from testkit.emulators.event_source import DeployedMapping
from testkit.emulators.lambda_runtime import LambdaRuntime
from testkit.emulators.recording.sitecustomize import KILLED_AT, RECORDED_CALLS, append_to, record_calls

if TYPE_CHECKING:
    from kinesis_handler.lambda_types import LambdaRecord

SEED, USERS = 6, 30
ROUNDS, BURST = 8, 8
"""Rounds that are put before the first batch is delivered, and those that come at once when it is."""

KILLED_IN = [
    "after-call.dynamodb.BatchGetItem",
    "before-send.dynamodb.BatchExecuteStatement",
    "after-call.dynamodb.BatchExecuteStatement",
    "before-send.s3.PutObject",
    "after-call.s3.PutObject",
]
"""Where the consumer's process is killed, once each: in the middle of a batch, before and behind a write."""

PATIENCE = 120
"""Seconds within which the batches in hand must be settled."""

LAYER = Path(recording.__file__).parent


class Run:
    """The run.

    Args:
        stack: where it is.
        folder: what it may write to.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.put: list[LambdaRecord] = []
        """All records of the stream, in the order in which they were put."""
        self.log: list[str] = []
        """Of the consumer."""
        self.max_memory = 0
        self._calls = folder / "calls.jsonl"
        self._killed_at = folder / "killed-at"

    def recorded(self, **more: str) -> dict[str, str]:
        """Return the variables of a function whose calls are recorded, and which reaches the emulators."""
        return {**self.stack.on_this_machine(), RECORDED_CALLS: str(self._calls), **more}

    def calls(self, function: str) -> list[dict[str, Any]]:
        """Return what a function asked of AWS, or Lambda in its name."""
        calls = [json.loads(line) for line in self._calls.read_text().splitlines()]
        return [each for each in calls if each["function"] == self.stack.name(function)]

    @property
    def kills_left(self) -> list[str]:
        """Where the consumer's process has not been killed."""
        return sorted(each.name for each in self._killed_at.iterdir())

    def consume(self, artifact: Path) -> None:
        """Write the stream, and let the consumer read it to its end."""
        self._killed_at.mkdir()
        for event in KILLED_IN:
            (self._killed_at / event).touch()
        function = self.stack.function(
            "Consumer",
            artifact,
            layers=[LAYER],
            on_this_machine=self.recorded(**{KILLED_AT: str(self._killed_at)}),
        )
        kinesis, s3 = self.stack.client("kinesis"), self.stack.client("s3")
        for client in (kinesis, s3):
            record_calls(client, append_to(self._calls, function.name))
        with LambdaRuntime(function) as consumer:
            mapping = DeployedMapping(
                self.stack.properties("ConsumerRecords"),
                consumer,
                kinesis=kinesis,
                s3=s3,
                checkpoints=MemoryRepository(),
                retry_wait=0,
            )
            self._while_it_is_written(mapping)
            mapping.consumer(stop=Stop(), until_caught_up=True).run()
        self.log, self.max_memory = consumer.log, consumer.max_memory

    def _while_it_is_written(self, mapping: DeployedMapping) -> None:
        """Read the stream while producers write it, and stop in the middle."""
        stop, producer = Stop(), Producer(SEED, USERS)
        with ThreadPoolExecutor(1) as thread:
            reading = thread.submit(mapping.consumer(stop=stop).run)
            try:
                for _ in range(ROUNDS):
                    self._put(producer.round())
                until(lambda: len(self.kills_left) < len(KILLED_IN))
                for part in [producer.round() for _ in range(BURST)]:
                    self._put(part)
            finally:
                stop.set()
            reading.result(PATIENCE)

    def _put(self, contents: Sequence[Content]) -> None:
        """Put records, a key once."""
        answer = self.stack.kinesis.put_records(
            StreamName=self.stack.stream,
            Records=[{"PartitionKey": key, "Data": data} for key, data in contents],
        )
        assert answer["FailedRecordCount"] == 0
        for (key, data), put in zip(contents, answer["Records"], strict=True):
            encoded = b64encode(data).decode()
            self.put.append(
                lambda_record(self.stack.stream, put["ShardId"], put["SequenceNumber"], key, encoded, 0)
            )
