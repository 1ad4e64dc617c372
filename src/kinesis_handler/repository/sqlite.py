"""A repository in one SQLite file: for one machine, and any number of its processes."""

import sqlite3
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConfigurationError, RepositoryError, UnreadableStateError
from kinesis_handler.repository import Change, Loaded, Page, Saved, by_key
from kinesis_handler.repository.cursor import decode_cursor, encode_cursor
from kinesis_handler.repository.part import Part, segment_of

__all__ = ["SQLiteRepository"]

State = TypeVar("State")

SCHEMA_VERSION = 1
DEFAULT_TABLE = "aggregates"
SCAN_PAGE = 1_000
BUSY_TIMEOUT = 10.0
"""Seconds to wait while another process writes: far longer than any batch takes."""

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
_LOAD = """
    SELECT document FROM {table}
    WHERE partition = :partition AND sort = :sort AND (expires_at IS NULL OR expires_at > :now)
"""
_FIND = """
    SELECT sort, document FROM {table}
    WHERE partition = :partition AND sort > :sort AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY sort LIMIT :limit
"""
_SCAN = """
    SELECT partition, sort, document FROM {table}
    WHERE (partition, sort) > (:partition, :sort) AND (expires_at IS NULL OR expires_at > :now)
        AND (:segments = 1 OR segment_of(partition, sort, :segments) = :segment)
    ORDER BY partition, sort LIMIT :limit
"""
_INSERT = """
    INSERT INTO {table} VALUES (:partition, :sort, :version, :expires_at, :document) ON CONFLICT DO NOTHING
"""
_UPDATE = """
    UPDATE {table} SET version = :version, expires_at = :expires_at, document = :document
    WHERE partition = :partition AND sort = :sort AND version = :before
"""
_DELETE = "DELETE FROM {table} WHERE partition = :partition AND sort = :sort"
_DELETE_EXPIRED = "DELETE FROM {table} WHERE expires_at <= :now"


class SQLiteRepository(Generic[State]):
    """Keeps aggregates in a table of a SQLite file, each as one JSON document.

    A save is one transaction: a process that is killed leaves all of it or nothing.

    Args:
        path: the file; it is made if it is not there. Not on a network drive: its locks must work.
        state_type: what the states are, anything that msgspec can write as JSON and read again.
        table: its name, an SQL identifier: one file may hold several repositories.
        ttl: seconds after its last write at which an aggregate expires; 0 keeps it for ever.
        clock: seconds since epoch.

    Raises ConfigurationError if the file cannot be opened, or holds something else.
    """

    def __init__(
        self,
        path: str | Path,
        state_type: type[State],
        *,
        table: str = DEFAULT_TABLE,
        ttl: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._table = table
        self._ttl = ttl
        self._clock = clock
        self._state_type = state_type
        self._decode = msgspec.json.Decoder(Aggregate[state_type]).decode  # type: ignore[valid-type]
        self._lock = Lock()  # one connection for all threads: SQLite has but one writer
        self._connection = _open(path, table)
        self._connection.create_function("segment_of", 3, _segment_of, deterministic=True)
        weakref.finalize(self, self._connection.close)

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. Reads all or raises RepositoryError."""
        loaded: Loaded[State] = Loaded({})
        now = self._clock()
        with self._transaction("DEFERRED") as connection:
            for key in keys:
                row = connection.execute(self._sql(_LOAD), {**_named(key), "now": now}).fetchone()
                if row is None:
                    continue
                try:
                    loaded.found[key] = self._read(row[0])
                except RepositoryError as error:
                    loaded.failed[key] = error
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. Raises RepositoryError, and has written nothing then."""
        saved, keyed = Saved(), by_key(changes)
        now = self._clock()
        expires_at = now + self._ttl if self._ttl else None
        with self._transaction("IMMEDIATE") as connection:
            # What has expired is absent, so that it can be inserted anew.
            connection.execute(self._sql(_DELETE_EXPIRED), {"now": now})
            for key, change in keyed.items():
                row = {
                    **_named(key),
                    "version": change.after.version,
                    "expires_at": expires_at,
                    "document": msgspec.json.encode(change.after).decode(),
                }
                if change.before is None:
                    written = connection.execute(self._sql(_INSERT), row)
                else:
                    written = connection.execute(self._sql(_UPDATE), {**row, "before": change.before.version})
                if not written.rowcount:
                    saved.conflicts.add(key)
        return saved

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        place = {"partition": partition, "sort": decode_cursor(cursor), "limit": limit + 1}
        rows = self._select(_FIND, place)
        page = [self._read(document) for _, document in rows[:limit]]
        return Page(page, encode_cursor(page[-1].key[1]) if len(rows) > limit else None)

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`."""
        with self._transaction("IMMEDIATE") as connection:
            connection.executemany(self._sql(_DELETE), map(_named, keys))

    def scan(self, part: Part | None = None) -> Iterator[Aggregate[State]]:
        """See `Repository.scan`. Reads a page at a time, so that it keeps no writer waiting."""
        index, segments, after = part or Part(0, 1)
        last: Key = after or ("", "")
        page = {"segment": index, "segments": segments, "limit": SCAN_PAGE}
        while rows := self._select(_SCAN, {**_named(last), **page}):
            for partition, sort, document in rows:
                yield self._read(document)
                last = (partition, sort)

    def _select(self, statement: str, values: Mapping[str, object]) -> list[tuple[str, ...]]:
        with self._transaction("DEFERRED") as connection:
            return connection.execute(self._sql(statement), {**values, "now": self._clock()}).fetchall()

    def _sql(self, statement: str) -> str:
        return statement.format(table=self._table)

    def _read(self, document: str) -> Aggregate[State]:
        try:
            return self._decode(document)
        except msgspec.ValidationError as error:
            raise UnreadableStateError(
                f"what is stored is no {self._state_type.__name__}: {error}"
            ) from error

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """Do all that follows or nothing of it."""
        with self._lock:
            try:
                self._connection.execute(f"BEGIN {kind}")
                with self._connection:  # commits, or rolls back
                    yield self._connection
            except sqlite3.Error as error:
                raise RepositoryError(f"SQLite, {self._path}: {error}") from error


def _named(key: Key) -> dict[str, str]:
    return {"partition": key[0], "sort": key[1]}


def _segment_of(partition: str, sort: str, segments: int) -> int:
    return segment_of((partition, sort), segments)


def _open(path: str | Path, table: str) -> sqlite3.Connection:
    """Open the file, and make the table if it is not there."""
    name = f"the SQLite file {str(path)!r}"
    if not (folder := Path(path).parent).is_dir():
        raise ConfigurationError(f"{name} cannot be made: there is no folder {str(folder)!r}")
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise ConfigurationError(f"{name} cannot be opened: {error}") from error
    try:
        version, tables, is_there = connection.execute(_WHOSE, {"table": table}).fetchone()
        problem = _problem(version, tables)
        if problem is None:
            connection.executescript(_OPEN)
            if not is_there:  # else each start would wait for whoever is writing
                connection.executescript(_SCHEMA.format(table=table, version=SCHEMA_VERSION))
    except sqlite3.Error as error:
        problem = f"cannot be used: {error}"
    if problem is not None:
        connection.close()
        raise ConfigurationError(f"{name} {problem}")
    return connection


def _problem(version: int, tables: int) -> str | None:
    if version > SCHEMA_VERSION:
        return "has been made by a newer version of kinesis-handler"
    if tables and not version:
        return "holds something else: choose another"
    return None
