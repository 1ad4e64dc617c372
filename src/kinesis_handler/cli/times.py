"""Parses times and time spans, as a person writes them on the command line."""

import re
import sys
from datetime import UTC, datetime

from kinesis_handler.errors import ConfigurationError

FORMS = "a time such as 2026-11-22T10:00:00Z, a day such as 2026-11-22, or how long ago: 90s, 30m, 6h, 3d"

_SPAN = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse_moment(option: str, text: str, now: float, *, allowed: str = FORMS) -> float:
    """Return seconds since epoch, at most `now`. A time without a time zone is in UTC.

    Raises ConfigurationError that names the option, its value and what is allowed.
    """
    try:
        moment = _seconds(text, now)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{option} is {text!r}; allowed: {allowed}") from error
    if not 0 <= moment <= now:
        raise ConfigurationError(f"{option} is {text!r}, which does not lie between 1970 and now")
    return moment


def parse_span(
    option: str,
    text: str,
    seconds: range = range(1, sys.maxsize),
    allowed: str = "a time such as 90s, 30m, 6h, 3d",
) -> int:
    """Return a time span in seconds, which is one of these.

    Raises ConfigurationError that names the option, its value and what is allowed.
    """
    match = _SPAN.fullmatch(text)
    found = int(match[1]) * _SECONDS[match[2]] if match else 0
    if found not in seconds:
        raise ConfigurationError(f"{option} is {text!r}; allowed: {allowed}")
    return found


def _seconds(text: str, now: float) -> float:
    if ago := _SPAN.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
