"""A repository in one SQLite file: for one machine, and any number of its processes."""

import sqlite3
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from kinesis_handler.aggregate import Aggregate, Key, Parked
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.ingest.schema import CODEC_ERRORS, not_readable_again
from kinesis_handler.storable import key_problem
from kinesis_handler.stores import (
    BEGINNING,
    Change,
    Loaded,
    Page,
    Repository,
    Saved,
    State,
    is_present,
    storable,
)
from kinesis_handler.stores import sqlite_statements as sql
from kinesis_handler.stores.cursor import decode_cursor, encode_cursor
from kinesis_handler.stores.expiry import VACANT_TTL, Expiry
from kinesis_handler.stores.sqlite_file import open_file
from kinesis_handler.stores.state_type import check_state_type, name_of
from kinesis_handler.stores.unreadable import (
    OnUnreadable,
    Unreadable,
    UpgradeError,
    only_readable,
    unreadable,
)
from kinesis_handler.stores.upgrade import (
    SAMPLE,
    Upgrade,
    check_upgrade,
    reading_upgraded,
    require_readable,
    upgraded,
)

__all__ = ["SQLiteRepository"]


DEFAULT_TABLE = "aggregates"
SCAN_PAGE = 1_000


class SQLiteRepository(Repository[State]):
    """Stores aggregates in a table of a SQLite file, each as one JSON document.

    A save is one transaction: a process that is killed leaves all of it or nothing.

    Args:
        path: the file; it is made if it is not there. Not on a network drive: its locks must work.
        state_type: what the states are, anything that msgspec can write as JSON and read again.
        table: its name, an SQL identifier: one file may hold several repositories.
        ttl: seconds after its last write at which an aggregate expires; 0 for never.
        clock: seconds since epoch.
        vacant_ttl: seconds after which a vacant one does; 0 for never.
        upgrade: turns a state of an older shape into one that can be read.

    Raises ConfigurationError if the file cannot be opened or holds something else, if msgspec cannot write
    such states and read them again, or if they leave out defaults.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        path: str | Path,
        state_type: type[State],
        *,
        table: str = DEFAULT_TABLE,
        ttl: int = 0,
        clock: Callable[[], float] = time.time,
        vacant_ttl: int = VACANT_TTL,
        upgrade: Upgrade | None = None,
    ) -> None:
        self._path = path
        self._table = table
        self.expiry = Expiry(ttl, vacant_ttl)
        """When its aggregates expire."""
        self._clock = clock
        check_state_type(state_type)
        self.state_type = state_type
        self._decode = msgspec.json.Decoder(Aggregate[state_type | None]).decode  # type: ignore[valid-type]
        self._state_name = name_of(state_type)
        check_upgrade(upgrade, self._state_name)
        self._upgrade = upgrade
        self._lock = Lock()  # one connection for all threads: SQLite has but one writer
        self._connection = open_file(path, table)
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
                row = connection.execute(self._sql(sql.LOAD), {**_named(key), "now": now}).fetchone()
                if row is None:
                    continue
                try:
                    loaded.add(self._read(key, *row))
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
        insert, update = self._sql(sql.INSERT), self._sql(sql.UPDATE)
        with self._transaction("IMMEDIATE") as connection:
            # What has expired is absent, so that it can be inserted again.
            cursor = connection.execute(self._sql(sql.DELETE_EXPIRED), {"now": now})
            for key, document in documents.items():
                before, after = keyed[key].before, keyed[key].after
                seconds = self.expiry.seconds(after)
                row = (after.version, now + seconds if seconds else None, document)
                if before is None:
                    cursor.execute(insert, (*key, *row))
                else:
                    condition = (*key, before.version, _note(before.parked))
                    cursor.execute(update, (*row, *condition))
                if not cursor.rowcount:
                    saved.conflicts.add(key)
        return saved

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        page: Page[State] = Page([], None)
        if key_problem((partition, "-")) is not None:
            return page  # nothing can be there
        begin = partition.encode(), decode_cursor(cursor).encode()
        last, count = "", 0
        for row in self._rows(sql.FIND, begin, {"limit": limit + 1}):
            each = self._entry(row)
            if not isinstance(each, Unreadable) and not is_present(each):
                continue
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
            connection.executemany(self._sql(sql.DELETE), map(_named, stored))

    def scan_stored(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State | None]]:
        """See `Repository.scan_stored`. Reads a page at a time, so that no writer waits for it."""
        return only_readable(self._scan(after or BEGINNING), on_unreadable)

    def check_states(self) -> None:
        """Raise ConfigurationError if the first stored states are all of another shape than their type."""
        values = {"partition": b"", "sort": b"", "limit": SAMPLE}
        require_readable(map(self._entry, self._select(sql.SCAN, values)))

    def _scan(self, after: Key) -> Iterator[Aggregate[State | None] | Unreadable]:
        partition, sort = after
        for row in self._rows(sql.SCAN, (partition.encode(), sort.encode()), {"limit": SCAN_PAGE}):
            yield self._entry(row)
        for stored in self._select(sql.WITHOUT_KEY, {}):
            key = _shown(*stored)
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

    def _document(self, aggregate: Aggregate[State | None]) -> str:
        """Return an aggregate as JSON, after it has been read again.

        Raises UnstorableError if it cannot be: once stored, its key could never be loaded again.
        """
        try:
            document = msgspec.json.encode(aggregate)
            self._decode(document)
        except CODEC_ERRORS as error:
            raise not_readable_again(error, self._state_name) from error
        return document.decode()

    def _entry(self, row: tuple[bytes, bytes, int, bytes]) -> Aggregate[State | None] | Unreadable:
        partition, sort, version, document = row
        key = _shown(partition, sort)
        try:
            return self._read(key, version, document)
        except UnreadableError as error:
            return Unreadable(key, error)

    def _read(self, key: Key, version: int, document: bytes) -> Aggregate[State | None]:
        """Decode the document of a row, and see that it is the one of this row.

        Raises UnreadableError if it is not.
        """
        try:
            aggregate = self._decoded(document)
        except Exception as error:  # a state's own check may raise anything
            ours = isinstance(error, msgspec.MsgspecError | UpgradeError)
            raise self._unreadable(key, error if ours else type(error).__name__) from error
        if aggregate.key != key:
            raise self._unreadable(key, f"its document is that of {aggregate.key!r}")
        if aggregate.version != version:
            raise self._unreadable(
                key, f"its document has version {aggregate.version}, and its row {version}"
            )
        return aggregate

    def _decoded(self, document: bytes) -> Aggregate[State | None]:
        try:
            return self._decode(document)
        except msgspec.ValidationError:
            if self._upgrade is None:
                raise
            row = msgspec.json.decode(document)
            row["state"] = upgraded(self._upgrade, row["state"])
            with reading_upgraded():
                return self._decode(msgspec.json.encode(row))

    def _unreadable(self, key: Key, why: object) -> UnreadableError:
        return unreadable(key, f"table {self._table!r} of {str(self._path)!r}", self._state_name, why)

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction."""
        with self._lock:
            try:
                self._connection.execute(f"BEGIN {kind}")
                with self._connection:  # commits, or rolls back
                    yield self._connection
            except sqlite3.Error as error:
                raise RepositoryError(f"SQLite, {self._path}: {error}") from error


def _named(key: Key) -> dict[str, str]:
    return {"partition": key[0], "sort": key[1]}


def _note(parked: Parked | None) -> str:
    """Return what the update's condition finds of a note in the document that was loaded."""
    if parked is None:
        return "[null,null,null]"
    end = (parked.count, parked.record_sequence_number, parked.record_sub_sequence_number)
    return msgspec.json.encode(end).decode()


def _shown(partition: bytes, sort: bytes) -> Key:
    """Return a key as it is stored; what is no UTF-8 is escaped, as no stored key is."""
    return partition.decode(errors="backslashreplace"), sort.decode(errors="backslashreplace")
