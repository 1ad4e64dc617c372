"""The figures of a process that reads a stream, as Prometheus asks for them."""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kinesis_handler.cli.delivery import Delivery
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
