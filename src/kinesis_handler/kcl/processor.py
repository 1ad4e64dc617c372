"""The record processor of the Kinesis Client Library: passes a shard's records to its event source mapping.

The methods are those of `amazon_kclpy.v3.processor.RecordProcessorBase` and `kcl_rs.RecordProcessorBase`.
The library calls those of one shard one after the other; a timer and a stop come from other threads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock, Thread
from typing import Any

import structlog
from msgspec import field

from kinesis_handler.errors import KinesisHandlerError, raised
from kinesis_handler.kcl.library import Beginning, Checkpointer, ClientRecord, Delivered, Ending
from kinesis_handler.kcl.packing import packed
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.local.stream.shard_delivery import ShardDelivery, Shared
from kinesis_handler.local.stream.stop import Stopped
from kinesis_handler.retry import Pauses

LEASE_LOST = "ShutdownException"
"""The library's name for a checkpoint of a process that no longer has the lease."""

_CHECKPOINT_ATTEMPTS = 5
_PAUSES = Pauses(0.2, 2)
_SHORTEST_TICK, _LONGEST_TICK = 0.05, 1.0


class Work(Shared, kw_only=True, eq=False):
    """What the record processors of one process share, with what `Shared` has.

    Args:
        stream_arn: the stream's.
        on_lease_lost: called when another process has a shard of this one.
        timer: deliver what is due while no records come, from a thread of its own. The checkpoint is set from
            there too, which the pipes of `amazon_kclpy` do not allow: it calls for no records instead.
        progress: by the id of each shard whose lease this process has, or had.
        processors: those that have a shard.
        failure: the error, if any, after which this process must not go on.
    """

    stream_arn: str
    on_lease_lost: Callable[[], None] = lambda: None
    timer: bool = False
    progress: dict[str, ShardProgress] = field(default_factory=dict)
    processors: "set[RecordProcessor]" = field(default_factory=set)
    failure: Exception | None = None

    def __call__(self) -> "RecordProcessor":
        """Return a record processor for one shard: this is the library's factory."""
        return RecordProcessor(self)


