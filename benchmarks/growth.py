"""Whether the cost of an event grows with the store, or with the keys of a batch.

* SQLite files with 1,000 to 1,000,000 limits, of which a batch of 1,000 events changes 200.
* Batches of 10,000 records about 1 to 10,000 limits, in memory and in a SQLite file.

The expected result is a flat line: a time per event that does not rise.
"""

import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from benchmarks.hot_path import run_all
from benchmarks.records import Invocation, invocations
from benchmarks.results import Figures
from benchmarks.rounds import Rounds, Timed, clocked, progress, take_turns
from benchmarks.stored_limits import changes, stored_limit
from kinesis_handler import Key, KinesisHandler, configure_logging
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

TOTAL = 10_000
KEYS = (1, 10, 100, 1_000, 10_000)
STORED = (1_000, 10_000, 100_000, 1_000_000)
LIMITS_PER_USER = 4
CHANGED, EVENTS_PER_LIMIT = 200, 5
"""Limits that a batch changes in a filled file, and the events of each."""
AT_ONCE = 10_000

_files = count()
_random = Random(1)


def measure(*, full: bool) -> Figures:
    """Return the µs per event, by each quantity that it could grow with."""
    configure_logging("benchmark", "info", io.StringIO())
    rounds = 9 if full else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "rounds": rounds,
            "events": TOTAL,
            "keys": by_keys(folder, rounds),
            "stored": {"sqlite": by_stored(folder, STORED if full else STORED[:3], rounds)},
        }


def by_keys(folder: Path, rounds: int) -> Figures:
    def in_new_file(batches: Sequence[Invocation]) -> Timed:
        return timed(SQLiteRepository(folder / f"{next(_files)}.db", Limit), batches)

    def in_new_memory(batches: Sequence[Invocation]) -> Timed:
        return timed(MemoryRepository(), batches)

    batches = {str(keys): invocations(1, TOTAL, events_per_limit=TOTAL // keys) for keys in KEYS}
    kinds: dict[str, Callable[[Sequence[Invocation]], Timed]] = {
        "memory": in_new_memory,
        "sqlite": in_new_file,
    }
    return {
        kind: compared(
            take_turns({name: partial(new, each) for name, each in batches.items()}, rounds), batches, TOTAL
        )
        for kind, new in kinds.items()
    }


def by_stored(folder: Path, counts: Sequence[int], rounds: int) -> Figures:
    files = {}
    for limits in counts:
        progress(f"filling a file with {limits:,} limits")
        files[str(limits)] = filled(folder / f"{limits}.db", limits)
    # Later than those of the round before.
    numbers = count(time.time_ns() // 1_000, EVENTS_PER_LIMIT)

    def changing(name: str) -> Timed:
        keys = [key_of(index) for index in _random.sample(range(int(name)), CHANGED)]
        return timed(files[name], [changes(keys, EVENTS_PER_LIMIT, next(numbers))])

    taken = take_turns({name: partial(changing, name) for name in files}, rounds)
    return compared(taken, files, CHANGED * EVENTS_PER_LIMIT)


def filled(file: Path, limits: int) -> SQLiteRepository[Limit]:
    repository = SQLiteRepository(file, Limit)
    for start in range(0, limits, AT_ONCE):
        indexes = range(start, min(start + AT_ONCE, limits))
        repository.save([stored_limit(*key_of(index), index) for index in indexes])
    return repository


def key_of(index: int) -> Key:
    return f"user-{index // LIMITS_PER_USER}", f"limit-{index}"


def timed(repository: Repository[Limit], batches: Sequence[Invocation]) -> Timed:
    return clocked(partial(run_all, KinesisHandler([UserLimitEventProcessor(repository)]), batches))


def compared(taken: Rounds, names: Mapping[str, object], events: int) -> Figures:
    """Return the time of each per event, and its ratio to the first."""
    first = next(iter(names))
    return {
        name: {"us": taken.median(name) / events * 1_000_000, "times_first": taken.compared(name, first)}
        for name in names
    }
