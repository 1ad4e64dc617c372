"""Stores with many limits: a SQLite file, and a table in DynamoDB Local."""

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from benchmarks.records import Invocation
from benchmarks.rounds import progress
from benchmarks.stored_limits import changes, stored_limit
from kinesis_handler import Key
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb import DynamoDBRepository, DynamoDBTable, dynamodb_connection
from kinesis_handler.stores.sqlite import SQLiteRepository
from user_limits.limit import Limit

LIMITS_PER_USER = 4
CHANGED = 200
EVENTS_PER_LIMIT = 5
EVENTS = CHANGED * EVENTS_PER_LIMIT
"""Number of limits that a batch changes."""

AT_ONCE = 10_000
PUTS = 25
FILLING = 900.0
"""Seconds within which a table must be filled: a slow machine gets fewer limits."""

CLIENTS = 2
"""Number of clients that fill a table at the same time."""

PARTITION_KEY, SORT_KEY = "userId", "limitId"

HEADERS = {
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=none",
}

_tables = count(1)


class KnownLimits:
    """A store with a number of limits, and batches that change some of them."""

    def __init__(self, repository: Repository[Limit], limits: int) -> None:
        self.repository = repository
        self._limits = limits
        self._random = Random(1)
        # Later than those of all batches of other instances.
        self._numbers = count(time.time_ns() // 1_000, EVENTS_PER_LIMIT)

    def batch(self) -> Invocation:
        """Make a batch that changes random limits of the store, with equally many new events each."""
        indexes = self._random.sample(range(self._limits), CHANGED)
        return changes([key_of(index) for index in indexes], EVENTS_PER_LIMIT, next(self._numbers))


def key_of(index: int) -> Key:
    return f"user-{index // LIMITS_PER_USER}", f"limit-{index}"


@contextmanager
def filled_file(file: Path, limits: int) -> Iterator[KnownLimits]:
    """Create a SQLite file with a number of limits."""
    repository = SQLiteRepository(file, Limit)
    for start in range(0, limits, AT_ONCE):
        indexes = range(start, min(start + AT_ONCE, limits))
        repository.save([stored_limit(*key_of(index), index) for index in indexes])
    yield KnownLimits(repository, limits)


class FilledTable:
    """A table in DynamoDB Local, filled by a minimal client: an SDK would take twice the time."""

    def __init__(self, endpoint: str) -> None:
        connection = dynamodb_connection(endpoint=endpoint)
        self._name = f"Filled-{next(_tables)}"
        DynamoDBTable(connection, self._name, partition_key=PARTITION_KEY, sort_key=SORT_KEY).create()
        self._repository = DynamoDBRepository(
            connection, self._name, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY
        )
        self._repository.save([stored_limit("USER", "LIMIT", 1)])
        key = {PARTITION_KEY: {"S": "USER"}, SORT_KEY: {"S": "LIMIT"}}
        item = connection.client.get_item(TableName=self._name, Key=key)["Item"]
        self._put = json.dumps({"PutRequest": {"Item": item}})
        self._address = urlsplit(endpoint).netloc
        self._held = 0

    def fill(self, limits: int) -> int:
        """Put limits until their number is reached, or it takes too long; return how many there are."""
        until = time.monotonic() + FILLING
        with ThreadPoolExecutor(CLIENTS) as threads:
            while self._held < limits and time.monotonic() < until:
                indexes = range(self._held, min(self._held + AT_ONCE, limits))
                shares = [indexes[number::CLIENTS] for number in range(CLIENTS)]
                for done in [threads.submit(self._put_all, share) for share in shares]:
                    done.result()
                self._held = indexes.stop
                progress(f"{self._held:,} of {limits:,} limits are in the table")
        return self._held

    def limits(self) -> KnownLimits:
        """Return batches that change the limits in the table."""
        return KnownLimits(self._repository, self._held)

    def _put_all(self, indexes: Sequence[int]) -> None:
        with closing(http.client.HTTPConnection(self._address)) as connection:
            for start in range(0, len(indexes), PUTS):
                puts = ",".join(map(self._put_of, indexes[start : start + PUTS]))
                connection.request("POST", "/", f'{{"RequestItems":{{"{self._name}":[{puts}]}}}}', HEADERS)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != http.client.OK or b'"UnprocessedItems":{}' not in text:
                    raise ValueError(text)

    def _put_of(self, index: int) -> str:
        user, limit = key_of(index)
        return self._put.replace("USER", user, 2).replace("LIMIT", limit, 2)
