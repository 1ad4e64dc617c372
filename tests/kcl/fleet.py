"""Workers as processes of their own, on one stream and one store, and what their leases say."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinesis_handler.ingest.record import shard_of
from kinesis_handler.kcl.leases import LeaseTable
from kinesis_handler.lambda_types import LambdaRecord
from stream.real_stream import Stream

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

COMMAND = Path(sys.executable).with_name("kinesis-handler")
ENDED = "SHARD_END"


class Workers:
    """The workers of one stream and one store.

    Args:
        stream: what they read.
        store: the URL of the table of the limits.
        client: reads the leases.
        folder: where each writes what it logs.
        settings: further variables of the environment.
    """

    def __init__(
        self, stream: Stream, store: str, client: "DynamoDBClient", folder: Path, **settings: str
    ) -> None:
        self.leases_in = f"{store.removeprefix('dynamodb://').partition('?')[0]}-{stream.name}-leases"
        self._stream = stream
        self._arguments = [str(COMMAND), "worker", "--stream", stream.name, "--store", store]
        self._client = client
        self._folder = folder
        self._started = 0
        self._environment = {
            **os.environ,
            "STORAGE_TTL": "0",
            "LOG_LEVEL": "info",
            "TERM": "dumb",
            **settings,
        }

    @contextmanager
    def running(self, *arguments: str) -> "Iterator[Worker]":
        """Run a worker until the block ends; what runs then is killed."""
        self._started += 1
        log = self._folder / f"worker-{self._started}.log"
        with (
            log.open("w") as file,
            subprocess.Popen(
                [*self._arguments, *arguments],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=self._environment,
            ) as process,
        ):
            try:
                yield Worker(process, log)
            finally:
                process.kill()

    def owners(self) -> Counter[str]:
        """Return how many open shards each process has, by its id; those that nobody has by the empty id."""
        owners = (each.get("leaseOwner", {}).get("S", "::") for each in self._open_leases().values())
        return Counter(each.split(":")[1] for each in owners)

    def shards_of(self, worker: "Worker") -> int:
        """Return how many open shards a worker has."""
        return self.owners()[str(worker.process.pid)]

    def expire(self, worker: "Worker") -> None:
        """Let the leases of a dead worker expire now: the others would wait for it, half a minute."""
        for lease in self._open_leases().values():
            if (name := lease.get("leaseOwner", {}).get("S", "::")).split(":")[1] == str(worker.process.pid):
                LeaseTable(self._client, self.leases_in).release(name)

    def have_read(self, records: Sequence[LambdaRecord]) -> bool:
        """Tell whether the checkpoints are behind all these records."""
        last: dict[str, int] = {}
        for each in records:
            last[shard_of(each)] = int(each["kinesis"]["sequenceNumber"])
        leases = self._leases()
        closed = {each["ShardId"] for each in self._stream.shards()} - {
            each["ShardId"] for each in self._stream.open_shards()
        }
        for shard, number in last.items():
            checkpoint = leases.get(shard, {}).get("checkpoint", {}).get("S", "")
            is_read = checkpoint == ENDED or (checkpoint.isdigit() and int(checkpoint) >= number)
            if not is_read and (shard in leases or shard not in closed):  # an ended one leaves the table
                return False
        return True

    def _leases(self) -> dict[str, dict[str, dict[str, str]]]:
        try:
            items = self._client.scan(TableName=self.leases_in, ConsistentRead=True)["Items"]
        except self._client.exceptions.ResourceNotFoundException:  # no worker has made it yet
            return {}
        return {each["leaseKey"]["S"]: each for each in items if "leaseKey" in each}  # type: ignore[misc]

    def _open_leases(self) -> dict[str, dict[str, dict[str, str]]]:
        return {name: each for name, each in self._leases().items() if each["checkpoint"]["S"] != ENDED}


class Worker:
    """One of them."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process = process
        self._log = log

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()


def until(condition: Callable[[], object], seconds: float, *workers: Worker) -> float:
    """Wait for what workers do, while each of them runs; return the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, [worker.log()[-3_000:] for worker in workers]
        for worker in workers:
            assert worker.process.poll() is None, worker.log()
        time.sleep(0.1)
    return time.monotonic() - began
