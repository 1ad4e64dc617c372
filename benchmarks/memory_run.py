"""The program that memory.py runs, each time in a separate process.

    python -m benchmarks.memory_run FILE                   writes an invocation into the file
    python -m benchmarks.memory_run FILE memory            handles it in memory
    python -m benchmarks.memory_run FILE powertools        lets the peer handle it, in memory too
    python -m benchmarks.memory_run FILE ENDPOINT          handles it with DynamoDB, which must be running

Prints the peak memory of the process in bytes: before, with the invocation, and after it was handled.
"""

import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.records import invocations
from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

RECORDS = 10_000
PARTITION_KEY, SORT_KEY = "userId", "limitId"


def write(file: Path) -> None:
    [invocation] = invocations(1, RECORDS)
    file.write_text(json.dumps(invocation))
    print(sum(len(record["kinesis"]["data"]) for record in invocation["Records"]), file.stat().st_size)


def handle(file: Path, how: str) -> None:
    configure_logging("benchmark", "info", io.StringIO())
    function = made(how)
    context = LocalContext(time.monotonic, time.monotonic() + 60)
    started = peak()
    invocation = json.loads(file.read_bytes())  # as Lambda's runtime does
    loaded = peak()
    if function(invocation, context)["batchItemFailures"]:
        sys.exit("records failed")
    print(started, loaded, peak())


def made(how: str) -> Callable[[Any, Any], Any]:
    """Return the function to be measured. Modules that it does not need are not imported."""
    match how:
        case "memory":
            return KinesisHandler([UserLimitEventProcessor(MemoryRepository())])
        case "powertools":
            from benchmarks.powertools_peer import PowertoolsPeer  # noqa: PLC0415

            return PowertoolsPeer()
    return KinesisHandler([UserLimitEventProcessor(in_a_table(how))])


def in_a_table(endpoint: str) -> Repository[Limit]:
    from kinesis_handler.stores.dynamodb import (  # noqa: PLC0415
        DynamoDBRepository,
        DynamoDBTable,
        dynamodb_connection,
    )

    connection = dynamodb_connection(endpoint=endpoint)
    name = f"Table-{time.time_ns()}"
    DynamoDBTable(connection, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY).create()
    return DynamoDBRepository(connection, name, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY)


def peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    path, *how = sys.argv[1:]
    if how:
        handle(Path(path), *how)
    else:
        write(Path(path))
