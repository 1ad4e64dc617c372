"""Events a second of `consume`, one `worker` and two, from four shards of an emulator into DynamoDB Local.

Each contender is started as its user starts it, in processes of its own, on a new stream and a new table, and
finds all records there. Two workers first share the shards of the empty stream, and what they ask of it then
waits until all records are there: else the first one would have read them before the second one has a lease.
Before the first contender an uncounted one warms the emulators up.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from benchmarks.results import ROOT, Figures
from benchmarks.rounds import one_by_one
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.writer import MAX_RECORDS, create_stream
from kinesis_handler.stores.dynamodb import dynamodb_connection
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.kinesis_local import kinesis_local
from testkit.emulators.line import Line, line_to
from testkit.synthetic_users import SyntheticEvent, SyntheticUsers
from user_limits.wiring import application

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

SHARDS, USERS = 4, 16_667
"""Three limits of each user make fifty thousand, as where the units of gathering are measured."""
WARM_UP = 1_000
PATIENCE = 240.0
"""Seconds for each step of a contender."""

GATHERED = ("--gather", "10s", "--remember-mb", "64")
Contender = tuple[int, Sequence[str]]
"""In how many processes which command runs."""

CONTENDERS: dict[str, Contender] = {
    "`consume`": (1, ["consume"]),
    "`consume`, gathered 10 s": (1, ["consume", *GATHERED]),
    "one `worker`": (1, ["worker"]),
    "one `worker`, gathered 10 s": (1, ["worker", *GATHERED]),
    "two `worker`s": (2, ["worker"]),
    "two `worker`s, gathered 10 s": (2, ["worker", *GATHERED]),
}

_numbers = count()


class Lab(NamedTuple):
    """Clients of the emulators, and the line by which contenders read the stream."""

    kinesis: "KinesisClient"
    line: Line
    dynamodb: "DynamoDBClient"


def measure(*, full: bool) -> Figures:
    """Return the events a second of each contender, its batches, and the seconds that go by before them."""
    users, now = SyntheticUsers(1, USERS), time.time_ns() // 1_000_000
    events = [users.event(now) for _ in range(20_000 if full else 12_000)]
    with kinesis_local() as kinesis, dynamodb_local(briefly=False) as dynamodb, line_to(kinesis) as line:
        os.environ |= {
            "AWS_ENDPOINT_URL_KINESIS": line.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
            "KINESIS_HANDLER_APP": "user_limits.wiring:application",
            "LOG_LEVEL": "info",
            "STORAGE_TTL": "0",
        }
        lab = Lab(kinesis_client(endpoint=kinesis), line, dynamodb_connection(endpoint=dynamodb).client)
        run(lab, events[:WARM_UP], (1, ["consume"]))
        measured = one_by_one(CONTENDERS, partial(run, lab, events))
    return {"records": len(events), "contenders": measured}


def run(lab: Lab, events: Sequence[SyntheticEvent], contender: Contender) -> Figures:
    """Let a contender handle all records, and return its figures."""
    number, (processes, command) = next(_numbers), contender
    stream, table = f"facts-{number}", f"Limits-{number}"
    create_stream(lab.kinesis, stream, SHARDS)
    application(os.environ, f"dynamodb://{table}").store.provision()  # type: ignore[union-attr]
    arguments = [*command, "--stream", stream, "--store", f"dynamodb://{table}"]
    leases = None
    if processes == 1:
        put(lab.kinesis, stream, events)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        logs = [Path(folder, f"{each}.log") for each in range(processes)]
        begun = time.time()
        running = [stack.enter_context(started(arguments, log)) for log in logs]
        if processes > 1:
            until(lambda: owners(lab.dynamodb, f"{table}-{stream}-leases") == processes, running, logs)
            leases = time.time() - begun
            with lab.line.held():
                put(lab.kinesis, stream, events)
            begun = time.time()
        until(lambda: applied(batches(logs)) == len(events), running, logs)
        handled = batches(logs)
    lab.kinesis.delete_stream(StreamName=stream)  # else the emulator has the records of all
    ends = [datetime.fromisoformat(each["time"]).timestamp() for each in handled]
    first = min(end - each["duration_ms"] / 1_000 for end, each in zip(ends, handled, strict=True))
    speed = len(events) / (max(ends) - first)
    return {"rate": speed, "batches": len(handled), "first": first - begun, "leases": leases}


def put(kinesis: "KinesisClient", stream: str, events: Sequence[SyntheticEvent]) -> None:
    records: Any = [{"Data": each.data, "PartitionKey": each.partition_key} for each in events]
    for begin in range(0, len(records), MAX_RECORDS):
        part = records[begin : begin + MAX_RECORDS]
        if kinesis.put_records(StreamName=stream, Records=part)["FailedRecordCount"]:
            sys.exit("kinesis-local refused records")


def owners(dynamodb: "DynamoDBClient", leases: str) -> int:
    """Return how many processes have the shards among them: each the same number."""
    try:
        items: Any = dynamodb.scan(TableName=leases, ConsistentRead=True)["Items"]
    except dynamodb.exceptions.ResourceNotFoundException:  # no worker has made it yet
        return 0
    shares = Counter(each["leaseOwner"]["S"] for each in items if "leaseOwner" in each)
    return len(shares) if set(shares.values()) == {SHARDS // len(shares or [0])} else 0


@contextmanager
def started(arguments: Sequence[str], log: Path) -> Iterator["Popen[bytes]"]:
    """Run the command line, which logs into a file."""
    command = [str(Path(sys.executable).with_name("kinesis-handler")), *arguments]
    with log.open("wb") as file, Popen(command, cwd=ROOT, stdout=DEVNULL, stderr=file) as process:  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.terminate()


def until(done: Callable[[], bool], running: Sequence["Popen[bytes]"], logs: Sequence[Path]) -> None:
    """Wait for what processes do, while each of them runs."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline or any(each.poll() is not None for each in running):
            ends = "".join(each.read_text()[-2_000:] for each in logs)
            sys.exit(f"it did not end in time, or a process ended:\n{ends}")
        time.sleep(0.2)


def batches(logs: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what the processes have logged of each batch so far."""
    lines = (line for log in logs for line in log.read_bytes().splitlines(keepends=True))
    return [
        msgspec.json.decode(each) for each in lines if b'"batch handled"' in each and each.endswith(b"}\n")
    ]


def applied(handled: Sequence[dict[str, Any]]) -> int:
    """Return how many events these batches have applied: each one is applied once, however often it comes."""
    return sum(each.get("applied", 0) for each in handled)
