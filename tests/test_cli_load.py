"""`load`: events at a rate, how old they get, and what fails."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import Struct

from kinesis_handler import BusinessError, Event, KinesisHandler, RepositoryError
from kinesis_handler.application import Application
from kinesis_handler.batch import Batch
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.stop import Stop, Stopped
from kinesis_handler.local.stream.writer import StreamWriter, create_stream
from kinesis_handler.outcome import not_applied
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from stream.processes import until
from testkit.load.ages import STEP, Ages
from testkit.load.run import LoadRun
from testkit.load.target import RealStream, ShardInMemory
from testkit.synthetic_users import SyntheticEvent, SyntheticUsers
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

COMMAND = Path(sys.executable).with_name("kinesis-handler")
STREAMS = (f"load-{number}" for number in count())
PATIENCE = 60


def quiet(**settings: str) -> dict[str, str]:
    return {**os.environ, "LOG_LEVEL": "error", "TERM": "dumb", **settings}


def load(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testkit.load", *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=quiet(**settings),
        timeout=PATIENCE,
    )


class Time:
    """A clock that goes on only when somebody sleeps, or takes his time."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Slow:
    """A target that takes its time for each event, and applies it."""

    def __init__(self, clock: Time, seconds: float) -> None:
        self.ages = Ages()
        self.batches: list[Sequence[SyntheticEvent]] = []
        self._clock = clock
        self._seconds = seconds

    def take(self, events: Sequence[SyntheticEvent]) -> None:
        self._clock.sleep(self._seconds * len(events))
        self.batches.append(events)
        self.ages.add(self._clock() * 1_000 - each.created_at for each in events)

    def finish(self) -> None:
        pass

    def failed(self) -> int:
        return 0

    def figures(self) -> dict[str, Any]:
        return {}


def run(target: Slow, clock: Time, *, rate: int, seconds: float) -> LoadRun:
    done = LoadRun(SyntheticUsers(1, 10), target, rate, clock, clock.sleep)
    done.run(seconds)
    return done


def test_events_are_sent_at_the_rate_and_each_is_as_old_as_it_was_late() -> None:
    clock = Time()
    target = Slow(clock, 0)
    done = run(target, clock, rate=100, seconds=10)
    assert (done.sent, round(done.seconds)) == (1_000, 10)
    times = [each.created_at for batch in target.batches for each in batch]
    assert [after - before for before, after in pairwise(times)] == [10] * 999
    assert done.figures()["age_ms"]["p99"] < 70


def test_where_the_target_is_too_slow_events_are_late_and_none_is_left_out() -> None:
    clock = Time()
    done = run(Slow(clock, 0.02), clock, rate=100, seconds=10)
    assert done.sent == 1_000
    assert 19 < done.seconds < 21
    assert 9_000 < done.figures()["age_ms"]["p99"] < 16_000


def test_an_age_is_reported_a_twentieth_too_high_at_most() -> None:
    ages = Ages()
    ages.add(range(1_000))
    for share in (0.01, 0.5, 0.99, 1):
        told = ages.within(share)
        assert told is not None
        assert share * 1_000 - 1 <= told <= share * 1_000 * STEP + 1
    assert Ages().within(0.5) is None


@pytest.mark.other_programs
def test_in_memory_all_events_are_applied_and_their_age_is_reported() -> None:
    done = load("--rate", "500", "--for", "1s", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["sent"], told["failed"], told["outcomes"]["applied"]) == (500, 0, 500)
    assert 0 < told["age_ms"]["p50"] <= told["age_ms"]["p99"]