class RecordProcessor:
    """Delivers the records of one shard, and sets its checkpoint behind what is settled."""

    version = 3

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = RLock()
        self._open = False
        self._shard_id = ""
        self._progress = ShardProgress()
        self._checkpointer: Checkpointer | None = None
        self._last_number = -1
        self._ends: dict[str, int] = {}  # of the KPL records that are gathered
        self._delivery: ShardDelivery

    def initialize(self, initialize_input: Beginning) -> None:
        """Begin a shard."""
        self._shard_id = initialize_input.shard_id or ""
        self._delivery = ShardDelivery(self._work, self._shard_id, self._progress)
        self._work.progress[self._shard_id] = self._progress
        self._work.processors.add(self)
        self._open = True
        if self._work.timer and self._delivery.mapping.maximum_batching_window:
            Thread(target=self._deliver_in_time, name=self._shard_id, daemon=True).start()

    def process_records(self, process_records_input: Delivered) -> None:
        """Gather records, and deliver what is due. It returns at once after a stop or a failure."""
        with self._lock, self._closing_at_errors():
            if not self._open:
                return
            self._checkpointer = process_records_input.checkpointer
            self._gather(process_records_input.records)
            self._progress.behind_ms = process_records_input.millis_behind_latest or 0
            self._deliver(all_of_it=False)

    def _gather(self, records: Sequence[ClientRecord]) -> None:
        """Add the records that are not known yet: after a failed read the library may deliver some again."""
        for record, last_sub_sequence_number in packed(records, self._work.stream_arn, self._shard_id):
            number = record["kinesis"]["sequenceNumber"]
            if int(number) > self._last_number:
                self._last_number = int(number)
                self._delivery.gathering.add([record])
                if last_sub_sequence_number:
                    self._ends[number] = last_sub_sequence_number

    def finish(self, timeout: float) -> bool:
        """Deliver all that is gathered and take no more; return whether there was time for it."""
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            with self._closing_at_errors():
                self._deliver(all_of_it=True)
            done = self._open
            self._close(State.STOPPED)
        finally:
            self._lock.release()
        return done

    def lease_lost(self, _lease_lost_input: object) -> None:
        """Forget what is gathered: another process has the shard, and reads it from the checkpoint."""
        with self._lock:
            self._close(State.LEASE_LOST)

    def shard_ended(self, shard_ended_input: Ending) -> None:
        """Deliver the last records, then set the checkpoint behind the shard: its children may begin."""
        with self._lock, self._closing_at_errors():
            self._checkpointer = shard_ended_input.checkpointer
            self._deliver(all_of_it=True)
            if self._open and self._checkpoint():
                self._close(State.ENDED)

    def shutdown_requested(self, shutdown_requested_input: Ending) -> None:
        """Deliver all that is gathered while the lease is still held: another process will have it."""
        with self._lock, self._closing_at_errors():
            self._checkpointer = shutdown_requested_input.checkpointer
            self._deliver(all_of_it=True)
            self._close(State.LEASE_LOST)

    def _deliver_in_time(self) -> None:
        """Deliver what becomes due while the library has no records, and so calls nobody."""
        with suppress(Stopped):
            while self._open:
                due_in = self._delivery.gathering.due_in()
                self._work.stop.pause(min(_LONGEST_TICK, max(_SHORTEST_TICK, due_in)))
                with self._lock, self._closing_at_errors():
                    self._deliver(all_of_it=False)

    def _deliver(self, *, all_of_it: bool) -> None:
        """Deliver the batches that are due, or all that is gathered, and set the checkpoint behind each."""
        for batch in self._delivery.deliver(all_of_it=all_of_it) if self._open else ():
            self._delivery.count(batch)
            numbers = [each["kinesis"]["sequenceNumber"] for each in batch]
            ends = [self._ends.pop(number, 0) for number in numbers]
            self._checkpoint(numbers[-1], ends[-1])

    @contextmanager
    def _closing_at_errors(self) -> Iterator[None]:
        """Let nothing be raised: the library would go on with the next records.

        After an error that nothing expects the shard takes no more, and the process ends.
        """
        try:
            yield
        except Stopped:
            self._close(State.STOPPED)
        except Exception as error:  # noqa: BLE001 - whatever it is, the records must come again
            self._fail(error)

    def _checkpoint(self, *behind: Any) -> bool:
        """Set the checkpoint behind a record, or behind the shard; return whether it is set.

        If it is not, the next one serves as well: it is only a matter of what is read twice.
        """
        if self._checkpointer is None:
            return False
        for attempt in range(1, _CHECKPOINT_ATTEMPTS + 1):
            try:
                self._checkpointer.checkpoint(*behind)
            except Exception as error:  # noqa: BLE001 - each library has its own
                name = getattr(error, "value", "") or type(error).__name__
                if name == LEASE_LOST:
                    self._close(State.LEASE_LOST)
                    return False
                if attempt == _CHECKPOINT_ATTEMPTS:
                    log = structlog.get_logger(component="worker")
                    log.warning("the checkpoint could not be set", shard_id=self._shard_id, reason=name)
                    return False
                self._delivery.wait(_PAUSES.after(attempt), f"the checkpoint could not be set: {name}")
            else:
                return True
        return False

    def _fail(self, error: Exception) -> None:
        self._close(State.FAILED)
        known = isinstance(error, KinesisHandlerError)
        self._progress.problem = str(error) if known else raised(error)
        self._work.failure = self._work.failure or error
        self._work.stop.set()

    def _close(self, state: State) -> None:
        """Take no more records, and forget those that are gathered: they come again from the checkpoint."""
        if self._open:
            self._progress.state = state
            self._delivery.forget()
            self._ends.clear()
            if state is State.LEASE_LOST:
                self._work.on_lease_lost()
        self._open = False
        self._work.processors.discard(self)
