"""Whether the cost of an event grows with the batch, with the store, or with the keys of a batch.

* Batches of 10 to 10,000 records in memory, each with five events per limit.
* Stores with 1,000 to 1,000,000 limits, of which a batch of 1,000 events changes 200: a SQLite file, and a
  table in DynamoDB Local, which takes time to fill. See growth_stores.py.
* Batches of 10,000 records about 1 to 10,000 limits, in memory and in a SQLite file.

Compared variants take turns: see rounds.py. The expected result is a flat line: a time per event that does
not rise.
"""

import io
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.growth_stores import EVENTS, FilledTable, KnownLimits, filled_file
from benchmarks.hot_path import run_all
from benchmarks.records import Invocation, invocations
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, Rounds, Timed, clocked, progress, take_turns
from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

TOTAL = 10_000
BATCH_SIZES = (10, 100, 1_000, 10_000)
KEYS = (1, 10, 100, 1_000, 10_000)

FEW, MANY = (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000)
FEW_ITEMS = (1_000, 10_000)

_files = count()


def measure(*, full: bool) -> Figures:
    """Return the µs per event, by each quantity that it could grow with."""
    use_local_settings()
    configure_logging("benchmark", "info", io.StringIO())
    rounds = 9 if full else 3
    return {
        "rounds": rounds,
        "events": TOTAL,
        "batch_sizes": by_batch_size(rounds),
        "keys": by_keys(rounds),
        "stored": {
            "sqlite": by_stored_in_sqlite(MANY if full else FEW, rounds),
            "dynamodb": by_stored_in_dynamodb(MANY if full else FEW_ITEMS, rounds),
        },
    }


def by_batch_size(rounds: int) -> Figures:
    batches = {str(size): invocations(TOTAL // size, size) for size in BATCH_SIZES}
    in_memory = {name: partial(in_new_memory, each) for name, each in batches.items()}
    return compared(take_turns(in_memory, rounds), batches, TOTAL)


def by_keys(rounds: int) -> Figures:
    batches = {str(keys): invocations(1, TOTAL, events_per_limit=TOTAL // keys) for keys in KEYS}
    in_memory = {name: partial(in_new_memory, each) for name, each in batches.items()}
    with tempfile.TemporaryDirectory() as folder:
        in_files = {name: partial(in_new_file, Path(folder), each) for name, each in batches.items()}
        return {
            "memory": compared(take_turns(in_memory, rounds), batches, TOTAL),
            "sqlite": compared(take_turns(in_files, rounds), batches, TOTAL),
        }


def by_stored_in_sqlite(counts: tuple[int, ...], rounds: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stores: dict[str, KnownLimits] = {}
        for count in counts:
            progress(f"filling a file with {count:,} limits")
            file = filled_file(Path(folder, f"{count}.db"), count)
            stores[str(count)] = stack.enter_context(file)
        return compared(take_turns(changing(stores), rounds), stores, EVENTS)


def by_stored_in_dynamodb(counts: tuple[int, ...], rounds: int) -> Figures:
    """Fill one table step by step, and compare it each time with one that stays at its first size."""
    smallest = str(counts[0])
    figures: Figures = {}
    with dynamodb_local(briefly=False) as endpoint:
        small, large = FilledTable(endpoint), FilledTable(endpoint)
        small.fill(counts[0])
        for count in counts:
            progress(f"filling a table with {count:,} limits")
            held = str(large.fill(count))
            stores = {smallest: small.limits(), held: large.limits()}
            figures |= {held: compared(take_turns(changing(stores), rounds), stores, EVENTS)[held]}
    return figures


def in_new_memory(batches: list[Invocation]) -> Timed:
    return prepare(MemoryRepository(), batches)


def in_new_file(folder: Path, batches: list[Invocation]) -> Timed:
    return prepare(SQLiteRepository(folder / f"{next(_files)}.db", Limit), batches)


def in_known(limits: KnownLimits) -> Timed:
    """Change stored limits, different ones each time."""
    return prepare(limits.repository, [limits.batch()])


def prepare(repository: Repository[Limit], batches: list[Invocation]) -> Timed:
    return clocked(partial(run_all, KinesisHandler([UserLimitEventProcessor(repository)]), batches))


def changing(stores: Mapping[str, KnownLimits]) -> dict[str, Prepare]:
    return {name: partial(in_known, each) for name, each in stores.items()}


def compared(taken: Rounds, names: Mapping[str, object], events: int) -> Figures:
    """Return the time of each per event, and its ratio to the first."""
    first = next(iter(names))
    return {
        name: {"us": taken.median(name) / events * 1_000_000, "times_first": taken.compared(name, first)}
        for name in names
    }
