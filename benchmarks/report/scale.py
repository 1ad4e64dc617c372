"""Sizes for streams of any volume, computed from the measured figures and from AWS's limits: docs/scale.md.

The limits are from the pages named beside them in docs/scale.md, which also lists the assumptions; the prices
are in prices.toml. `per_1000` are the figures of 1,000 events, `memory` is a function's, in MB.
"""

import math
import tomllib
from itertools import pairwise

from benchmarks.results import ROOT, Figures

_PRICES = tomllib.loads((ROOT / "benchmarks" / "prices.toml").read_text())
PRICE_LIST: str = _PRICES.pop("list")
PRICES: dict[str, dict[str, float]] = _PRICES

SHARD_RECORDS, SHARD_BYTES = 1_000, 1_024 * 1_024
"""Records and bytes that a shard accepts per second."""
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000
"""Units that a partition of a table accepts per second."""
VCPU_MB = 1_769
"""Memory at which a function has one full vCPU; below it has a proportional part."""

BATCH = 1_000
ROUND_TRIP = 0.010
"""Seconds that a request to the table takes, assumed."""
REQUESTS_AT_ONCE = 8
MEMORY = 512
"""Memory of the function, where one figure has to represent all."""
UTILISATION = 0.7
"""Part of the provisioned units that is used: what auto scaling of a table aims at."""
TASK_GB, TASK_LOAD, LEAST_TASKS = 4, 0.5, 2
"""Memory of a worker with one vCPU, how much of its core is used, and how many there are at least."""

LIMITS_PER_USER = 3
HOURS = 730
"""Hours of a month."""


def shards(rate: float, record_bytes: float) -> int:
    """Return how many shards accept a number of records per second."""
    return max(math.ceil(rate / SHARD_RECORDS), math.ceil(rate * record_bytes / SHARD_BYTES))


def duration(per_1000: Figures, memory: float) -> float:
    """Return the seconds of an invocation with 1,000 records: its CPU, and its waits for the table."""
    share = min(memory / VCPU_MB, 1)
    waves = 2 * math.ceil(per_1000["requests"] / 2 / REQUESTS_AT_ONCE)
    return float(per_1000["cpu_ms"] / 1_000 / share + waves * ROUND_TRIP)


def parallelization(rate_of_shard: float, per_1000: Figures, memory: float) -> int:
    """Return how many concurrent invocations keep up with a shard."""
    return math.ceil(rate_of_shard * duration(per_1000, memory) / BATCH)


def partitions(rate: float, per_1000: Figures) -> int:
    """Return how many partitions of a table serve a number of records per second."""
    writes, reads = (rate * per_1000[each] / 1_000 for each in ("writes", "reads"))
    return int(max(math.ceil(writes / PARTITION_WRITES), math.ceil(reads / PARTITION_READS)))


def tasks(rate: float, per_1000: Figures) -> int:
    """Return how many workers a fleet has for a number of records per second."""
    cores: float = rate / 1_000 * per_1000["cpu_ms"] / 1_000
    return max(LEAST_TASKS, math.ceil(cores / TASK_LOAD))


def distinct_limits(events: int, users: int) -> float:
    """Return the expected number of limits for a number of events, by Zipf's law over users.

    Users are counted in groups of one at first, then of a hundredth more each.
    """
    edges = [1]
    while edges[-1] < users:
        edges.append(min(users, math.ceil(edges[-1] * 1.01)))
    groups = [(1, 1.0)] + [(after - before, 2 / (after + before + 1)) for before, after in pairwise(edges)]
    total = LIMITS_PER_USER * sum(count * weight for count, weight in groups)
    return sum(count * LIMITS_PER_USER * (1 - (1 - weight / total) ** events) for count, weight in groups)


def estimated(units: Figures, known: dict[str, Figures]) -> Figures:
    """Return the figures of 1,000 events with these units; the CPU is between that of few and many keys."""
    few, many = known["known 50"], known["known 1"]
    cpu_of_a_key = (many["cpu_ms"] - few["cpu_ms"]) / (many["writes"] - few["writes"])
    reads, writes = units["reads"] * 1_000, units["writes"] * 1_000
    return {
        "reads": reads,
        "writes": writes,
        "requests": reads / 100 + writes / 25,
        "cpu_ms": few["cpu_ms"] + cpu_of_a_key * (writes - few["writes"]),
    }


def million_events(rate: float) -> float:
    """Return how many million events a month has at a number of events per second."""
    return rate * HOURS * 3_600 / 1_000_000


def table_cost(per_1000: Figures) -> float:
    """Return the cost of an on-demand table for a million events."""
    price = PRICES["table"]
    cost: float = per_1000["writes"] * price["write_unit"] + per_1000["reads"] * price["read_unit"]
    return cost * 1_000


def function_cost(per_1000: Figures, memory: float) -> float:
    """Return the cost of a million events in invocations of 1,000 records."""
    price = PRICES["function"]
    gb_seconds = duration(per_1000, memory) * memory / 1_024
    return 1_000_000 / BATCH * (price["request"] + gb_seconds * price["gb_second"])


def provisioned_table_month(rate: float, per_1000: Figures) -> float:
    """Return the cost of a provisioned table for a month of an even load."""
    price = PRICES["provisioned"]
    writes, reads = (math.ceil(rate * per_1000[each] / 1_000 / UTILISATION) for each in ("writes", "reads"))
    of_an_hour: float = writes * price["write_unit_hour"] + reads * price["read_unit_hour"]
    return of_an_hour * HOURS


def fleet_month(rate: float, per_1000: Figures) -> float:
    """Return the cost of a fleet for a month."""
    price = PRICES["fargate"]
    return tasks(rate, per_1000) * (price["vcpu_hour"] + TASK_GB * price["gb_hour"]) * HOURS


def stream_month(rate: float, record_bytes: float) -> float:
    """Return the cost of provisioned shards for a month, full on average or nearly so."""
    price = PRICES["stream"]
    put_units = math.ceil(record_bytes / price["put_unit_bytes"]) * million_events(rate) * 1_000_000
    return shards(rate, record_bytes) * price["shard_hour"] * HOURS + put_units * price["put_unit"]


def advantage_month(rate: float, record_bytes: float) -> float:
    """Return the cost of an on-demand Advantage stream for a month, with the least that an account pays."""
    price = PRICES["advantage"]
    billed = math.ceil(record_bytes / price["record_bytes"]) * price["record_bytes"]
    came_in, went_out = (max(rate * each, price["least_bytes"]) for each in (billed, record_bytes))
    return (came_in * price["gb_in"] + went_out * price["gb_out"]) * HOURS * 3_600 / 1_024**3
