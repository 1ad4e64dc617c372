"""What memory.py runs, each time in a process of its own.

    python memory_run.py FILE               writes an invocation into the file
    python memory_run.py FILE ENDPOINT      handles it with DynamoDB; if the endpoint is empty, in memory

Prints the most bytes that the process has held: before, with the invocation, and after it was handled.
"""

import io
import json
import resource
import sys
import time
from pathlib import Path

from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.event_source import LocalContext
from kinesis_handler.repository import Repository
from kinesis_handler.repository.memory import MemoryRepository
from memory import RECORDS
from records import invocations
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

PARTITION_KEY, SORT_KEY = "userId", "limitId"


def write(file: Path) -> None:
    [invocation] = invocations(1, RECORDS)
    file.write_text(json.dumps(invocation))
    print(sum(len(record["kinesis"]["data"]) for record in invocation["Records"]))


def handle(file: Path, endpoint: str) -> None:
    configure_logging("benchmark", "info", io.StringIO())
    handler = KinesisHandler([UserLimitEventProcessor(repository(endpoint))])
    context = LocalContext(time.monotonic, time.monotonic() + 60)
    started = peak()
    invocation = json.loads(file.read_bytes())  # as Lambda's runtime does
    loaded = peak()
    if handler(invocation, context)["batchItemFailures"]:
        sys.exit("records failed")
    print(started, loaded, peak())


def repository(endpoint: str) -> Repository[Limit]:
    if not endpoint:
        return MemoryRepository()
    from kinesis_handler.repository.dynamodb import (  # noqa: PLC0415 - in memory it is not there
        DynamoDBRepository,
        DynamoDBTable,
        dynamodb_client,
    )

    client = dynamodb_client(endpoint=endpoint)
    name = f"Table-{time.time_ns()}"
    DynamoDBTable(client, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY).create()
    return DynamoDBRepository(client, name, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY)


def peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    place, *endpoint = sys.argv[1:]
    if endpoint:
        handle(Path(place), *endpoint)
    else:
        write(Path(place))
