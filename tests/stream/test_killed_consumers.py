"""Nothing lost, nothing counted twice: consumers are killed while the stream is written and resharded."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from clean_pass import check_limits, check_quarantines
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores import ReadableRepository
from stream.processes import PATIENCE, Command, until
from stream.producer import Producer
from stream.real_stream import Stream
from user_limits.limit import Limit
from user_limits.wiring import application

if TYPE_CHECKING:
    from kinesis_handler.lambda_types import LambdaRecord

SHARDS, USERS, ROUNDS = 4, 30, 20
RESHARDED_IN = {4: "split", 8: "merge", 12: "split", 16: "merge"}
KILLS = 2


class Producing(Thread):
    """Puts a seeded stream, and splits and merges shards in between.

    Args:
        stream: where to.
        seed: what decides.
        reshard: what happens to the shards in which round.
        rounds: how many.
        pause: seconds between two of them.
    """

    def __init__(
        self,
        stream: Stream,
        seed: int,
        *,
        reshard: Mapping[int, str] = RESHARDED_IN,
        rounds: int = ROUNDS,
        pause: float = 0,
    ) -> None:
        super().__init__(daemon=True)
        self.put: list[LambdaRecord] = []
        """All records, in the order in which they were put."""
        self._stream = stream
        self._reshard = reshard
        self._rounds = rounds
        self._pause = pause
        self._random = Random(seed)
        self._producer = Producer(seed, USERS)

    def run(self) -> None:
        for number in range(self._rounds):
            self.put += self._stream.put_at_once(self._producer.round())
            time.sleep(self._pause)
            what = self._reshard.get(number)
            shards = [each["ShardId"] for each in self._stream.open_shards()] if what else []
            if what == "split":
                self._stream.split(self._random.choice(shards))
            elif what == "merge":
                first = self._random.randrange(len(shards) - 1)
                self._stream.merge(shards[first], shards[first + 1])


def limits_of(store: str) -> ReadableRepository[Limit]:
    """Open a store as another process does; its table is made if that is needed."""
    built = application({"STORAGE_TTL": "0"}, store)
    assert built.store
    built.store.provision()
    repository: ReadableRepository[Limit] = built.views[0].repository
    return repository


def applied(limits: ReadableRepository[Limit]) -> int:
    """Return how many events have been applied so far."""
    return sum(each.version for each in limits.scan())


@pytest.fixture
def stores(tmp_path: Path, dynamodb_endpoint: str) -> dict[str, str]:
    return {
        "sqlite": f"sqlite:///{tmp_path / 'limits.db'}",
        "dynamodb": f"dynamodb://{tmp_path.name}?endpoint={dynamodb_endpoint}",
    }


@pytest.mark.parametrize(("store", "seed"), [("sqlite", 1), ("dynamodb", 2)])
def test_the_state_is_that_of_one_clean_pass_and_all_that_failed_is_kept(  # noqa: PLR0913, PLR0917 - fixtures
    make_stream: Callable[[int], Stream],
    kinesis_endpoint: str,
    stores: dict[str, str],
    tmp_path: Path,
    store: str,
    seed: int,
) -> None:
    stream, limits, random = make_stream(SHARDS), limits_of(stores[store]), Random(seed)
    quarantine = tmp_path / "quarantine"
    command = Command(
        stream, kinesis_endpoint, stores[store], QUARANTINE_URL=quarantine.as_uri(), PARK_AFTER="never"
    )
    arguments = ("--batch-size", "20", "--retries", "0")

    producing = Producing(stream, seed)
    producing.start()
    interrupted = 0
    for _ in range(KILLS):
        before = applied(limits)
        some_more = before + random.randint(1, 150)
        with command.running(*arguments) as process:
            until(lambda: applied(limits) >= some_more, process)  # noqa: B023 - it is called at once
            process.kill()
        interrupted += applied(limits) > before
    producing.join(PATIENCE)
    assert not producing.is_alive()
    assert len(producing.put) == USERS * ROUNDS
    assert interrupted == KILLS

    last = command.run(*arguments, "--until-caught-up")
    assert last.returncode in {0, 1}, last.stderr
    check_limits(limits, producing.put)
    check_quarantines([DirectoryQuarantine(quarantine)], producing.put)
