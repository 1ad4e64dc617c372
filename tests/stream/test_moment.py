"""A moment, as a person says it on the command line."""

from datetime import UTC, datetime

import pytest

from kinesis_handler.cli.times import parse_moment
from kinesis_handler.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", NOW),
        ("90s", NOW - 90),
        ("30m", NOW - 1_800),
        ("6h", NOW - 21_600),
        ("3d", NOW - 259_200),
        ("2026-11-22T10:00:00Z", NOW),
        ("2026-11-22T12:30:00+02:30", NOW),
        ("2026-11-22T09:59:59.250Z", NOW - 0.75),
        ("2026-11-22T10:00", NOW),
        ("2026-11-22 10:00", NOW),
        ("2026-11-22", NOW - 36_000),
    ],
)
def test_a_time_a_day_or_how_long_ago_is_a_moment(text: str, expected: float) -> None:
    assert parse_moment("--from", text, NOW) == expected


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1h", "1 h", "1w", "now", "22.11.2026", "\u0661h"])
def test_anything_else_is_refused_with_the_option_the_value_and_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        parse_moment("--since", text, NOW)
    assert str(told.value).startswith(f"--since is {text!r}; allowed: a time such as 2026-11-22T10:00:00Z, ")
