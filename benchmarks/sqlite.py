"""Compares a save in SQLite with `executemany` written by hand: 1,000 limits, new and known.

`python -m benchmarks.sqlite` prints rows a second, commit included, and how many times as long the repository
takes. By hand means: the same documents, file settings and conditions on the version, and nothing else: no
check that a document can be read again, no expiry, no conflict found, no note of a parked key.
"""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.json import encode
from msgspec.structs import replace

from benchmarks.rounds import Rounds, Timed, clocked, take_turns
from benchmarks.stored_limits import stored_limit
from kinesis_handler.stores import Change
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


def insert_by_hand(connection: sqlite3.Connection, changes: Changes) -> None:
    afters = [change.after for change in changes]
    with connection:
        connection.executemany(_INSERT, [(*each.key, each.version, encode(each).decode()) for each in afters])


def update_by_hand(connection: sqlite3.Connection, changes: Changes) -> None:
    rows = [
        (after.version, encode(after).decode(), *after.key, before.version)
        for before, after in ((change.before, change.after) for change in changes)
        if before is not None
    ]
    with connection:
        connection.executemany(_UPDATE, rows)


def compare(folder: Path, *, known: bool) -> Rounds:
    """Return the seconds of a save of new limits, or of limits that are stored."""
    new = [stored_limit(f"user-{n % 200}", f"limit-{n}", n) for n in range(ROWS)]
    again = [Change(each.after, replace(each.after, version=each.after.version + 1)) for each in new]
    files = iter(range(1_000_000))

    def ours() -> Timed:
        repository = SQLiteRepository(folder / f"{next(files)}.db", Limit)
        if known:
            repository.save(new)
        return clocked(lambda: repository.save(again if known else new))

    def by_hand() -> Timed:
        connection = connections.enter_context(closing(sqlite3.connect(folder / f"{next(files)}.db")))
        connection.executescript(_FILE)
        if known:
            insert_by_hand(connection, new)

        if known:
            return clocked(lambda: update_by_hand(connection, again))
        return clocked(lambda: insert_by_hand(connection, new))

    with ExitStack() as connections:
        return take_turns({"ours": ours, "by hand": by_hand}, ROUNDS)


def main() -> None:
    """Measure both, and print a table."""
    sys.stdout.write(f"{'':14}{'ours':>14}{'by hand':>14}{'times as long':>16}\n")
    for known in (False, True):
        with TemporaryDirectory() as folder:
            rounds = compare(Path(folder), known=known)
        ours, by_hand = (ROWS / rounds.median(name) for name in ("ours", "by hand"))
        sys.stdout.write(
            f"{'known limits' if known else 'new limits':14}{ours:>9,.0f} rows{by_hand:>9,.0f} rows"
            f"{rounds.ratio('ours', 'by hand'):>16.2f}\n"
        )


if __name__ == "__main__":
    main()
