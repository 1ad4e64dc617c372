"""The switch: which phase it is, or which side is read, asked for again and again while the program runs.

It can be in a file, or in AWS AppConfig, whose Lambda extension answers on this machine:
https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions-how-it-works.html

Where the switch cannot be read, the last value that was read stays. Where none was, nothing is done: a
guess could be two phases away from all other handlers.
"""

import time
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from kinesis_handler.errors import RepositoryError
from kinesis_handler.telemetry.metrics import count

Value = TypeVar("Value", bound=StrEnum)
"""`Phase`, or `Side`."""

FILE_EVERY = 0.5
APPCONFIG_EVERY = 10.0
"""Seconds for which a value is not asked for again."""

TIMEOUT = 1.0
"""Seconds. The extension answers out of its memory."""

NOT_READABLE = "phase_not_readable"
"""Metric counted at each attempt that fails."""

EXTENSION, MAX_ANSWER, HTTP_OK = "localhost", 10_000, 200


class Switch(Generic[Value]):
    """Returns its value, one of `values`, when it is called, by several threads at once if need be.

    For `every` seconds it is not read again. `read` is given what the value is called in logs, and as an
    attribute of a feature flag, `phase` or `side`; it raises ValueError if it cannot be read.
    """

    def __init__(
        self, values: type[Value], read: Callable[[str], str], every: float, clock: Callable[[], float]
    ) -> None:
        self._values, self._name = values, values.__name__.lower()
        self._read, self._every, self._clock = read, every, clock
        self._lock = Lock()
        self._last: tuple[Value, float] | None = None
        self._log = structlog.get_logger(component=self._name)

    def __call__(self) -> Value:
        """Return the value. Raises RepositoryError if it has never been readable."""
        with self._lock:
            now, last = self._clock(), self._last
            if last is None or now - last[1] >= self._every:
                last = self._last = self._refreshed(last and last[0]), now
            return last[0]

    def _refreshed(self, before: Value | None) -> Value:
        try:
            text = self._read(self._name).strip()
            if text not in set(self._values):
                raise ValueError(f"it says {text[:40]!r}; allowed: {', '.join(self._values)}")  # noqa: TRY301
        except ValueError as error:
            count(NOT_READABLE)
            if before is None:
                raise RepositoryError(f"the {self._name} of the migration is not known: {error}") from error
            self._log.warning(f"{self._name} not readable", **{self._name: before}, reason=str(error))
            return before
        value = self._values(text)
        if before is not None and value is not before:
            self._log.info(f"{self._name} changed", **{self._name: value}, before=before)
        return value


def switch_of(
    values: type[Value], setting: str, port: int, clock: Callable[[], float] = time.monotonic
) -> Callable[[], Value]:
    """Return the switch that a setting names: a value itself, file:///FILE, or appconfig://PROFILE.

    AppConfig's extension is asked at a port.
    """
    scheme, _, name = setting.partition("://")
    match scheme:
        case "file":
            return Switch(values, lambda _: _read_file(name), FILE_EVERY, clock)
        case "appconfig":
            return Switch(values, partial(_read_profile, name, port), APPCONFIG_EVERY, clock)
    value = values(setting)
    return lambda: value


def _read_file(path: str) -> str:
    try:
        return Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_profile(profile: str, port: int, attribute: str) -> str:
    """Read a profile of AppConfig, APPLICATION/ENVIRONMENT/PROFILE.

    It is free text, or with ?flag=NAME a feature flag that has an attribute.
    """
    names, _, query = profile.partition("?")
    path = "/applications/{}/environments/{}/configurations/{}".format(*names.split("/"))
    try:
        with closing(HTTPConnection(EXTENSION, port, timeout=TIMEOUT)) as connection:
            connection.request("GET", f"{path}?{query}" if query else path)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER)
    except (OSError, HTTPException) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"AppConfig's extension does not answer: {why}") from error
    if response.status != HTTP_OK:
        raise ValueError(f"AppConfig's extension answers {response.status} for {path}")
    return _attribute(body, attribute) if query else body.decode(errors="replace")


def _attribute(body: bytes, name: str) -> str:
    """Return an attribute of a feature flag; one that is disabled has no attributes."""
    try:
        return msgspec.convert(msgspec.json.decode(body, type=dict[str, Any])[name], str)
    except (msgspec.MsgspecError, KeyError) as error:
        raise ValueError(f"the flag is disabled, or has no text attribute `{name}`: {error}") from error
