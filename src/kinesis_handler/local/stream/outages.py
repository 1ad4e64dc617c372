"""Waits out outages of a store, a quarantine or a stream, however long, and logs them.

An outage is not the record's fault: the record uses up no retry and grows no older. Faults that a person has
to fix (denied access, a removed table) count as outages too: otherwise every record of the stream would fail
and end in the quarantine.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol, TypeVar

import structlog
from msgspec import Struct, field

from kinesis_handler.errors import (
    KinesisHandlerError,
    QuarantineError,
    RepositoryError,
    StoreUnavailableError,
    StreamUnavailableError,
    UnreadableError,
)
from kinesis_handler.retry import Pauses

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Shortest and longest wait between two attempts, in seconds: it doubles each time."""

_WAITS = Pauses(FIRST_WAIT, LONGEST_WAIT)

FIRST_REMINDER, LONGEST_REMINDER = 60.0, 3_600.0
"""Shortest and longest time between log lines about one outage, in seconds: it doubles each time."""

_REMINDERS = Pauses(FIRST_REMINDER, LONGEST_REMINDER)

_WHAT = {
    RepositoryError: "store",
    StoreUnavailableError: "store",
    QuarantineError: "quarantine",
    StreamUnavailableError: "stream",
}


class Wait(Protocol):
    """Waits for some seconds, and shows the reason in the progress."""

    def __call__(self, seconds: float, why: str = "") -> None:
        """Wait."""


class _Outage(Struct):
    since: float
    reminder_at: float
    reminders: int = 1
    waiting: set[str] = field(default_factory=set)


def is_outage(error: Exception | None) -> bool:
    """Tell whether an error reports an outage, and nothing about the record that met it."""
    return _what(error) is not None


class Outages:
    """Waits until an outage ends, for any number of threads, and logs each outage once for all of them.

    Args:
        clock: seconds since epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._log = structlog.get_logger(component="consumer")
        self._lock = Lock()
        self._outages: dict[str, _Outage] = {}

    def wait_out(self, attempt: Callable[[], T], wait: Wait, who: str = "") -> T:
        """Try until nothing is down, and return the result of the attempt.

        Args:
            attempt: raises an error that `is_outage` during an outage. Other exceptions reach the caller.
            wait: waits between two attempts; its exceptions reach the caller.
            who: the thread's shard.
        """
        failures, down = 0, ""
        while True:
            try:
                done = attempt()
            except KinesisHandlerError as error:
                what = _what(error)
                if what is None:
                    raise
                if down not in {"", what}:
                    self._is_back(down, who)
                down = what
                self._is_down(what, who, str(error))
                failures += 1
                wait(_WAITS.after(failures), str(error))
            else:
                if down:
                    self._is_back(down, who)
                return done

    def _is_down(self, what: str, who: str, reason: str) -> None:
        with self._lock:
            now = self._clock()
            outage = self._outages.get(what)
            if outage is None:
                outage = self._outages[what] = _Outage(now, now + FIRST_REMINDER)
                self._log.warning(f"the {what} is down: waiting for it", since=as_utc(now), reason=reason)
            outage.waiting.add(who)
            if now >= outage.reminder_at:
                outage.reminders += 1
                outage.reminder_at = now + _REMINDERS.after(outage.reminders)
                self._log.error(
                    f"the {what} is still down: waiting for it",
                    since=as_utc(outage.since),
                    reason=reason,
                    shards=len(outage.waiting),
                )

    def _is_back(self, what: str, who: str) -> None:
        with self._lock:
            outage = self._outages[what]
            outage.waiting.discard(who)
            if not outage.waiting:
                del self._outages[what]
                seconds = round(self._clock() - outage.since)
                self._log.warning(f"the {what} is back", since=as_utc(outage.since), seconds=seconds)


def _what(error: Exception | None) -> str | None:
    """Return what is down by an error: `store`, `quarantine` or `stream`; None if it is no outage."""
    if isinstance(error, UnreadableError):  # it concerns one key, and waiting does not help
        return None
    return next((what for kind, what in _WHAT.items() if isinstance(error, kind)), None)


def as_utc(at: float) -> str:
    """Write seconds since epoch as a time in UTC, to the second, as RFC 3339 does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
