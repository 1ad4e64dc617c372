"""`/metrics` and `/health` of a process that reads a stream: what they say, and where they can be."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from kinesis_handler import ConfigurationError, KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.cli.monitoring import ONLY_HERE, monitoring
from kinesis_handler.local.shard import put_on_shard
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.recent import RecentDocuments
from stream.facts import created, unknown
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

SHARD = "shardId-000000000000"


class Process:
    """A consumer's parts, without a stream."""

    def __init__(self, kept: Path) -> None:
        quarantine = DirectoryQuarantine(kept)
        processor = UserLimitEventProcessor(MemoryRepository[Limit](), park_after=0)
        handler = KinesisHandler([processor], quarantine=quarantine)
        self.delivery = Delivery(Application(handler, quarantine=quarantine), batch_size=2, retries=2)
        self.progress: dict[str, ShardProgress] = {}
        self.recent = RecentDocuments(1_000)

    def deliver(self, *data: bytes, shard: str = SHARD) -> None:
        mapping = self.delivery.mapping(shard, lambda _seconds, why="": None)  # noqa: ARG005
        for _ in mapping.run(put_on_shard((None, each) for each in data)):
            self.delivery.settle(shard)

    @contextmanager
    def served(self) -> Iterator[str]:
        with (
            capture_logs() as logged,
            monitoring(0, ONLY_HERE, self.delivery, self.progress, self.recent),
        ):
            [port] = [each["port"] for each in logged if each["event"] == "metrics are served"]
            yield f"http://{ONLY_HERE}:{port}"


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def get(url: str, **headers: str) -> tuple[int, str, str]:
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:  # noqa: S310 - our own
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return the figures by name and label, as Prometheus's own parser reads them."""
    return {
        (sample.name.removeprefix("kinesis_handler_"), "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_records_are_counted_by_their_outcome_with_batches_retries_and_ages(process: Process) -> None:
    process.deliver(created(1), created(1), b"no event", unknown(2), created(3))
    process.progress[SHARD] = ShardProgress(age=1.5, behind_ms=250)
    process.progress["shardId-000000000001"] = ShardProgress(state=State.ENDED, age=9, problem="")
    process.recent.put(0, [(("a", "1"), b"x", 1e9)])
    with process.served() as url:
        status, content_type, text = get(f"{url}/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    found = samples(text)
    assert {outcome: found["records_total", outcome] for outcome in ("applied", "duplicate", "parked")} == {
        "applied": 2,
        "duplicate": 1,
        "parked": 1,
    }
    assert sum(value for (name, _), value in found.items() if name == "records_total") == 5
    assert found["batches_total", ""] == 3
    assert found["age_seconds", SHARD] == 1.5
    assert found["behind_seconds", SHARD] == 0.25
    assert found["waiting", SHARD] == 0
    assert ("age_seconds", "shardId-000000000001") not in found, "it is no longer read"
    assert (found["shards", "reading"], found["shards", "ended"]) == (1, 1)
    assert found["remembered_bytes", ""] > 400


def test_a_retry_is_counted(tmp_path: Path) -> None:
    handler = KinesisHandler([UserLimitEventProcessor(MemoryRepository[Limit](), park_after=None)])
    process = Process(tmp_path)
    process.delivery = Delivery(Application(handler), batch_size=1, retries=2)
    process.deliver(unknown(1))
    with process.served() as url:
        found = samples(get(f"{url}/metrics")[2])
    assert (found["retries_total", ""], found["records_total", "failed"]) == (2, 1)


def test_openmetrics_is_spoken_to_whom_asks_for_it(process: Process) -> None:
    with process.served() as url:
        _, content_type, text = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_an_outage_is_well_and_a_shard_that_failed_is_not(process: Process) -> None:
    process.progress[SHARD] = ShardProgress(problem="the store is down")
    with process.served() as url:
        status, _, text = get(f"{url}/health")
        assert (status, json.loads(text)) == (
            200,
            {"is_well": True, "shards": {SHARD: "reading: the store is down"}},
        )
        assert samples(get(f"{url}/metrics")[2])["waiting", SHARD] == 1
        process.progress[SHARD] = ShardProgress(state=State.FAILED)
        assert get(f"{url}/health")[0] == 503
        assert get(f"{url}/")[0] == 404


def test_a_port_that_is_taken_is_named_with_what_is_allowed(process: Process) -> None:
    with socket.create_server((ONLY_HERE, 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                ConfigurationError, match=rf"^--metrics-port is {port} and --metrics-host .*allowed"
            ),
            monitoring(port, ONLY_HERE, process.delivery, process.progress, process.recent),
        ):
            pass


def test_without_its_library_it_says_what_to_install(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "kinesis_handler.cli.figures", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client.core", None)
    with (
        pytest.raises(ConfigurationError, match=r"pip install 'kinesis-handler\[metrics\]'"),
        monitoring(0, ONLY_HERE, process.delivery, process.progress, process.recent),
    ):
        pass


def test_without_a_port_nothing_listens(process: Process) -> None:
    with capture_logs() as logged, monitoring(None, "", process.delivery, process.progress, process.recent):
        assert logged == []
