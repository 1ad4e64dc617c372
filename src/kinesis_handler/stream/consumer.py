"""Reads a whole stream through a handler, on one machine: a thread a shard, parents before children.

Each shard has an event source mapping of its own, which does with its batches what Lambda does. Behind each
batch that is settled the shard's checkpoint is moved: whoever is stopped, by whatever, goes on from there,
and what was delivered twice is harmless (G3).
"""

import time
from collections.abc import Callable, Collection
from enum import StrEnum
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol, TypeVar

from msgspec import Struct

from kinesis_handler.errors import RepositoryError, StreamError, StreamUnavailableError
from kinesis_handler.event_source import EventSourceMapping
from kinesis_handler.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stream.reader import Page, ShardReader, StreamReader
from kinesis_handler.stream.shards import readable

T = TypeVar("T")

BEHIND, AT_THE_TIP = 0.2, 1.0
"""Seconds between two looks at a shard. A shard allows five a second to all who read it."""

LONGEST_WAIT = 30.0
"""Seconds between two attempts at something that fails again and again."""


class State(StrEnum):
    """What a shard's thread is doing."""

    READING = "reading"
    CAUGHT_UP = "caught up"
    ENDED = "ended"
    STOPPED = "stopped"
    FAILED = "failed"


class ShardProgress(Struct):
    """How far a shard is. Written by its thread, for anyone to look at.

    Args:
        records: how many have been settled.
        behind_ms: how far behind the tip the last look at it ended, in milliseconds.
        age: how old the last settled record was then, in seconds; None before the first.
        problem: what it waits for to pass, else nothing.
    """

    state: State = State.READING
    records: int = 0
    behind_ms: int = 0
    age: float | None = None
    problem: str = ""


class Stopped(BaseException):
    """What ends a shard's thread when it has been told to stop. No error: nobody may wait for it to pass."""


class Stop:
    """Told once, from anywhere, that all is to end after the batches in hand."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """End. May be called by a signal's handler."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether all is to end."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as all is to end."""
        if self._event.wait(seconds):
            raise Stopped


class Wait(Protocol):
    """Waits for some seconds, and says what for to whoever looks at the progress."""

    def __call__(self, seconds: float, why: str = "") -> None:
        """Wait."""


MakeMapping = Callable[[str, Wait], EventSourceMapping]
"""Takes a shard's id, and what it can wait with; returns the mapping that delivers its batches."""


