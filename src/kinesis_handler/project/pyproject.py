"""Reads the pyproject.toml of an application."""

import tomllib
from pathlib import Path
from typing import Any

from kinesis_handler.errors import ConfigurationError

PYPROJECT = "pyproject.toml"


def read_table(file: Path, *names: str) -> dict[str, Any]:
    """Return a table of a pyproject.toml, by the names that lead to it; empty if there is none, or no file.

    Raises ConfigurationError if the file cannot be read.
    """
    try:
        table: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}
