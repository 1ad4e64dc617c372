"""A save in SQLite, compared with `executemany` written by hand: 1,000 limits, new and known.

How to read it: rows a second, commit included, and how many times as long the repository takes. By hand
means: the same documents, file settings and conditions on the version, and nothing else: no check that a
document can be read again, no expiry, no conflict found, no note of a parked key.
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

from benchmarks.records import Handler, Limits, handle_all
from benchmarks.results import Figures
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


def measure(*, full: bool) -> Figures:  # noqa: ARG001 - it takes a second
    """Return the rows a second of both, and how many times as long the repository takes."""
    memory = MemoryRepository[Limit]()
    handle_all(Handler(memory), [Limits().batch(range(ROWS), events=1)])
    new = [Change(None, each) for each in memory.scan()]
    known = [Change(each.after, replace(each.after, version=each.after.version + 1)) for each in new]
    saves = {"new limits": compare((), new), "known limits": compare(new, known)}
    return {"rows": ROWS, "rounds": ROUNDS, "saves": saves}


def compare(before: Changes, changes: Changes) -> Figures:
    """Compare a save of changes, each on a new file with what was saved before."""
    files = count()

    def ours() -> Timed:
        repository = SQLiteRepository(Path(folder, f"{next(files)}.db"), Limit)
        repository.save(before)
        return clocked(partial(repository.save, changes), ROWS)

    def by_hand() -> Timed:
        connection = connections.enter_context(closing(sqlite3.connect(Path(folder, f"{next(files)}.db"))))
        connection.executescript(_FILE)
        save_by_hand(connection, before)
        return clocked(partial(save_by_hand, connection, changes), ROWS)

    with TemporaryDirectory() as folder, ExitStack() as connections:
        taken = take_turns({"ours": ours, "by_hand": by_hand}, ROUNDS)
    rates = {name: 1_000_000 / taken.medians(name)["us"] for name in ("ours", "by_hand")}
    return {**rates, "times_by_hand": taken.compared("ours", "by_hand", "us")["ratio"]}
