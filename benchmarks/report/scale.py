"""Sizes for streams of any volume, computed from the measured figures and from AWS's limits: docs/scale.md.

The limits are from the pages named beside them in docs/scale.md, which also lists the assumptions.
"""

import math
from itertools import pairwise

from benchmarks.prices import (
    ADVANTAGE_GB_IN,
    ADVANTAGE_GB_OUT,
    ADVANTAGE_LEAST_BYTES,
    ADVANTAGE_RECORD_BYTES,
    GB_HOUR,
    HOURS,
    LAMBDA_GB_SECOND,
    LAMBDA_REQUEST,
    PUT_UNIT,
    READ_CAPACITY_HOUR,
    SHARD_HOUR,
    VCPU_HOUR,
    WRITE_CAPACITY_HOUR,
    dollars_per_million,
)
from benchmarks.results import Figures

SHARD_RECORDS, SHARD_BYTES = 1_000, 1_024 * 1_024
"""Records and bytes that a shard accepts per second."""
PUT_UNIT_BYTES = 25 * 1_024
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

LIMITS_PER_USER = 3


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


def distinct_limits(events: int, users: int) -> float:
    """Return the expected number of limits for a number of events, by Zipf's law over users.

    The first thousand users are counted one by one, the others in groups, each a tenth wider than the one
    before.
    """
    edges = [*range(1, min(users, 1_000) + 1)]
    while edges[-1] < users:
        edges.append(min(users, math.ceil(edges[-1] * 1.1)))
    groups = [(1, 1.0)] + [(after - before, 2 / (after + before + 1)) for before, after in pairwise(edges)]
    total = sum(count * weight for count, weight in groups)
    share = 1 / total / LIMITS_PER_USER
    limits = (
        count * LIMITS_PER_USER * (1 - math.pow(1 - weight * share, events)) for count, weight in groups
    )
    return math.fsum(limits)


def table_cost(per_1000: Figures) -> float:
    """Return the cost of the table for a million events."""
    return dollars_per_million(per_1000["writes"], per_1000["reads"], events=1_000)


def stream_cost(record_bytes: float) -> float:
    """Return the cost of a million records on full shards."""
    a_second = SHARD_RECORDS / shards(SHARD_RECORDS, record_bytes)
    units = math.ceil(record_bytes / PUT_UNIT_BYTES)
    return 1_000_000 * (SHARD_HOUR / 3_600 / a_second + units * PUT_UNIT)


def compute_cost(per_1000: Figures, memory: float) -> float:
    """Return the cost of a million events in invocations of 1,000 records."""
    invocations = 1_000_000 / BATCH
    seconds = duration(per_1000, memory)
    return invocations * (LAMBDA_REQUEST + seconds * memory / 1_024 * LAMBDA_GB_SECOND)


GB = 1_024**3
UTILISATION = 0.7
"""Part of the provisioned units that is used: what auto scaling of a table aims at."""
TASK_GB, TASK_LOAD, LEAST_TASKS = 4, 0.5, 2
"""Memory of a worker with one vCPU, how much of its core is used, and how many there are at least."""


def per_1000(units: Figures, known: dict[str, Figures]) -> Figures:
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


def events_of_a_month(rate: float) -> float:
    """Return the events of a month."""
    return rate * HOURS * 3_600


def function_month(rate: float, figures: Figures) -> float:
    """Return the cost of a function for a month."""
    return compute_cost(figures, MEMORY) * events_of_a_month(rate) / 1_000_000


def tasks(rate: float, figures: Figures) -> int:
    """Return how many workers a fleet has."""
    cores: float = rate / 1_000 * figures["cpu_ms"] / 1_000
    return max(LEAST_TASKS, math.ceil(cores / TASK_LOAD))


def fleet_month(rate: float, figures: Figures) -> float:
    """Return the cost of a fleet for a month."""
    return tasks(rate, figures) * (VCPU_HOUR + TASK_GB * GB_HOUR) * HOURS


def table_month(rate: float, figures: Figures) -> float:
    """Return the cost of an on-demand table for a month."""
    return table_cost(figures) * events_of_a_month(rate) / 1_000_000


def provisioned_table_month(rate: float, figures: Figures) -> float:
    """Return the cost of a provisioned table for a month of an even load."""
    writes, reads = (rate * figures[each] / 1_000 / UTILISATION for each in ("writes", "reads"))
    of_an_hour: float = math.ceil(writes) * WRITE_CAPACITY_HOUR + math.ceil(reads) * READ_CAPACITY_HOUR
    return of_an_hour * HOURS


def stream_month(rate: float, record_bytes: float) -> float:
    """Return the cost of provisioned shards for a month, full on average or nearly so."""
    put_units = math.ceil(record_bytes / PUT_UNIT_BYTES) * events_of_a_month(rate) * PUT_UNIT
    return shards(rate, record_bytes) * SHARD_HOUR * HOURS + put_units


def advantage_month(rate: float, record_bytes: float) -> float:
    """Return the cost of an on-demand Advantage stream for a month, with the least that an account pays."""
    billed = math.ceil(record_bytes / ADVANTAGE_RECORD_BYTES) * ADVANTAGE_RECORD_BYTES
    came_in, went_out = (max(rate * each, ADVANTAGE_LEAST_BYTES) for each in (billed, record_bytes))
    return (came_in * ADVANTAGE_GB_IN + went_out * ADVANTAGE_GB_OUT) * HOURS * 3_600 / GB
