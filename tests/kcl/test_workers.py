"""Workers as processes: one is killed in mid-batch, another takes over, nothing is lost.

`make e2e` runs what takes longer: endurance/tests/test_fleet.py.
"""

import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from clean_pass import check_limits, check_quarantines
from kcl.fleet import Worker, Workers, until
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from kinesis_handler.operator_page.streams import read_streams
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.opening import open_store
from stream.real_stream import Stream
from stream.test_killed_consumers import Producing, applied, limits_of
from testkit.tables import Tables

if TYPE_CHECKING:
    from kinesis_handler.stores import ReadableRepository
    from user_limits.limit import Limit

pytestmark = pytest.mark.skipif(find_spec("kcl_rs") is None, reason="kcl-rs has no build for this machine")

SHARDS = 4
TO_BEGIN, TO_TAKE_OVER = 60, 90
"""Seconds, at most. Leases are given out every 20 seconds."""


@pytest.fixture
def store(tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch, kinesis_endpoint: str) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    return f"dynamodb://{tmp_path.name}"


def figures(worker: Worker) -> dict[str, float]:
    """Return what a worker says at /metrics."""
    [port] = re.findall(r'"message":"metrics are served".*"port":(\d+)', worker.log())
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (each.rpartition(" ") for each in lines if each[0] != "#")
    }


def applied_by(printed: str) -> int:
    """Return how many records a worker says at its end that it has applied."""
    [count] = re.findall(r"([0-9,]+) applied", printed)
    return int(count.replace(",", ""))


def test_when_a_worker_is_killed_in_mid_batch_another_takes_over_and_loses_nothing(
    make_stream: Callable[[int], Stream], store: str, tables: Tables, tmp_path: Path
) -> None:
    stream = make_stream(SHARDS)
    limits: ReadableRepository[Limit] = limits_of(store)
    quarantine = DirectoryQuarantine(tmp_path / "quarantine")
    settings = {"QUARANTINE_URL": (tmp_path / "quarantine").as_uri(), "PARK_AFTER": "never"}
    workers = Workers(stream, store, tables.client, tmp_path, **settings)
    options = ("--batch-size", "20", "--retries", "0", "--metrics-port", "0")
    producing = Producing(stream, seed=3, reshard={}, pause=0.05)
    with workers.running(*options) as one, workers.running(*options) as other:
        until(lambda: workers.shards_of(one) or workers.shards_of(other), TO_BEGIN, one, other)
        killed, heir = sorted((one, other), key=workers.shards_of, reverse=True)
        producing.start()
        until(lambda: applied(limits) > 50, TO_BEGIN, one, other)
        killed.process.kill()
        was_interrupted = not workers.have_read(producing.put)
        workers.expire(killed)
        producing.join(TO_TAKE_OVER)
        until(lambda: workers.have_read(producing.put), TO_TAKE_OVER, heir)
        metrics = figures(heir)
        heir.process.terminate()
        printed, _ = heir.process.communicate(timeout=30)
    assert was_interrupted
    assert metrics['kinesis_handler_shards{state="reading"}'] == SHARDS
    assert metrics['kinesis_handler_records_total{outcome="applied"}'] > 0
    assert heir.process.returncode == 1, printed
    assert "failed for good" in printed
    assert workers.owners() == {"": SHARDS}, "it has given up its leases"
    _, sources = read_streams(checkpoints_in(open_store(store)), int(time.time() * 1_000))
    reported = {each.is_over: sum(each.outcomes.get("applied", ())) for each in sources}
    assert reported[True] == applied_by(printed), "what the page shows of a worker is what it has printed"
    assert len(sources) == 2, "the one that was killed has reported too"
    check_limits(limits, producing.put)
    check_quarantines([quarantine], producing.put)
