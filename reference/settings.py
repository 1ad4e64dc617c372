"""The settings of user_limits, from their class."""

from msgspec.structs import fields

from kinesis_handler.environment import allowed_for
from reference.docstrings import arguments
from user_limits.settings import DEFAULT_REGION, Settings

INTRODUCTION = """\
# Settings

user_limits reads these environment variables once, at its start. A wrong value stops the start with an error
that names the variable, its value and the allowed values. An empty value counts as missing; white space is an
error.

| variable | default | allowed | |
|---|---|---|---|
"""

MORE = """
The library reads these variables for any application:

| variable | |
|---|---|
| `LOG_LEVEL` | read by `configure_logging`, which the command line calls unless the application does |
| `KINESIS_HANDLER_APP` | the application of the command line, in the form of `--app` |
| `AWS_LAMBDA_FUNCTION_NAME` | set by Lambda: the `service` of log lines, unless the application names it |

The AWS SDK's own variables (`AWS_ENDPOINT_URL_DYNAMODB`, `AWS_PROFILE`, credentials…) work as usual, except
for its retries: the store [has its own](../decisions/0008-dynamodb.md).
"""

ELSEWHERE = {"aws_region": DEFAULT_REGION}
"""Defaults that are defined where the setting is used."""


def settings_page() -> str:
    """Return the page of the settings."""
    return INTRODUCTION + "".join(_rows()) + MORE


def _rows() -> list[str]:
    meanings, default = arguments(Settings.__doc__), Settings()
    rows = []
    for field in fields(Settings):
        variable, _, meaning = meanings[field.name].partition(", ")
        value = ELSEWHERE.get(field.name, getattr(default, field.name))
        shown = f"`{value}`" if value else "none"
        rows.append(f"| `{variable}` | {shown} | {allowed_for(field.type)} | {meaning.rstrip('.')} |\n")
    return rows
