"""A SQLite file: opened, known for ours, and with the table in it."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.retry import Backoff

SCHEMA_VERSION = 1
MEMORY = ":memory:"
"""The path that stands for no file."""

BUSY_TIMEOUT = 10.0
"""Seconds to wait while another process writes: far longer than any batch takes."""

_PRIMARY = 0xFF
"""The bits of an extended result code that say of which kind it is. Source: https://sqlite.org/rescode.html"""

# Readers and a writer do not wait for each other. FULL: what was answered is on the disk, or a power cut
# would lose what the stream has been told is done.
_OPEN = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"

_SCHEMA = """
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS {table} (
        partition  TEXT NOT NULL,
        sort       TEXT NOT NULL,
        version    INTEGER NOT NULL,
        expires_at REAL,  -- seconds since epoch; null for never
        document   TEXT NOT NULL,  -- the whole aggregate as JSON, amounts as strings
        PRIMARY KEY (partition, sort)
    );
    CREATE INDEX IF NOT EXISTS {table}_expiring ON {table} (expires_at) WHERE expires_at IS NOT NULL;
    PRAGMA user_version = {version};
    COMMIT;
"""
_WHOSE = """
    SELECT user_version, (SELECT count(*) FROM sqlite_schema),
        (SELECT count(*) FROM sqlite_schema WHERE name = :table) FROM pragma_user_version
"""


def open_file(path: str | Path, table: str) -> sqlite3.Connection:
    """Open the file, and make the table if it is not there.

    Raises ConfigurationError if the file cannot be opened, or holds something else.
    """
    name = f"the SQLite file {str(path)!r}"
    if not (folder := Path(path).parent).is_dir():
        raise ConfigurationError(f"{name} cannot be made: there is no folder {str(folder)!r}")
    _create_private(path)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise ConfigurationError(f"{name} cannot be opened: {error}") from error
    try:
        problem = _prepare(connection, table)
    except sqlite3.Error as error:
        problem = f"cannot be used: {error}"
    if problem is not None:
        connection.close()
        raise ConfigurationError(f"{name} {problem}")
    return connection


def _prepare(connection: sqlite3.Connection, table: str) -> str | None:
    """Set the connection up, and make the table if it is not there; return what is wrong, if so.

    While another process does the same with a new file, SQLite does not wait, but says that it is busy: it
    changes from reading to writing, where two that wait for each other would do so for ever.
    Source: https://sqlite.org/c3ref/busy_handler.html
    """
    backoff = Backoff()
    while True:
        try:
            version, tables, is_there = connection.execute(_WHOSE, {"table": table}).fetchone()
            problem = _problem(version, tables)
            if problem is None:
                connection.executescript(_OPEN)
                if not is_there:  # else each start would wait for whoever is writing
                    connection.executescript(_SCHEMA.format(table=table, version=SCHEMA_VERSION))
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not (is_busy and backoff.wait()):
                raise
        else:
            return problem


def _create_private(path: str | Path) -> None:
    """Make an empty file that only its owner may read, unless there is one; what is there is left as it is.

    SQLite gives the files beside it the same permissions. Source: https://sqlite.org/src/file/src/os_unix.c
    """
    if str(path) != MEMORY:
        with suppress(OSError):  # SQLite will say why it cannot be opened
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _problem(version: int, tables: int) -> str | None:
    if version > SCHEMA_VERSION:
        return "has been made by a newer version of kinesis-handler"
    if tables and not version:
        return "holds something else: choose another"
    return None
