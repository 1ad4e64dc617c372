"""The leases of the first start, in the KCL's format: they begin where `consume` has come to. Pure.

Without them the KCL makes its own: each worker waits for up to half a minute whether another does so, and all
begin with the oldest record, also in a store into which `consume` has read.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.shards import Shard

BEHIND_ALL = 2**31 - 1
"""A sub-sequence number that no KPL record reaches: a checkpoint at it is behind the whole record."""


def first_leases(
    shards: Collection[Shard], checkpoints: Mapping[str, Checkpoint], since: float | None
) -> Iterator[dict[str, Any]]:
    """Yield an item of the lease table for each shard that is still to be read.

    Args:
        shards: those of the stream.
        checkpoints: by shard, how far they have been read into the store.
        since: where to begin a shard without one: see `Fleet`.
    """
    ended = {shard for shard, checkpoint in checkpoints.items() if checkpoint.ended}
    listed = {shard.id for shard in shards}
    for shard in shards:
        if shard.id in ended:
            continue
        known = checkpoints.get(shard.id)
        if known is not None and known.after is not None:
            checkpoint, last = known.after, BEHIND_ALL
        else:
            checkpoint, last = "TRIM_HORIZON" if since is None or known else "AT_TIMESTAMP", 0
        item: dict[str, Any] = {
            "leaseKey": {"S": shard.id},
            "entityType": {"S": "LEASE"},
            "checkpoint": {"S": checkpoint},
            "checkpointSubSequenceNumber": {"N": str(last)},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
        }
        if parents := [each for each in shard.parents if each in listed and each not in ended]:
            item["parentShardId"] = {"SS": parents}
        yield item