class StreamConsumer:
    """Reads the shards of a stream until it is stopped, or has caught up.

    Args:
        stream: what is read.
        checkpoints: how far it has been read.
        make_mapping: builds what delivers a shard's records.
        begin: where to begin if there is no checkpoint yet.
        until_caught_up: end as soon as each shard has been read to its tip.
        stop: ends it before.
        on_batch: called with a shard's id when a batch of it has been settled.
        clock: seconds since epoch.
    """

    def __init__(  # noqa: PLR0913 - what a shard's thread needs, and each from somewhere else
        self,
        stream: StreamReader,
        checkpoints: Checkpoints,
        make_mapping: MakeMapping,
        *,
        begin: Checkpoint,
        until_caught_up: bool = False,
        stop: Stop | None = None,
        on_batch: Callable[[str], None] = lambda _shard: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.progress: dict[str, ShardProgress] = {}
        """Of each shard that is or was read."""
        self._stream = stream
        self._checkpoints = checkpoints
        self._make_mapping = make_mapping
        self._begin = begin
        self._until_caught_up = until_caught_up
        self._stop = stop or Stop()
        self._on_batch = on_batch
        self._clock = clock

    def run(self) -> None:
        """Read until there is nothing more to do, or it is told to stop.

        Raises StreamError if the stream cannot be read, or someone else reads it into the same store.
        """
        shards = self._stream.shards
        places = self._checkpoints.begin(lambda: [each.id for each in shards()], self._begin, self._clock())
        ended = {shard for shard, place in places.items() if place.ended}
        finished: SimpleQueue[tuple[str, Exception | None]] = SimpleQueue()
        running: set[str] = set()
        problem: Exception | None = None
        while True:
            try:
                due = self._to_begin(ended)
            except StreamError as error:
                problem, due = problem or error, []
                self._stop.set()
            for shard_id in due:
                running.add(shard_id)
                self._start(shard_id, places.get(shard_id, Checkpoint()), finished)
            if not running:
                break
            shard_id, failure = finished.get()
            running.remove(shard_id)
            if self.progress[shard_id].state is State.ENDED:
                ended.add(shard_id)
            if failure is not None:
                problem = problem or failure
                self._stop.set()
        if problem is not None:
            raise problem

    def _to_begin(self, ended: Collection[str]) -> list[str]:
        """Return the shards whose turn it is, now that those have ended."""
        if self._stop.is_set():
            return []
        try:
            listed = self._patiently(self._stream.shards, ShardProgress())
        except Stopped:
            return []
        return [each.id for each in readable(listed, ended) if each.id not in self.progress]

    def _start(
        self,
        shard_id: str,
        place: Checkpoint,
        finished: "SimpleQueue[tuple[str, Exception | None]]",
    ) -> None:
        progress = self.progress[shard_id] = ShardProgress()

        def work() -> None:
            problem: Exception | None = None
            try:
                progress.state = self._read(shard_id, self._stream.shard(shard_id, place), progress)
            except Stopped:
                progress.state = State.STOPPED
            except Exception as error:  # noqa: BLE001 - it is raised where the thread was started
                progress.state, progress.problem, problem = State.FAILED, str(error), error
            finished.put((shard_id, problem))

        Thread(target=work, name=shard_id, daemon=True).start()

    def _read(self, shard_id: str, reader: ShardReader, progress: ShardProgress) -> State:
        """Read one shard to its end, or to its tip if that is enough."""

        def wait(seconds: float, why: str = "") -> None:
            progress.problem = why
            self._stop.pause(seconds)
            progress.problem = ""

        mapping = self._make_mapping(shard_id, wait)
        while True:
            page = self._page(reader, mapping, progress)
            for batch in mapping.run(page.records):
                last = batch[-1]["kinesis"]
                self._save(shard_id, Checkpoint(after=last["sequenceNumber"]), progress)
                progress.records += len(batch)
                progress.age = max(0.0, self._clock() - last["approximateArrivalTimestamp"])
                self._on_batch(shard_id)
                self._stop.pause(0)
            progress.behind_ms = page.behind_ms
            if page.ended:
                self._save(shard_id, Checkpoint(ended=True), progress)
                return State.ENDED
            if self._until_caught_up and not page.behind_ms:
                return State.CAUGHT_UP
            self._stop.pause(BEHIND if page.behind_ms else AT_THE_TIP)

    def _page(self, reader: ShardReader, mapping: EventSourceMapping, progress: ShardProgress) -> Page:
        """Read what comes next; if that is something, wait for more until a batch is full or its time up."""
        page = self._patiently(reader.read, progress)
        end = self._clock() + mapping.maximum_batching_window
        while page.records and not page.ended and not mapping.is_full(page.records):
            left = end - self._clock()
            if left <= 0:
                break
            self._stop.pause(min(left, BEHIND))
            more = self._patiently(reader.read, progress)
            page = Page(page.records + more.records, more.behind_ms, ended=more.ended)
        return page

    def _save(self, shard_id: str, place: Checkpoint, progress: ShardProgress) -> None:
        self._patiently(lambda: self._checkpoints.save([(shard_id, place)], self._clock()), progress)

    def _patiently(self, attempt: Callable[[], T], progress: ShardProgress) -> T:
        """Try until it works: what may pass is waited for, a shard has nothing better to do."""
        wait = AT_THE_TIP
        while True:
            try:
                done = attempt()
            except (StreamUnavailableError, RepositoryError) as error:
                progress.problem = str(error)
                self._stop.pause(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                progress.problem = ""
                return done
