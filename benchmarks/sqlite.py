"""SQLite: a save beside `executemany` written by hand, and whether events take longer as a store grows."""

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from msgspec.json import encode
from msgspec.structs import replace

from benchmarks.records import EVENTS_PER_LIMIT, Handler, Limits, handle_all
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, Timed, clocked, progress, take_turns
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from user_limits.limit import Limit

ROWS, ROUNDS = 1_000, 20

STORED = (1_000, 10_000, 100_000, 1_000_000)
CHANGED = 200
"""Limits that a batch changes."""
AT_ONCE = 10_000

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


def save_by_hand(connection: sqlite3.Connection, changes: Changes) -> None:
    new = [each.after for each in changes if each.before is None]
    known = [(each.before, each.after) for each in changes if each.before is not None]
    with connection:
        connection.executemany(_INSERT, [(*each.key, each.version, encode(each).decode()) for each in new])
        rows = [(to.version, encode(to).decode(), *to.key, before.version) for before, to in known]
        connection.executemany(_UPDATE, rows)


def measure_growth(*, full: bool) -> Figures:
    """Return the µs per event, and the ratio to the smallest store, by the number of stored limits."""
    rounds, sizes = (9, STORED) if full else (3, STORED[:3])
    with TemporaryDirectory() as folder:
        taken = take_turns({str(stored): filled(folder, stored) for stored in sizes}, rounds)
    first = str(sizes[0])
    stored = {
        each: {"us": taken.medians(each)["us"], "times_first": taken.compared(each, first, "us")}
        for each in taken.taken
    }
    return {"rounds": rounds, "stored": stored}


def filled(folder: str, stored: int) -> Prepare:
    """Make a file with limits, and return what makes a batch that changes some of them."""
    progress(f"filling a file with {stored:,} limits")
    all_limits, limits, random = range(stored), Limits(), Random(1)
    handler = Handler(SQLiteRepository(Path(folder, f"{stored}.db"), Limit))
    parts = (all_limits[start : start + AT_ONCE] for start in range(0, stored, AT_ONCE))
    handle_all(handler, (limits.batch(part, events=1) for part in parts))

    def prepare() -> Timed:
        batch = limits.batch(random.sample(all_limits, CHANGED))
        return clocked(partial(handle_all, handler, [batch]), CHANGED * EVENTS_PER_LIMIT)

    return prepare
