"""Reads the command line's settings: `[tool.kinesis-handler]` in the current folder's pyproject.toml."""

from pathlib import Path

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.pyproject import PYPROJECT, read_table

VARIABLE = "KINESIS_HANDLER_APP"
_NAMES = ("tool", "kinesis-handler")


def names_application() -> bool:
    """Tell whether the settings name an application. Raises ConfigurationError if they cannot be read."""
    return "app" in read_table(Path.cwd() / PYPROJECT, *_NAMES)


def named_application(given: str | None) -> str:
    """Return the application, as `package.module:name`: the one given, or that of the settings.

    Raises ConfigurationError if none is named.
    """
    otherwise = f"no application is named: use --app package.module:name, or set {VARIABLE}, or add"
    return _setting("app", otherwise) if given is None else given


def events_file(given: Path | None) -> Path:
    """Return the file of events: the one given, or that of the settings, which is relative to their file.

    Raises ConfigurationError if none is named.
    """
    otherwise = "no events are named: name a file, or - for standard input, or add"
    return Path.cwd() / _setting("events", otherwise) if given is None else given


def _setting(key: str, otherwise: str) -> str:
    file = Path.cwd() / PYPROJECT
    value = read_table(file, *_NAMES).get(key)
    if value is None:
        raise ConfigurationError(f'{otherwise} {key} = "…" below [{".".join(_NAMES)}] to {file}')
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{key} below [{'.'.join(_NAMES)}] in {file} is {value!r}; allowed: a text")
    return value
