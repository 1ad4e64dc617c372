"""Lets the workers that share a stream report what they do, in rows beside its checkpoints.

A process that reads a stream alone reports with its claim. Workers have no claim: each has a row of its own,
which it writes every few seconds. A worker that starts removes the rows of those that ended or died long ago.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from threading import Event

import structlog
from msgspec import Struct

from kinesis_handler.errors import KinesisHandlerError
from kinesis_handler.local.background import in_background
from kinesis_handler.local.stream.checkpoint_store import Checkpoint, CheckpointStore
from kinesis_handler.local.stream.claim import RENEWED_EVERY, MakeReport
from kinesis_handler.stores import Repository

REPORT = "report:"
"""Beginning of the name of a row, instead of a shard: behind it comes the name of a worker."""

FORGOTTEN_AFTER = 3_600.0
"""Seconds after which the row of a worker that no longer reports is removed."""


LAST = 2.0
"""Seconds for which the end of a worker waits for its last report."""


class Reporter(Struct, dict=True, eq=False):  # its `dict` has the cached properties
    """Writes the reports of one worker.

    Args:
        open_checkpoints: opens the checkpoints, where the reports are beside; it may raise.
        stream: the identity of the stream.
        report: takes seconds since epoch, and returns what the worker has done lately.
        clock: seconds since epoch.
    """

    open_checkpoints: Callable[[], Repository[Checkpoint]]
    stream: str
    report: MakeReport
    clock: Callable[[], float] = time.time

    @cached_property
    def _repository(self) -> Repository[Checkpoint]:
        return self.open_checkpoints()

    @cached_property
    def _store(self) -> CheckpointStore:
        return CheckpointStore(self._repository, self.stream)

    def reporting(self) -> AbstractContextManager[None]:
        """Report every few seconds while the block runs, from a thread, and once at its end."""

        def work(over: Event) -> None:
            self._quietly(self.forget_old)
            while not over.is_set():
                self._quietly(self.write)
                over.wait(RENEWED_EVERY)
            self._quietly(lambda: self.write(is_over=True))

        return in_background(work, "report", LAST)

    def write(self, *, is_over: bool = False) -> None:
        """Write a report. Raises RepositoryError if it is not known to be written."""
        at, name = self.clock(), f"{REPORT}{self._store.owner}"
        self._store.write([(name, Checkpoint(ended=is_over, report=self.report(at)))], at)

    def forget_old(self) -> None:
        """Remove the rows of workers that have not reported for long. Raises RepositoryError."""
        oldest = (self.clock() - FORGOTTEN_AFTER) * 1_000
        reports = (row for name, row in self._store.load().items() if is_report(name))
        self._repository.delete([row.key for row in reports if row.updated_at < oldest])

    def _quietly(self, attempt: Callable[[], None]) -> None:
        """Try; the work goes on without: what is reported is only to be looked at."""
        try:
            attempt()
        except KinesisHandlerError as error:
            log = structlog.get_logger(component="worker")
            log.warning("what it does could not be reported", reason=str(error))


def is_report(name: str) -> bool:
    """Tell whether a row of a stream is the report of a worker."""
    return name.startswith(REPORT)
