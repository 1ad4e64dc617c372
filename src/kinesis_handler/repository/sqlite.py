"""A repository in one SQLite file: for one machine, and any number of its processes."""

import sqlite3
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import msgspec

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConfigurationError, RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.repository import Change, Loaded, Page, Saved, storable
from kinesis_handler.repository.cursor import decode_cursor, encode_cursor
from kinesis_handler.repository.part import Part, segment_of
from kinesis_handler.repository.sqlite_file import open_file
from kinesis_handler.repository.state_type import check_state_type
from kinesis_handler.repository.unreadable import OnUnreadable, Unreadable, only_readable, unreadable
from kinesis_handler.schema import CODEC_ERRORS, not_readable_again, type_problem
from kinesis_handler.storable import key_problem

__all__ = ["SQLiteRepository"]

State = TypeVar("State")

DEFAULT_TABLE = "aggregates"
SCAN_PAGE = 1_000

# Text is read as bytes, and decoded here: what is no UTF-8 would otherwise fail the whole of an answer.
_LOAD = """
    SELECT CAST(version AS INTEGER), CAST(document AS BLOB) FROM {table}
    WHERE partition = :partition AND sort = :sort AND (expires_at IS NULL OR expires_at > :now)
"""
_FIND = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB), CAST(version AS INTEGER), CAST(document AS BLOB)
    FROM {table}
    WHERE partition = CAST(:partition AS TEXT) AND sort > CAST(:sort AS TEXT) AND typeof(sort) = 'text'
        AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY sort LIMIT :limit
