"""Checks whether a stream preserves the order that an application relies on. Pure.

Source: https://docs.aws.amazon.com/streams/latest/dev/service-managed-record-distribution.html
"""

from collections.abc import Mapping
from typing import Any

STRATEGY, AUTO = "RecordDistributionStrategy", "AUTO"


def order_problem(summary: Mapping[str, Any], *, any_order: bool = False) -> str | None:
    """Return why a stream must not be read, as a sentence; None if it may be.

    With the strategy AUTO, Kinesis spreads the records of a partition key over all shards, and records may
    have no partition key at all. Shards are read concurrently: an event that is read after a later one of its
    key is superseded, with or without a producer's number. That is a loss, unless the later event carries the
    whole state.

    Args:
        summary: `StreamDescriptionSummary` in the answer of DescribeStreamSummary. The strategy is missing
            for a stream of provisioned capacity, whose order is by partition key.
        any_order: the application reaches the right state whatever the order of a key's events.
    """
    if any_order or summary.get(STRATEGY) != AUTO:
        return None
    arn = summary.get("StreamARN", "ARN")
    return (
        f"its {STRATEGY} is {AUTO}: the events of one key lie on several shards, in no order, and those that "
        "come too late would be lost as superseded. Set it to USER_PARTITION_KEY (`aws kinesis "
        f"update-stream-record-distribution-strategy --stream-arn {arn} --record-distribution-strategy "
        "USER_PARTITION_KEY`), which holds for records that come from then on; or, if their order does not "
        "matter, build the Application with any_order=True"
    )
