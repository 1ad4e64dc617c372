"""Events a second of `consume`, one `worker` and two, from four shards of an emulator into DynamoDB Local.

`python -m benchmarks.workers` prints a table, in about five minutes; `--docs` writes it into the page about
workers too. Each contender is started as its user starts it, in processes of its own, on a new stream and a
new table, and finds all records there. Two workers first share the shards of the empty stream, and what they
ask of it then waits until all records are there: else the first one would have read them before the second
one has a lease.

How to read it: the time is that from the first batch that is begun to the last that has ended, by the
processes' own logs. So it has no start of a process, no leases, and nothing of the first gathering: these are
the other columns. "First batch" counts from the start of the process; for two workers, from the moment when
the records are there. The emulators run on the same machine: with few cores the events a second are
mostly theirs. Before the first contender an uncounted one warms them up.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.held_line import HeldLine
from benchmarks.results import ROOT, machine
from benchmarks.rounds import progress
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.writer import MAX_RECORDS, create_stream
from kinesis_handler.stores.dynamodb import dynamodb_connection
from testkit.arguments import positive
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.kinesis_local import kinesis_local
from testkit.emulators.local_settings import use_local_settings
from testkit.synthetic_users import SyntheticEvent, SyntheticUsers
from user_limits.wiring import application

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

SHARDS, USERS = 4, 16_667
"""Three limits of each user make fifty thousand, as where the units of gathering are measured."""
GATHERING = ("--gather", "10s", "--remember-mb", "64")
CONTENDERS = {"`consume`": ("consume", 1), "one `worker`": ("worker", 1), "two `worker`s": ("worker", 2)}
WARM_UP = 1_000
PATIENCE, GRACE = 240.0, 40.0
"""Seconds for each step of a contender, and for the end of a process."""
PAGE = ROOT / "docs" / "how-to" / "workers.md"
MARKED = re.compile(r"(<!-- python -m benchmarks\.workers -->\n).*?(<!-- end of measured -->)", re.DOTALL)


@dataclass
class Measured:
    """Seconds that a contender took until the leases were shared, until the first batch, and from then on."""

    leases: float | None
    first: float
    seconds: float
    batches: int


class Lab:
    """The emulators, the records, and a folder for what the processes log."""

    def __init__(
        self,
        kinesis: "KinesisClient",
        line: HeldLine,
        dynamodb: str,
        events: Sequence[SyntheticEvent],
        folder: Path,
    ) -> None:
        self._kinesis, self._line, self._events, self._folder = kinesis, line, events, folder
        self._dynamodb: DynamoDBClient = dynamodb_connection(endpoint=dynamodb).client
        self._environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_KINESIS": line.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
            "KINESIS_HANDLER_APP": "user_limits.wiring:application",
            "LOG_LEVEL": "info",
            "STORAGE_TTL": "0",
        }
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb  # of the table that is made here

    def measure(self, name: str, command: str, processes: int, options: Sequence[str]) -> Measured:
        """Let a contender handle all records; say what it took."""
        stream, table = f"facts-{name}", f"Limits-{name}"
        create_stream(self._kinesis, stream, SHARDS)
        if (store := application({"STORAGE_TTL": "0"}, f"dynamodb://{table}").store) is not None:
            store.provision()
        logs = [self._folder / f"{stream}-{each}.log" for each in range(processes)]
        arguments = [command, "--stream", stream, "--store", f"dynamodb://{table}", *options]
        leases = None
        if processes == 1:
            self._put(stream)
        with ExitStack() as stack:
            began = time.time()
            running = [stack.enter_context(self._running(arguments, log)) for log in logs]
            if processes > 1:
                until(lambda: self._owners(f"{table}-{stream}-leases") == processes, running, logs)
                leases = time.time() - began
                self._line.hold()
                self._put(stream)
                self._line.release()
                began = time.time()
            until(lambda: applied(batches(logs)) == len(self._events), running, logs)
        self._kinesis.delete_stream(StreamName=stream)  # else the emulator has the records of all
        handled = batches(logs)
        ends = [datetime.fromisoformat(each["time"]).timestamp() for each in handled]
        first = min(end - each["duration_ms"] / 1_000 for end, each in zip(ends, handled, strict=True))
        return Measured(leases, first - began, max(ends) - first, len(handled))

    def _put(self, stream: str) -> None:
        for begin in range(0, len(self._events), MAX_RECORDS):
            part = self._events[begin : begin + MAX_RECORDS]
            records: Any = [{"Data": each.data, "PartitionKey": each.partition_key} for each in part]
            if self._kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"]:
                sys.exit("kinesis-local refused records")

    def _owners(self, leases: str) -> int:
        """Return how many processes have the shards among them: each the same number."""
        try:
            items: Any = self._dynamodb.scan(TableName=leases, ConsistentRead=True)["Items"]
        except self._dynamodb.exceptions.ResourceNotFoundException:  # no worker has made it yet
            return 0
        shares = Counter(each["leaseOwner"]["S"] for each in items if "leaseOwner" in each)
        return len(shares) if set(shares.values()) == {SHARDS // len(shares or [0])} else 0

    @contextmanager
    def _running(self, arguments: Sequence[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
        command = [str(Path(sys.executable).with_name("kinesis-handler")), *arguments]
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own
                command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=file
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(
    done: Callable[[], bool], running: "Sequence[subprocess.Popen[bytes]]", logs: Sequence[Path]
) -> None:
    """Wait for what processes do, while each of them runs."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline or any(each.poll() is not None for each in running):
            sys.exit(
                "it did not end in time, or a process ended:\n"
                + "".join(each.read_text()[-2_000:] for each in logs)
            )
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


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--records", type=positive, default=20_000, help="records of each contender")
    parser.add_argument(
        "--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)} too"
    )
    options = parser.parse_args()
    use_local_settings()
    users, now = SyntheticUsers(1, USERS), time.time_ns() // 1_000_000
    events = [users.event(now) for _ in range(options.records)]
    rows = [
        "| | events a second | batches | first batch after | leases shared after |",
        "|---|---:|---:|---:|---:|",
    ]
    with (
        TemporaryDirectory() as folder,
        kinesis_local() as kinesis,
        dynamodb_local(briefly=False) as dynamodb,
        HeldLine(kinesis).open() as line,
    ):
        client = kinesis_client(endpoint=kinesis)
        progress("warm-up")
        Lab(client, line, dynamodb, events[:WARM_UP], Path(folder)).measure("warm-up", "consume", 1, ())
        lab = Lab(client, line, dynamodb, events, Path(folder))
        for number, (name, (command, processes)) in enumerate(CONTENDERS.items()):
            for gathered in (False, True):
                shown = f"{name}, gathered 10 s" if gathered else name
                progress(shown)
                got = lab.measure(
                    f"{number}{'-gathered' * gathered}", command, processes, GATHERING if gathered else ()
                )
                leases = "" if got.leases is None else f"{got.leases:.0f} s"
                speed = f"{options.records / got.seconds:,.0f}"
                rows.append(f"| {shown} | {speed} | {got.batches} | {got.first:.1f} s | {leases} |")
    on = machine()
    where = f"{on['cpu']}, {on['cores']} cores shared by the emulators, {on['system']}, Python {on['python']}"
    text = "\n".join([*rows, "", f"{options.records:,} records, on {on['date']}: {where}."])
    print(text)
    if options.docs:
        PAGE.write_text(MARKED.sub(lambda mark: f"{mark[1]}\n{text}\n\n{mark[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
