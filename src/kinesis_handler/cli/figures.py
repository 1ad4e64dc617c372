"""Serves the figures of a process that reads a stream: `/metrics`, in Prometheus's text, and `/health`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.outcome import Status
from kinesis_handler.stores.recent import RecentDocuments

PREFIX = "kinesis_handler_"
_READ = {State.READING, State.CAUGHT_UP}


class Health(Struct, frozen=True):
    """What `/health` says.

    Args:
        is_well: no shard has failed. An outage that is waited for is well: to start anew would not end it.
        shards: what each shard is doing, or what it waits for.
    """

    is_well: bool
    shards: Mapping[str, str]


class ConsumerFigures(Collector):
    """Reads the figures at each request, from what the threads of the shards have written.

    Args:
        delivery: has the outcomes and the deliveries.
        progress: of each shard.
        recent: what the process remembers.
    """

    def __init__(
        self, delivery: Delivery, progress: Mapping[str, ShardProgress], recent: RecentDocuments
    ) -> None:
        self._delivery = delivery
        self._progress = progress
        self._recent = recent

    def health(self) -> Health:
        """Return whether a shard has failed, and what each is doing."""
        shards = list(self._progress.items())
        return Health(
            is_well=all(each.state is not State.FAILED for _, each in shards),
            shards={shard: ": ".join(filter(None, (each.state, each.problem))) for shard, each in shards},
        )

    def collect(self) -> Iterator[Metric]:
        """Yield all figures."""
        total = self._delivery.total()
        records = CounterMetricFamily(
            f"{PREFIX}records", "Records that are settled, by their outcome", labels=["outcome"]
        )
        for status in Status:
            records.add_metric([status], total.outcomes[status])
        yield records
        yield _counter("batches", "Batches that are settled", total.batches)
        yield _counter("retries", "Deliveries of a batch after its first, outages left out", total.retries)
        shards = list(self._progress.items())
        for name, text, value in _OF_A_SHARD:
            family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=["shard"])
            for shard, each in shards:
                if each.state in _READ and (number := value(each)) is not None:
                    family.add_metric([shard], number)
            yield family
        states = GaugeMetricFamily(f"{PREFIX}shards", "Shards, by their state", labels=["state"])
        for state in State:
            states.add_metric([state.replace(" ", "_")], sum(each.state is state for _, each in shards))
        yield states
        yield GaugeMetricFamily(
            f"{PREFIX}remembered_bytes",
            "Memory for states that need not be read",
            value=self._recent.used_bytes,
        )


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", text, value=value)


_OF_A_SHARD: tuple[tuple[str, str, Callable[[ShardProgress], float | None]], ...] = (
    ("age_seconds", "Age of the last settled record when it was settled", lambda each: each.age),
    (
        "behind_seconds",
        "How far behind the tip of its shard the last read ended",
        lambda each: each.behind_ms / 1_000,
    ),
    ("waiting", "1 if it waits for the end of an outage", lambda each: float(bool(each.problem))),
)


TIMEOUT = 10.0
"""Seconds that a client has for its request."""

POLL = 0.1
"""Seconds between two looks at whether the command ends: it waits for that."""


@contextmanager
def serve_figures(figures: ConsumerFigures, port: int, host: str) -> Iterator[int]:
    """Serve the figures while the block runs; yield the port.

    Raises ConfigurationError if it cannot listen there.
    """
    registry = CollectorRegistry()
    registry.register(figures)
    handler = type("Handler", (_Handler,), {"registry": registry, "figures": figures})
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise ConfigurationError(
            f"--metrics-port is {port} and --metrics-host {host!r}: {error.strerror}; allowed: a free port "
            "of this machine"
        ) from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(POLL,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(MetricsHandler):
    """Answers the two paths. A subclass has the registry and the figures."""

    timeout = TIMEOUT
    figures: ConsumerFigures

    def do_GET(self) -> None:  # noqa: N802 - the server calls it so
        """Answer a request."""
        match urlsplit(self.path).path:
            case "/metrics":
                super().do_GET()
            case "/health":
                health = self.figures.health()
                status = HTTPStatus.OK if health.is_well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", msgspec.json.encode(health))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /health\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