@pytest.mark.other_programs
def test_a_disk_that_is_full_ends_it_at_once_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "limits.db"
    SQLiteRepository(file, Limit)
    limited = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); os.execv(sys.argv[1], sys.argv[1:])"
    )
    arguments = ["-m", "testkit.load", "--rate", "1000", "--for", "1h", "--store", f"sqlite:///{file}"]
    done = subprocess.run(
        [sys.executable, "-c", limited, sys.executable, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=quiet(LOG_LEVEL="error"),
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert re.search(rf"^Error: SQLite, {file}: .*\. The load has ended$", done.stderr, re.MULTILINE)


class Down:
    """A handler whose every delivery fails; it counts them."""

    def __init__(self, error: Exception, stop: Stop) -> None:
        self.deliveries = 0
        self._error = error
        self._stop = stop

    def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:
        self.deliveries += 1
        if self.deliveries == 2:
            self._stop.set()
        batch.settle(dict.fromkeys(events, not_applied(self._error)))

    event_types: ClassVar[Mapping[str, type[Struct]]] = UserLimitEventProcessor.event_types


def failing(error: Exception) -> tuple[Down, ShardInMemory]:
    stop = Stop()
    down = Down(error, stop)
    return down, ShardInMemory(Application(KinesisHandler([down]), []), stop)


def test_a_store_that_is_down_is_not_waited_for() -> None:
    down, target = failing(RepositoryError("the disk is full"))
    with pytest.raises(RepositoryError, match=r"^the disk is full\. The load has ended$"):
        target.take([SyntheticUsers(1, 10).event(1)])
    assert down.deliveries == 1


def test_a_delivery_that_waits_to_be_tried_again_ends_when_the_load_is_asked_to() -> None:
    down, target = failing(BusinessError("not now"))
    with pytest.raises(Stopped):
        target.take([SyntheticUsers(1, 10).event(number) for number in range(1, 101)])
    assert down.deliveries < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.other_programs
def test_a_signal_ends_it_and_it_shows_what_was_done(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "limits.db"
    store = SQLiteRepository(file, Limit)
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "testkit.load",
            "--rate",
            "100",
            "--for",
            "1h",
            "--store",
            f"sqlite:///{file}",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=quiet(),
    ) as process:
        try:
            until(lambda: next(store.scan(), None))
            process.send_signal(number)
            told, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert " a second · age p50 " in told


def test_on_a_real_stream_ages_are_those_of_what_its_reader_has_stored(
    kinesis_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    stream, store = next(STREAMS), f"sqlite:///{tmp_path / 'limits.db'}"
    create_stream(kinesis_client(), stream, 2)
    settings = {"AWS_ENDPOINT_URL_KINESIS": kinesis_endpoint, "STORAGE_TTL": "0"}
    with subprocess.Popen(
        [COMMAND, "consume", "--stream", stream, "--store", store],
        stdout=subprocess.DEVNULL,
        env=quiet(**settings),
    ) as consumer:
        try:
            done = load(
                *("--stream", stream, "--store", store, "--rate", "50", "--for", "1s", "--json"), **settings
            )
        finally:
            consumer.kill()
    told = json.loads(done.stdout)
    assert (done.returncode, told["sent"], told["put"], told["refused"]) == (0, 50, 50, 0)
    assert told["seen"] > 0
    assert told["unseen"] == 0


def test_what_nobody_stores_is_given_up_after_a_minute(
    kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    client, stream, clock = kinesis_client(), next(STREAMS), Time()
    create_stream(client, stream, 1)
    store: MemoryRepository[Limit] = MemoryRepository()
    target = RealStream(StreamWriter(client, stream, clock.sleep), store, clock, clock.sleep)
    target.take([SyntheticUsers(1, 1).event(int(clock() * 1_000))])
    target.finish()
    assert target.figures() == {"put": 1, "refused": 0, "seen": 0, "unseen": 1}


@pytest.mark.parametrize("span", ["soon", "0s", "10", "-1s"])
@pytest.mark.other_programs
def test_a_time_that_is_none_is_reported(span: str) -> None:
    done = load("--for", span)
    assert done.returncode == 2
    assert f"--for is '{span}'; allowed: a time such as 90s" in done.stderr
