"""Reads the command line's settings: `[tool.kinesis-handler]` in the current folder's pyproject.toml."""

from pathlib import Path
from typing import Any

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.pyproject import PYPROJECT, read_table

VARIABLE = "KINESIS_HANDLER_APP"
_TABLE = "[tool.kinesis-handler]"


class ProjectSettings:
    """The settings of a project, each checked when it is read.

    Args:
        table: the content of `[tool.kinesis-handler]`.
        file: the pyproject.toml, for errors.
    """

    def __init__(self, table: dict[str, Any], file: Path) -> None:
        self._table = table
        self._file = file

    @property
    def names_app(self) -> bool:
        """Whether an application is named."""
        return "app" in self._table

    @property
    def app(self) -> str:
        """The application, as `package.module:name`. Raises ConfigurationError if none is named."""
        return self._named(
            "app", f"no application is named: use --app package.module:name, or set {VARIABLE}, or add"
        )

    @property
    def events(self) -> Path:
        """The file of events that `run` and `put` take by default, relative to the pyproject.toml.

        Raises ConfigurationError if none is named.
        """
        return self._file.parent / self._named(
            "events", "no events are named: name a file, or - for standard input, or add"
        )

    def _named(self, key: str, otherwise: str) -> str:
        value = self._table.get(key)
        if value is None:
            raise ConfigurationError(f'{otherwise} {key} = "…" below {_TABLE} to {self._file}')
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(f"{key} below {_TABLE} in {self._file} is {value!r}; allowed: a text")
        return value


def project_settings() -> ProjectSettings:
    """Read the settings of the current folder.

    Raises ConfigurationError if its pyproject.toml cannot be read.
    """
    file = Path.cwd() / PYPROJECT
    return ProjectSettings(read_table(file, "tool", "kinesis-handler"), file)
