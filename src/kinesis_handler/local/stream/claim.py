"""Claims a stream for one process, which renews its claim in the store for as long as it lives.

A later process is refused while the claim is renewed, and takes it over otherwise. It finds out by watching
the claim for a while: the clocks of two machines are never compared. On the machine of the previous process
it finds out at once, by the process id.
"""

import os
import time
from collections.abc import Callable
from socket import gethostname

import structlog
from msgspec import UNSET

from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.local.minutes import Report
from kinesis_handler.local.stream.checkpoint_store import Checkpoint, CheckpointStore, Row

CLAIM = "consumer"
"""Name of the claim's row, instead of a shard. The row is ended when its process has finished."""

RENEWED_EVERY = 10.0
LOST_AFTER = 40.0
"""Seconds between renewals, and seconds without one after which a claim is free.

The latter is more than the longest wait between two attempts."""

_AFTER_A_FAILURE = 2.0
_ATTEMPTS = 5

MakeReport = Callable[[float], Report]

_held: set[str] = set()
"""Owners of the claims that this process holds."""


class Claim:
    """The claim of one process on the reading of a stream into a store.

    Each renewal carries a report of what the process has done lately, for a page that shows it.

    Args:
        store: the rows of the stream.
        clock: seconds, from any starting point.
        report: takes seconds since epoch, and returns the report.
    """

    def __init__(
        self,
        store: CheckpointStore,
        clock: Callable[[], float] = time.monotonic,
        report: MakeReport | None = None,
    ) -> None:
        self._report = report
        self._store = store
        self._clock = clock
        self._renew_at: float | None = None  # while it is held

    def take(self, at: float, pause: Callable[[float], None]) -> None:
        """Take the claim. If another process seems to hold it, first watch whether that process is alive.

        Args:
            at: seconds since epoch.
            pause: waits for some seconds.

        Raises StreamError if another process is alive, RepositoryError if the store does not answer.
        """
        row = self._store.read(CLAIM)
        if row is not None and not self._is_free(row):
            self._watch(row, pause)
        if self._write(at):
            raise self._refusal(self._store.read(CLAIM))
        _held.add(self._store.owner)
        self._renew_at = self._clock() + RENEWED_EVERY

    def due_in(self) -> float:
        """Return the seconds until the claim should be renewed."""
        return RENEWED_EVERY if self._renew_at is None else max(0.0, self._renew_at - self._clock())

    def renew(self, at: float) -> None:
        """Renew the claim if it is held; if the store is down, try again soon.

        Raises StreamError if another process has taken it over.
        """
        if self._renew_at is None:
            return
        try:
            for _ in range(_ATTEMPTS):
                if not self._write(at):
                    break
                if not self.is_held():
                    self._renew_at = None
                    raise self._refusal(self._store.read(CLAIM))
        except RepositoryError:
            self._renew_at = self._clock() + _AFTER_A_FAILURE
        else:
            self._renew_at = self._clock() + RENEWED_EVERY

    def is_held(self) -> bool:
        """Read whether this process holds the claim. Raises RepositoryError if that cannot be read."""
        row = self._store.read(CLAIM)
        return row is not None and row.state.owner == self._store.owner and not row.state.ended

    def release(self, at: float) -> None:
        """Release the claim. If the store does not answer, the next process has to watch the claim."""
        if self._store.owner not in _held:
            return
        _held.discard(self._store.owner)
        self._renew_at = None
        try:
            if self.is_held():
                self._write(at, ended=True)
        except RepositoryError as error:
            log = structlog.get_logger(component="consumer")
            log.warning("the claim on the stream could not be given back", reason=str(error))

    def _write(self, at: float, *, ended: bool = False) -> set[str]:
        report = self._report(at) if self._report is not None else UNSET
        return self._store.write([(CLAIM, Checkpoint(ended=ended, report=report))], at)

    def _watch(self, row: Row, pause: Callable[[float], None]) -> None:
        """Return when the claim is free. Raises StreamError as soon as it is renewed."""
        if row.state.owner in _held:
            raise self._refusal(row)
        log = structlog.get_logger(component="consumer")
        log.warning(
            "another process was reading this stream: waiting to see whether it still is",
            process=described(row.state.owner),
            seconds=LOST_AFTER,
        )
        free_at = self._clock() + LOST_AFTER
        while (left := free_at - self._clock()) > 0:
            pause(min(left, RENEWED_EVERY / 2))
            seen = self._store.read(CLAIM)
            if seen is None or self._is_free(seen):
                return
            if seen.version != row.version:
                raise self._refusal(seen)

    def _is_free(self, row: Row) -> bool:
        return row.state.ended or row.state.owner == self._store.owner or _is_dead(row.state.owner)

    def _refusal(self, row: Row | None) -> StreamError:
        who = described(row.state.owner) if row is not None else "another process"
        return StreamError(
            f"{self._store.stream} is being read into this store by {who}: stop that first. Several "
            "processes share a stream by `kinesis-handler worker`"
        )


def described(owner: str) -> str:
    """Return a description of a process for a sentence, from the owner's name in its rows."""
    host, process = _host_and_process(owner)
    return f"another process ({process} on {host})" if process else "another process"


def _is_dead(owner: str) -> bool:
    """Tell whether the process in an owner's name is known to be gone."""
    host, process = _host_and_process(owner)
    if host != gethostname() or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return owner not in _held
    try:
        os.kill(int(process), 0)  # sends no signal
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False


def _host_and_process(owner: str) -> tuple[str, str]:
    host, process, *_ = (*owner.split(":"), "")
    return host, process
