"""The switch: which phase it is, asked for again and again while the program runs.

It can be in a file, or in AWS AppConfig, whose Lambda extension answers on this machine:
https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions.html

Where the switch cannot be read, the last phase that was read stays. Where none was, nothing is done: a guess
could be two phases away from all other handlers.
"""

import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock

import msgspec
import structlog

from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving.phase import PHASES, Phase
from kinesis_handler.telemetry.metrics import count

FILE_EVERY = 0.5
APPCONFIG_EVERY = 10.0
"""Seconds for which a phase is not asked for again."""

TIMEOUT = 1.0
"""Seconds. The extension answers out of its memory."""

NOT_READABLE = "phase_not_readable"
"""What is counted at each attempt that fails."""

MAX_ANSWER = 10_000
HTTP_OK = 200


class Switch:
    """Tells the phase. It may be called from several threads at once.

    Args:
        read: returns what the switch says. Raises ValueError if it cannot be read.
        every: seconds for which it is not read again.
        clock: seconds.
    """

    def __init__(
        self, read: Callable[[], str], every: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._every = every
        self._clock = clock
        self._lock = Lock()
        self._phase: Phase | None = None
        self._read_at: float | None = None
        self._log = structlog.get_logger(component="phase")

    def __call__(self) -> Phase:
        """Return the phase. Raises RepositoryError if it has never been readable."""
        with self._lock:
            now = self._clock()
            if self._phase is None or self._read_at is None or now - self._read_at >= self._every:
                self._refresh()
                self._read_at = now
            return self._phase  # type: ignore[return-value]

    def _refresh(self) -> None:
        before = self._phase
        try:
            text = self._read().strip()
            if text not in set(Phase):
                raise ValueError(f"it says {text[:40]!r}; allowed: {PHASES}")  # noqa: TRY301
        except ValueError as error:
            count(NOT_READABLE)
            if before is None:
                raise RepositoryError(f"the phase of the migration is not known: {error}") from error
            self._log.warning("phase not readable", phase=before, reason=str(error))
            return
        self._phase = Phase(text)
        if before is not None and self._phase is not before:
            self._log.info("phase changed", phase=self._phase, before=before)


def phase_of(setting: str, port: int) -> Callable[[], Phase]:
    """Return what tells the phase: a phase itself, file:///FILE, or appconfig://PLACE at this port."""
    scheme, _, place = setting.partition("://")
    match scheme:
        case "file":
            return file_switch(place)
        case "appconfig":
            return appconfig_switch(place, port)
    phase = Phase(setting)
    return lambda: phase


def file_switch(path: str, clock: Callable[[], float] = time.monotonic) -> Switch:
    """Return the switch that a file is: it holds the name of the phase."""

    def read() -> str:
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: {error}") from error

    return Switch(read, FILE_EVERY, clock)


def appconfig_switch(place: str, port: int, clock: Callable[[], float] = time.monotonic) -> Switch:
    """Return the switch that a configuration in AppConfig is.

    Args:
        place: APPLICATION/ENVIRONMENT/PROFILE of free text, with ?flag=NAME of a feature flag whose attribute
            `phase` it is.
        port: where the extension answers.
        clock: seconds.
    """
    names, _, query = place.partition("?")
    application, environment, profile = names.split("/")
    path = f"/applications/{application}/environments/{environment}/configurations/{profile}"

    def read() -> str:
        connection = HTTPConnection("localhost", port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{path}?{query}" if query else path)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER)
        except (OSError, HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"AppConfig's extension does not answer: {reason}") from error
        finally:
            connection.close()
        if response.status != HTTP_OK:
            raise ValueError(f"AppConfig's extension answers {response.status} for {path}")
        return _flag(body) if query else body.decode(errors="replace")

    return Switch(read, APPCONFIG_EVERY, clock)


def _flag(body: bytes) -> str:
    """Return the attribute `phase` of a feature flag; one that is disabled has no attributes."""
    try:
        flag = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"the flag is no JSON: {error}") from error
    phase = flag.get("phase") if isinstance(flag, dict) else None
    if not isinstance(phase, str):
        raise ValueError("the flag is disabled, or has no text attribute `phase`")  # noqa: TRY004
    return phase
