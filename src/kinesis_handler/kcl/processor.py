"""The record processor of the Kinesis Client Library: passes a shard's records to its event source mapping.

The methods are those of `amazon_kclpy.v3.processor.RecordProcessorBase` and `kcl_rs.RecordProcessorBase`.
The library calls those of one shard one after the other; a timer and a stop come from other threads.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any

import structlog

from kinesis_handler.errors import KinesisHandlerError, raised
from kinesis_handler.kcl.library import Beginning, Checkpointer, ClientRecord, Delivered, Ending
from kinesis_handler.kcl.packing import packed
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.local.stream.shard_consumer import MakeMapping
from kinesis_handler.local.stream.stop import Stop, Stopped
from kinesis_handler.retry import Pauses

if TYPE_CHECKING:
    from kinesis_handler.local.event_source import EventSourceMapping
    from kinesis_handler.local.gathering import Gathering

LEASE_LOST = "ShutdownException"
"""The library's name for a checkpoint of a process that no longer has the lease."""

_CHECKPOINT_ATTEMPTS = 5
_PAUSES = Pauses(0.2, 2)
_SHORTEST_TICK, _LONGEST_TICK = 0.05, 1.0


class Work:
    """What the record processors of one process share.

    Args:
        stream_arn: the stream's.
        make_mapping: builds the event source mapping of a shard.
        on_batch: called with a shard's id when one of its batches has been settled.
        stop: ends all waits.
        on_lease_lost: called when another process has a shard of this one.
        timer: deliver what is due while no records come, from a thread of its own. The checkpoint is set from
            there too, which the pipes of `amazon_kclpy` do not allow: it calls for no records instead.
        clock: seconds since epoch.
    """

    def __init__(  # noqa: PLR0913 - most have a default
        self,
        stream_arn: str,
        make_mapping: MakeMapping,
        on_batch: Callable[[str], None] = lambda _shard: None,
        stop: Stop | None = None,
        *,
        on_lease_lost: Callable[[], None] = lambda: None,
        timer: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stream_arn = stream_arn
        self.make_mapping = make_mapping
        self.on_batch = on_batch
        self.stop = stop or Stop()
        self.on_lease_lost = on_lease_lost
        self.timer = timer
        self.clock = clock
        self.progress: dict[str, ShardProgress] = {}
        """Progress by the id of each shard whose lease this process has, or had."""
        self.processors: set[RecordProcessor] = set()
        """Those that have a shard."""
        self.failure: Exception | None = None
        """The error, if any, after which this process must not go on."""

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
        self._mapping: EventSourceMapping
        self._gathering: Gathering

    def initialize(self, initialize_input: Beginning) -> None:
        """Begin a shard."""
        self._shard_id = initialize_input.shard_id or ""
        self._mapping = self._work.make_mapping(self._shard_id, self._wait)
        self._gathering = self._mapping.gathering()
        self._work.progress[self._shard_id] = self._progress
        self._work.processors.add(self)
        self._open = True
        if self._work.timer and self._mapping.maximum_batching_window:
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
                self._gathering.add([record])
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
                self._work.stop.pause(min(_LONGEST_TICK, max(_SHORTEST_TICK, self._gathering.due_in())))
                with self._lock, self._closing_at_errors():
                    self._deliver(all_of_it=False)

    def _deliver(self, *, all_of_it: bool) -> None:
        """Deliver the batches that are due, or all that is gathered, and set the checkpoint behind each."""
        while self._open and len(self._gathering) and (all_of_it or not self._gathering.due_in()):
            for batch in self._mapping.run(self._gathering.take()):
                self._settle(batch)

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

    def _settle(self, batch: Sequence[LambdaRecord]) -> None:
        last = batch[-1]["kinesis"]
        self._progress.records += len(batch)
        if (arrived_at := last.get("approximateArrivalTimestamp")) is not None:
            self._progress.age = max(0.0, self._work.clock() - arrived_at)
        self._work.on_batch(self._shard_id)
        ends = [self._ends.pop(each["kinesis"]["sequenceNumber"], 0) for each in batch]
        self._checkpoint(last["sequenceNumber"], ends[-1])

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
                self._wait(_PAUSES.after(attempt), f"the checkpoint could not be set: {name}")
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
            self._gathering = self._mapping.gathering()
            self._ends.clear()
            if state is State.LEASE_LOST:
                self._work.on_lease_lost()
        self._open = False
        self._work.processors.discard(self)

    def _wait(self, seconds: float, why: str = "") -> None:
        self._progress.problem = why
        self._work.stop.pause(seconds)
        self._progress.problem = ""
