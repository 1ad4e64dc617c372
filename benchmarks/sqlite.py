"""Compares a save in SQLite with `executemany` written by hand: 1,000 limits, new and known.

`python -m benchmarks.sqlite` prints rows a second, commit included, and how many times as long the repository
takes. By hand means: the same documents, file settings and conditions on the version, and nothing else: no
check that a document can be read again, no expiry, no conflict found, no note of a parked key.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.json import encode
from msgspec.structs import replace

from benchmarks.records import Limits, handle_all, handler_of
from benchmarks.rounds import Timed, clocked, take_turns
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from user_limits.limit import Limit

ROWS, ROUNDS = 1_000, 20

_FILE = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE limits (
        partition TEXT NOT NULL, sort TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (partition, sort)
    );
"""
_INSERT = "INSERT INTO limits VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE limits SET version = ?, document = ? WHERE partition = ? AND sort = ? AND version = ?"

Changes = Sequence[Change[Limit]]


def save_by_hand(connection: sqlite3.Connection, changes: Changes) -> None:
    new = [each.after for each in changes if each.before is None]
    known = [(each.before, each.after) for each in changes if each.before is not None]
    with connection:
        connection.executemany(_INSERT, [(*each.key, each.version, encode(each).decode()) for each in new])
        connection.executemany(
            _UPDATE,
            [(to.version, encode(to).decode(), *to.key, before.version) for before, to in known],
        )


def main() -> None:
    """Measure both, and print a table."""
    memory = MemoryRepository[Limit]()
    handle_all(handler_of(memory), [Limits().batch(range(ROWS), events=1)])
    new = [Change(None, each) for each in memory.scan()]
    known = [Change(each.after, replace(each.after, version=each.after.version + 1)) for each in new]
    files = count()

    def ours(before: Changes, changes: Changes) -> Timed:
        repository = SQLiteRepository(Path(folder, f"{next(files)}.db"), Limit)
        repository.save(before)
        return clocked(partial(repository.save, changes), ROWS)

    def by_hand(before: Changes, changes: Changes) -> Timed:
        connection = connections.enter_context(closing(sqlite3.connect(Path(folder, f"{next(files)}.db"))))
        connection.executescript(_FILE)
        save_by_hand(connection, before)
        return clocked(partial(save_by_hand, connection, changes), ROWS)

    print(f"{'':14}{'ours':>14}{'by hand':>14}{'times as long':>16}")
    for title, before, changes in (("new limits", (), new), ("known limits", new, known)):
        with TemporaryDirectory() as folder, ExitStack() as connections:
            contenders = {each.__name__: partial(each, before, changes) for each in (ours, by_hand)}
            taken = take_turns(contenders, ROUNDS)
        speeds = "".join(f"{1_000_000 / taken.medians(name)['us']:>9,.0f} rows" for name in contenders)
        print(f"{title:14}{speeds}{taken.compared('ours', 'by_hand', 'us')['ratio']:>16.2f}")


if __name__ == "__main__":
    main()
