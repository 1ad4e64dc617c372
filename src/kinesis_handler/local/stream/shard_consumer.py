"""Reads one shard through its event source mapping, and moves its checkpoint after each batch."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from msgspec import field

from kinesis_handler.errors import ExpiredCheckpointError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.outages import Outages, as_utc
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.local.stream.reader import Page, StreamReader
from kinesis_handler.local.stream.shard_delivery import ShardDelivery, Shared

T = TypeVar("T")

BEHIND, AT_THE_TIP = 0.2, 1.0
"""Seconds between two reads of a shard. A shard allows five reads a second to all its readers together."""


class Reading(Shared, kw_only=True, eq=False):
    """What the threads of all shards share.

    Args:
        stream: the stream to read.
        checkpoints: how far it has been read.
        begin: where to begin if there is no checkpoint yet.
        until_caught_up: end as soon as each shard has been read to its tip.
        outages: waits while something is down.
    """

    stream: StreamReader
    checkpoints: Checkpoints
    begin: Checkpoint
    until_caught_up: bool = False
    outages: Outages = field(default_factory=Outages)


class ShardConsumer:
    """Reads one shard until it is stopped, has ended, or has caught up if `until_caught_up`.

    Args:
        reading: what it shares with the other shards.
        shard_id: the shard.
        checkpoint: where to continue.
        progress: is updated with the shard's progress.
    """

    def __init__(
        self, reading: Reading, shard_id: str, checkpoint: Checkpoint, progress: ShardProgress
    ) -> None:
        self._reading = reading
        self._shard_id = shard_id
        self._checkpoint = checkpoint
        self._progress = progress
        self._reader = reading.stream.shard(shard_id, checkpoint)
        self._delivery = ShardDelivery(reading, shard_id, progress)
        self._expired: Checkpoint | None = None

    def run(self) -> State:
        """Read the shard; return its last state.

        Raises StreamError if it cannot be read, Stopped if it is stopped.
        """
        while True:
            page = self._read()
            self._delivery.gathering.add(page.records)
            caught_up = self._reading.until_caught_up and not page.behind_ms
            self._progress.behind_ms = page.behind_ms
            for batch in self._delivery.deliver(all_of_it=page.ended or caught_up):
                self._settle(batch, page.behind_ms)
            if page.ended:
                self._save(Checkpoint(ended=True))
                return State.ENDED
            if caught_up:
                return State.CAUGHT_UP
            pause = BEHIND if page.behind_ms else AT_THE_TIP
            self._reading.stop.pause(min(pause, max(BEHIND, self._delivery.gathering.due_in())))

    def _settle(self, batch: list[LambdaRecord], behind_ms: int) -> None:
        last = batch[-1]["kinesis"]
        arrived_at = int(last["approximateArrivalTimestamp"] * 1_000)
        self._save(Checkpoint(after=last["sequenceNumber"], arrived_at=arrived_at, behind_ms=behind_ms))
        self._delivery.count(batch)
        self._reading.stop.pause(0)

    def _read(self) -> Page:
        """Read the next page. After an expired checkpoint it begins with the oldest record."""
        try:
            page = self._waiting(self._reader.read)
        except ExpiredCheckpointError:
            # Expired records do not come back, and stopping would only let more of them expire.
            self._expired = self._checkpoint
            self._reader = self._reading.stream.shard(self._shard_id, Checkpoint())
            page = self._waiting(self._reader.read)
        if self._expired is not None and (page.records or page.ended or not page.behind_ms):
            self._report_loss(self._expired, page)
            self._expired = None
        return page

    def _report_loss(self, expired: Checkpoint, page: Page) -> None:
        first = (
            page.records[0]["kinesis"]["approximateArrivalTimestamp"]
            if page.records
            else self._reading.clock()
        )
        begin = (
            f"record {expired.after}" if expired.arrived_at is None else as_utc(expired.arrived_at / 1_000)
        )
        log = structlog.get_logger(component="consumer")
        log.error(
            "records are lost: the stream no longer has what comes behind the checkpoint",
            shard_id=self._shard_id,
            read_up_to=begin,
            goes_on_from=as_utc(first),
        )
        self._progress.lost = (
            f"{self._shard_id}: what arrived between {begin} and {as_utc(first)} was not read, and the "
            "stream no longer has it"
        )

    def _save(self, checkpoint: Checkpoint) -> None:
        self._waiting(
            lambda: self._reading.checkpoints.save([(self._shard_id, checkpoint)], self._reading.clock())
        )
        self._checkpoint = checkpoint

    def _waiting(self, attempt: Callable[[], T]) -> T:
        """Try until it succeeds: an outage is waited out."""
        return self._reading.outages.wait_out(attempt, self._delivery.wait, self._shard_id)
