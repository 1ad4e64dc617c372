"""Whether the cost of an event grows with the store: SQLite files with 1,000 to 1,000,000 limits.

A batch of 1,000 events changes 200 of them, other ones each time. The expected result is a flat line: a time
per event that does not rise.
"""

import tempfile
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.records import EVENTS_PER_LIMIT, Handler, Limits, handle_all
from benchmarks.results import Figures
from benchmarks.rounds import Timed, clocked, progress, take_turns
from kinesis_handler.stores.sqlite import SQLiteRepository
from user_limits.limit import Limit

STORED = (1_000, 10_000, 100_000, 1_000_000)
CHANGED = 200
"""Limits that a batch changes."""
AT_ONCE = 10_000


class Filled:
    """A file with limits, and a handler that changes them."""

    def __init__(self, file: Path, stored: int) -> None:
        progress(f"filling a file with {stored:,} limits")
        self._stored, self._limits, self._random = range(stored), Limits(), Random(1)
        self._handler = Handler(SQLiteRepository(file, Limit))
        parts = (self._stored[start : start + AT_ONCE] for start in range(0, stored, AT_ONCE))
        handle_all(self._handler, (self._limits.batch(part, events=1) for part in parts))

    def prepare(self) -> Timed:
        """Make a batch."""
        batch = self._limits.batch(self._random.sample(self._stored, CHANGED))
        return clocked(partial(handle_all, self._handler, [batch]), CHANGED * EVENTS_PER_LIMIT)


def measure(*, full: bool) -> Figures:
    """Return the µs per event, and the ratio to the smallest store, by the number of stored limits."""
    rounds = 9 if full else 3
    with tempfile.TemporaryDirectory() as folder:
        sizes = STORED if full else STORED[:3]
        files = {str(stored): Filled(Path(folder, f"{stored}.db"), stored).prepare for stored in sizes}
        taken = take_turns(files, rounds)
    first, *_ = files
    stored = {
        each: {"us": taken.medians(each)["us"], "times_first": taken.compared(each, first, "us")}
        for each in files
    }
    return {"rounds": rounds, "stored": stored}
