"""The settings of user_limits, from their class."""

from typing import Literal, get_args, get_origin, get_type_hints

from reference.docstrings import arguments
from user_limits.settings import DEFAULT_REGION, Settings

INTRODUCTION = """\
# Settings

The user limits read these from the environment, once, when they start. A wrong one stops the start with its
name, its value and what is allowed. An empty one counts as missing, one of
white space is an error.

| variable | default | allowed | |
|---|---|---|---|
"""

MORE = """
Of any application the engine reads these:

| variable | |
|---|---|
| `LOG_LEVEL` | read by `configure_logging`, which the command line calls unless the application does |
| `KINESIS_HANDLER_APP` | which application the command line works with, as `--app` says it |
| `AWS_LAMBDA_FUNCTION_NAME` | set by Lambda: the `service` of log lines, unless the application names it |

The AWS SDK's own (`AWS_ENDPOINT_URL_DYNAMODB`, `AWS_PROFILE`, credentials…) work as everywhere, but for its
retries: the store [has its own](../decisions/0008-dynamodb.md).
"""

ELSEWHERE = {"aws_region": DEFAULT_REGION}
"""Defaults that are defined where the setting is used."""


def settings_page() -> str:
    """Return the page of the settings."""
    return INTRODUCTION + "".join(_rows()) + MORE


def _rows() -> list[str]:
    meanings, hints, default = arguments(Settings.__doc__), get_type_hints(Settings), Settings()
    rows = []
    for field in Settings.__struct_fields__:
        variable, _, meaning = meanings[field].partition(", ")
        value = ELSEWHERE.get(field, getattr(default, field))
        shown = f"`{value}`" if value or (value == 0 and field != "rate_limit") else "none"
        allowed = ", ".join(f"`{each}`" for each in _choices(hints[field]))
        rows.append(f"| `{variable}` | {shown} | {allowed} | {meaning.rstrip('.')} |\n")
    return rows


def _choices(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()
