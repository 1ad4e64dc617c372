"""The messages of the Kinesis Client Library, for tests without it."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from msgspec import Struct, field

from kinesis_handler.kcl import RecordProcessor, Work
from kinesis_handler.lambda_types import LambdaContext
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.local.stream.outages import Wait

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/facts"
SHARD = "shardId-000000000000"


class CheckpointError(Exception):
    """As both libraries have it: the error's name in Java is its value."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Record(Struct, frozen=True):
    """A record, or a user record of a KPL record."""

    sequence_number: str | None
    binary_data: bytes = b"{}"
    sub_sequence_number: int | None = 0
    partition_key: str | None = "anna"
    timestamp_millis: int | None = 1_700_000_000_000


class Checkpointer:
    """Notes the checkpoints, and raises what it is told first."""

    def __init__(self) -> None:
        self.set: list[tuple[str | None, int | None]] = []
        self.errors: list[str] = []

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        if self.errors:
            raise CheckpointError(self.errors.pop(0))
        self.set.append((sequence_number, sub_sequence_number))


class Message(Struct, frozen=True):
    """What a method is passed."""

    checkpointer: Checkpointer = field(default_factory=Checkpointer)
    records: Sequence[Record] = ()
    shard_id: str | None = SHARD
    millis_behind_latest: int | None = 0


Function = Callable[[list[str]], object]
"""Takes the sequence numbers of a batch; what it returns is Lambda's response."""


class Driven:
    """A record processor that is called as the library does.

    Args:
        function: gets the batches.
        timer: deliver what is due while no records come.
        options: of the mapping.
    """

    def __init__(
        self, function: Function = lambda _numbers: None, *, timer: bool = False, **options: Any
    ) -> None:
        self.delivered = Event()
        """Set when a batch has been settled."""
        self.batches: list[list[str]] = []
        """Sequence numbers of each batch that was delivered."""
        self.given_up: list[DiscardedBatch] = []
        self.settled = 0
        self.waits: list[float] = []
        self.checkpointer = Checkpointer()
        self.on_wait: Callable[[], None] = lambda: None
        self._function = function
        self._options = {"batch_size": 2, "maximum_retry_attempts": 3, **options}
        self.leases_lost: list[str] = []
        self.work = Work(
            stream_arn=ARN,
            make_mapping=self._mapping,
            on_batch=self._settle,
            on_lease_lost=lambda: self.leases_lost.append(SHARD),
            timer=timer,
            clock=lambda: 1_700_000_001.0,
        )
        self.processor: RecordProcessor = self.work()

    def begin(self) -> "Driven":
        self.processor.initialize(Message())
        return self

    def deliver(self, *records: Record | int) -> "Driven":
        made = [Record(str(each)) if isinstance(each, int) else each for each in records]
        self.processor.process_records(Message(self.checkpointer, made))
        return self

    def end(self) -> None:
        self.processor.shard_ended(Message(self.checkpointer))

    @property
    def checkpoints(self) -> list[tuple[str | None, int | None]]:
        return self.checkpointer.set

    @property
    def state(self) -> str:
        return str(self.work.progress[SHARD].state)

    def _settle(self, _shard_id: str) -> None:
        self.settled += 1
        self.delivered.set()

    def _mapping(self, _shard_id: str, wait: Wait) -> EventSourceMapping:
        def function(invocation: dict[str, Any], _context: LambdaContext) -> object:
            numbers = [each["kinesis"]["sequenceNumber"] for each in invocation["Records"]]
            self.batches.append(numbers)
            return self._function(numbers)

        def sleep(seconds: float) -> None:
            self.waits.append(seconds)
            self.on_wait()
            wait(0)

        return EventSourceMapping(function, on_failure=self.given_up.append, sleep=sleep, **self._options)
