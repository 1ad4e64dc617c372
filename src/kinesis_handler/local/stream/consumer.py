"""Reads a whole stream through a handler, on one machine: a thread a shard, parents before children.

Each shard has its own event source mapping, which delivers batches as Lambda does. The shard's checkpoint is
moved after each settled batch: a process that stops for any reason continues from there, and delivering a
record twice is harmless (G3).
"""

from collections.abc import Collection, Iterator
from queue import Empty, SimpleQueue
from threading import Thread

from kinesis_handler.errors import StreamError
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.local.stream.shard_consumer import Reading, ShardConsumer
from kinesis_handler.local.stream.shards import readable
from kinesis_handler.local.stream.stop import Stopped

Finished = SimpleQueue[tuple[str, Exception | None]]
"""Ids of the shards whose threads have finished, each with its error, if any."""


class StreamConsumer:
    """Reads the shards of a stream until it is stopped, or has caught up."""

    def __init__(self, reading: Reading) -> None:
        self.progress: dict[str, ShardProgress] = {}
        """Progress by the id of each shard that is being or was read."""
        self._reading = reading

    def run(self) -> None:
        """Read until nothing is left to read, or it is stopped.

        Raises StreamError if the stream cannot be read, or another process reads it into the same store.
        """
        try:
            self._read_all(self._reading.outages.wait_out(self._checkpoints_at_start, self._wait))
        except Stopped:
            pass  # before the first shard was begun
        finally:
            self._reading.checkpoints.claim.release(self._reading.clock())

    def _checkpoints_at_start(self) -> dict[str, Checkpoint]:
        return self._reading.checkpoints.begin(
            lambda: [each.id for each in self._reading.stream.shards()],
            self._reading.begin,
            self._reading.clock(),
            self._reading.stop.pause,
        )

    def _read_all(self, checkpoints: dict[str, Checkpoint]) -> None:
        ended = {shard for shard, checkpoint in checkpoints.items() if checkpoint.ended}
        finished: Finished = SimpleQueue()
        running: set[str] = set()
        problem: Exception | None = None
        has_ended = True
        while True:
            try:
                due = self._to_begin(ended) if has_ended else []
                for shard_id in due:
                    running.add(shard_id)
                    self._start(shard_id, checkpoints.get(shard_id, Checkpoint()), finished)
                if not running:
                    break
                done = list(self._next(finished))
            except StreamError as error:
                problem, done = problem or error, []
                self._reading.stop.set()
            for shard_id, failure in done:
                running.remove(shard_id)
                if failure is not None:
                    problem = problem or failure
                    self._reading.stop.set()
            has_ended = any(self.progress[shard_id].state is State.ENDED for shard_id, _ in done)
            ended |= {shard_id for shard_id, _ in done if self.progress[shard_id].state is State.ENDED}
        if problem is not None:
            raise problem

    def _to_begin(self, ended: Collection[str]) -> list[str]:
        """Return the shards that can begin now that these have ended."""
        if self._reading.stop.is_set():
            return []
        try:
            listed = self._reading.outages.wait_out(self._reading.stream.shards, self._wait)
        except Stopped:
            return []
        return [each.id for each in readable(listed, ended) if each.id not in self.progress]

    def _next(self, finished: Finished) -> Iterator[tuple[str, Exception | None]]:
        """Wait until a shard's thread finishes; yield all that have by then. Renew the claim meanwhile.

        Raises StreamError if another process has taken the stream over.
        """
        while True:
            self._renew()
            try:
                yield finished.get(timeout=self._reading.checkpoints.claim.due_in())
            except Empty:
                continue
            while not finished.empty():
                yield finished.get()
            return

    def _renew(self) -> None:
        if not self._reading.checkpoints.claim.due_in():
            self._reading.checkpoints.claim.renew(self._reading.clock())

    def _wait(self, seconds: float, why: str = "") -> None:
        """Wait during an outage, in the thread that renews the claim."""
        del why  # it is in the log
        self._renew()
        self._reading.stop.pause(seconds)

    def _start(self, shard_id: str, checkpoint: Checkpoint, finished: Finished) -> None:
        progress = self.progress[shard_id] = ShardProgress()

        def work() -> None:
            problem: Exception | None = None
            try:
                progress.state = ShardConsumer(self._reading, shard_id, checkpoint, progress).run()
            except Stopped:
                progress.state = State.STOPPED
            except Exception as error:  # noqa: BLE001 - it is raised where the thread was started
                progress.state, progress.problem, problem = State.FAILED, str(error), error
            finished.put((shard_id, problem))

        Thread(target=work, name=shard_id, daemon=True).start()
