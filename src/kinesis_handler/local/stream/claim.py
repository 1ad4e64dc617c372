"""One process reads a stream into a store: it has a claim there, which it renews for as long as it lives.

Who comes later is refused while the claim is renewed, and takes it over when it is not. That is seen by
watching it for a while: no clocks of two machines are compared. On the machine of the process that had it, it
is seen at once, by its process id.
"""

import os
import time
from collections.abc import Callable
from socket import gethostname

import structlog

from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.local.stream.checkpoint_store import Checkpoint, CheckpointStore, Row

CLAIM = "consumer"
"""The name of the claim's row, in place of a shard. Ended, when the process that had it is done."""

RENEWED_EVERY = 10.0
LOST_AFTER = 40.0
"""Seconds without a renewal after which a claim is free: more than the longest wait between two attempts."""

_AFTER_A_FAILURE = 2.0
_ATTEMPTS = 5

_held: set[str] = set()
"""The owners of the claims that this very process has."""


class Claim:
    """The claim of one process on the reading of a stream into a store.

    Args:
        store: its rows.
        clock: seconds, from any beginning.
    """

    def __init__(self, store: CheckpointStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._renew_at: float | None = None  # while it is held

    def take(self, at: float, pause: Callable[[float], None]) -> None:
        """Take the claim. Where another process seems to have it, watch first whether it is alive.

        Args:
            at: seconds since epoch.
            pause: waits for some seconds.

        Raises StreamError if another process is alive, RepositoryError if the store does not answer.
        """
        row = self._store.read(CLAIM)
        if row is not None and not self._is_free(row):
            self._watch(row, pause)
        if self._store.write([(CLAIM, Checkpoint())], at):
            raise self._refusal(self._store.read(CLAIM))
        _held.add(self._store.owner)
        self._renew_at = self._clock() + RENEWED_EVERY

    def due_in(self) -> float:
        """Return the seconds until it should be renewed, if it is held."""
        return RENEWED_EVERY if self._renew_at is None else max(0.0, self._renew_at - self._clock())

    def renew(self, at: float) -> None:
        """Renew the claim if it is held, or try to: a store that is down is tried again soon.

        Raises StreamError if another process has taken it over.
        """
        if self._renew_at is None:
            return
        try:
            for _ in range(_ATTEMPTS):
                if not self._store.write([(CLAIM, Checkpoint())], at):
                    break
                if not self.is_held():
                    self._renew_at = None
                    raise self._refusal(self._store.read(CLAIM))
        except RepositoryError:
            self._renew_at = self._clock() + _AFTER_A_FAILURE
        else:
            self._renew_at = self._clock() + RENEWED_EVERY

    def is_held(self) -> bool:
        """Read whether this process has the claim. Raises RepositoryError if that cannot be read."""
        row = self._store.read(CLAIM)
        return row is not None and row.state.owner == self._store.owner and not row.state.ended

    def release(self, at: float) -> None:
        """Give the claim back. If the store does not take that, the next process has to see for itself."""
        if self._store.owner not in _held:
            return
        _held.discard(self._store.owner)
        self._renew_at = None
        try:
            if self.is_held():
                self._store.write([(CLAIM, Checkpoint(ended=True))], at)
        except RepositoryError as error:
            log = structlog.get_logger(component="consumer")
            log.warning("the claim on the stream could not be given back", reason=str(error))

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
        return StreamError(f"{self._store.stream} is being read into this store by {who}: stop that first")


def described(owner: str) -> str:
    """Return what a process is called in a sentence, by the owner's name that its rows have."""
    host, process = _host_and_process(owner)
    return f"another process ({process} on {host})" if process else "another process"


def _is_dead(owner: str) -> bool:
    """Tell whether the process that an owner's name speaks of is known to be gone."""
    host, process = _host_and_process(owner)
    if host != gethostname() or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return owner not in _held
    try:
        os.kill(int(process), 0)  # sends nothing
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False


def _host_and_process(owner: str) -> tuple[str, str]:
    host, process, *_ = (*owner.split(":"), "")
    return host, process