"""
_SCAN = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB), CAST(version AS INTEGER), CAST(document AS BLOB)
    FROM {table}
    WHERE (partition, sort) > (CAST(:partition AS TEXT), CAST(:sort AS TEXT))
        AND typeof(partition) = 'text' AND typeof(sort) = 'text' AND (expires_at IS NULL OR expires_at > :now)
        AND (:segments = 1 OR segment_of(CAST(partition AS BLOB), CAST(sort AS BLOB), :segments) = :segment)
    ORDER BY partition, sort LIMIT :limit
"""
_WITHOUT_KEY = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB) FROM {table}
    WHERE (typeof(partition) <> 'text' OR typeof(sort) <> 'text')
        AND (expires_at IS NULL OR expires_at > :now)
        AND (:segments = 1 OR segment_of(CAST(partition AS BLOB), CAST(sort AS BLOB), :segments) = :segment)
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

    Raises ConfigurationError if the file cannot be opened or holds something else, if msgspec cannot write
    such states and read them again, or if they leave out defaults.
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
        check_state_type(state_type)
        if (problem := type_problem(state_type, written=True)) is not None:
            raise ConfigurationError(f"no state of type {state_type!r} can be kept in SQLite: {problem}")
        self.state_type = state_type
        self._decode = msgspec.json.Decoder(Aggregate[state_type]).decode  # type: ignore[valid-type]
        self._state_name = getattr(state_type, "__name__", str(state_type))
        self._lock = Lock()  # one connection for all threads: SQLite has but one writer
        self._connection = open_file(path, table)
        self._connection.create_function("segment_of", 3, _segment_of, deterministic=True)
        weakref.finalize(self, self._connection.close)

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. Reads all or raises RepositoryError."""
        loaded: Loaded[State] = Loaded({})
        now = self._clock()
        with self._transaction("DEFERRED") as connection:
            for key in keys:
                if (problem := key_problem(key)) is not None:
                    loaded.failed[key] = UnstorableError(problem)
                    continue
                row = connection.execute(self._sql(_LOAD), {**_named(key), "now": now}).fetchone()
                if row is None:
                    continue
                try:
                    loaded.found[key] = self._read(key, *row)
                except UnreadableError as error:
                    loaded.failed[key] = error
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. Raises RepositoryError, and has written nothing then."""
        keyed, saved = storable(changes)
        documents = {}
        for key, change in keyed.items():
            try:
                documents[key] = self._document(change.after)
            except UnstorableError as error:
                saved.failed[key] = error
        now = self._clock()
        expires_at = now + self._ttl if self._ttl else None
        with self._transaction("IMMEDIATE") as connection:
            # What has expired is absent, so that it can be inserted anew.
            connection.execute(self._sql(_DELETE_EXPIRED), {"now": now})
            for key, document in documents.items():
                change = keyed[key]
                row = {
                    **_named(key),
                    "version": change.after.version,
                    "expires_at": expires_at,
                    "document": document,
                }
                if change.before is None:
                    written = connection.execute(self._sql(_INSERT), row)
                else:
                    written = connection.execute(self._sql(_UPDATE), {**row, "before": change.before.version})
                if not written.rowcount:
                    saved.conflicts.add(key)
        return saved

    def refusal(self, aggregate: Aggregate[State]) -> UnstorableError | None:  # noqa: ARG002
        """See `Repository.refusal`. Nothing is known before the file is asked."""
        return None

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        page: Page[State] = Page([], None)
        if key_problem((partition, "-")) is not None:
            return page  # nothing can be there
        begin = partition.encode(), decode_cursor(cursor).encode()
        last, count = "", 0
        for row in self._rows(_FIND, begin, {"limit": limit + 1}):
            each = self._entry(row)
            if each.key[1].encode() == row[1]:  # else it is no text, and can be no cursor
                if count == limit:
                    return Page(page.aggregates, encode_cursor(last), page.unreadable)
                last, count = each.key[1], count + 1
            if isinstance(each, Unreadable):
                page.unreadable[each.key] = each.error
            else:
                page.aggregates.append(each)
        return page

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`."""
        stored = [key for key in keys if key_problem(key) is None]
        with self._transaction("IMMEDIATE") as connection:
            connection.executemany(self._sql(_DELETE), map(_named, stored))

    def scan(
        self, part: Part | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """See `Repository.scan`. Reads a page at a time, so that it keeps no writer waiting."""
        return only_readable(self._scan(part or Part(0, 1)), on_unreadable)

    def _scan(self, part: Part) -> Iterator[Aggregate[State] | Unreadable]:
        partition, sort = part.after or ("", "")
        segment = {"segment": part.number, "segments": part.of}
        for row in self._rows(_SCAN, (partition.encode(), sort.encode()), {**segment, "limit": SCAN_PAGE}):
            yield self._entry(row)
        for place in self._select(_WITHOUT_KEY, segment):
            key = _shown(*place)
            yield Unreadable(key, self._unreadable(key, "its key is no text"))

    def _rows(
        self, statement: str, last: tuple[bytes, bytes], values: Mapping[str, object]
    ) -> Iterator[tuple[bytes, bytes, int, bytes]]:
        """Yield the rows behind a key, a page at a time."""
        while rows := self._select(statement, {**values, "partition": last[0], "sort": last[1]}):
            yield from rows
            last = rows[-1][:2]

    def _select(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        with self._transaction("DEFERRED") as connection:
            return connection.execute(self._sql(statement), {**values, "now": self._clock()}).fetchall()

    def _sql(self, statement: str) -> str:
        return statement.format(table=self._table)

    def _document(self, aggregate: Aggregate[State]) -> str:
        """Return an aggregate as JSON, after it has been read again.

        Raises UnstorableError if it cannot be: once stored, its key could never be loaded again.
        """
        try:
            document = msgspec.json.encode(aggregate)
            self._decode(document)
        except CODEC_ERRORS as error:
            raise not_readable_again(error, self._state_name) from error
        return document.decode()

    def _entry(self, row: tuple[bytes, bytes, int, bytes]) -> Aggregate[State] | Unreadable:
        partition, sort, version, document = row
        key = _shown(partition, sort)
        try:
            return self._read(key, version, document)
        except UnreadableError as error:
            return Unreadable(key, error)

    def _read(self, key: Key, version: int, document: bytes) -> Aggregate[State]:
        """Decode the document of a row, and see that it is the one of this row.

        Raises UnreadableError if it is not.
        """
        try:
            aggregate: Aggregate[State] = self._decode(document)
        except Exception as error:  # a state's own check may raise anything
            why = error if isinstance(error, msgspec.MsgspecError) else type(error).__name__
            raise self._unreadable(key, why) from error
        if aggregate.key != key:
            raise self._unreadable(key, f"its document is that of {aggregate.key!r}")
        if aggregate.version != version:
            raise self._unreadable(
                key, f"its document has version {aggregate.version}, and its row {version}"
            )
        return aggregate

    def _unreadable(self, key: Key, why: object) -> UnreadableError:
        return unreadable(key, f"table {self._table!r} of {str(self._path)!r}", self._state_name, why)

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


def _shown(partition: bytes, sort: bytes) -> Key:
    """Return a key as it is stored; what is no UTF-8 is escaped, as no stored key is."""
    return partition.decode(errors="backslashreplace"), sort.decode(errors="backslashreplace")


def _segment_of(partition: bytes, sort: bytes, segments: int) -> int:
    return segment_of(_shown(partition, sort), segments)
