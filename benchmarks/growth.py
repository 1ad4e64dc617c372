"""Whether the cost of an event grows with the store: SQLite files with 1,000 to 1,000,000 limits.

A batch of 1,000 events changes 200 of them, other ones each time. The expected result is a flat line: a time
per event that does not rise.
"""

import io
import tempfile
import time
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.records import handle_all
from benchmarks.results import Figures
from benchmarks.rounds import Timed, clocked, progress, take_turns
from benchmarks.stored_limits import stored_limit
from kinesis_handler import Key, KinesisHandler, configure_logging
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import invocation
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

STORED = (1_000, 10_000, 100_000, 1_000_000)
LIMITS_PER_USER = 4
CHANGED, EVENTS_PER_LIMIT = 200, 5
"""Limits that a batch changes, and the events of each."""
AT_ONCE = 10_000


def measure(*, full: bool) -> Figures:
    """Return the µs per event, and the ratio to the smallest store, by the number of stored limits."""
    configure_logging("benchmark", "info", io.StringIO())
    rounds, random = (9 if full else 3), Random(1)
    # Later than those of the round before.
    numbers = count(time.time_ns() // 1_000)
    with tempfile.TemporaryDirectory() as folder:
        files = {
            limits: filled(Path(folder, f"{limits}.db"), limits)
            for limits in (STORED if full else STORED[:3])
        }

        def changing(limits: int) -> Timed:
            keys = [key_of(index) for index in random.sample(range(limits), CHANGED)]
            handler = KinesisHandler([UserLimitEventProcessor(files[limits])])
            batch = [change(key, next(numbers)) for _ in range(EVENTS_PER_LIMIT) for key in keys]
            return clocked(partial(handle_all, handler, [invocation(batch)]))

        taken = take_turns({str(limits): partial(changing, limits) for limits in files}, rounds)
    stored = {
        str(limits): {
            "us": taken.median(str(limits)) / (CHANGED * EVENTS_PER_LIMIT) * 1_000_000,
            "times_first": taken.compared(str(limits), str(STORED[0])),
        }
        for limits in files
    }
    return {"rounds": rounds, "stored": stored}


def filled(file: Path, limits: int) -> SQLiteRepository[Limit]:
    progress(f"filling a file with {limits:,} limits")
    repository = SQLiteRepository(file, Limit)
    for start in range(0, limits, AT_ONCE):
        indexes = range(start, min(start + AT_ONCE, limits))
        repository.save([stored_limit(*key_of(index), index) for index in indexes])
    return repository


def change(key: Key, number: int) -> dict[str, Any]:
    return {
        "aggregateId": key[0],
        "createdAt": number // 1_000,
        "eventId": f"{key[1]}-change-{number}",
        "payload": {"userId": key[0], "userLimitId": key[1], "amount": "0.25", "currencyCode": "EUR"},
        "sequenceNumber": number,
        "type": "USER_LIMIT_PROGRESS_CHANGED",
    }


def key_of(index: int) -> Key:
    return f"user-{index // LIMITS_PER_USER}", f"limit-{index}"
