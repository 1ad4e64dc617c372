"""Decides the order in which shards are read: parents before children. Pure.

A shard that is split, or merged with its neighbour, is closed, and its children take over its partition keys.
To read the records of a key in order, read all of the parents before the first record of a child.

Source: https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html
"""

from collections.abc import Collection, Sequence

from msgspec import Struct


class Shard(Struct, frozen=True):
    """A shard as ListShards describes it.

    Args:
        id: its name.
        parents: the shards that it came from: none, one after a split, two after a merge.
        closed: it accepts no more records, because it was split or merged: it has an ending sequence number.
    """

    id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


def readable(shards: Sequence[Shard], ended: Collection[str]) -> list[Shard]:
    """Return the shards that may be read now: they have not ended, and each of their parents has.

    A parent that the stream no longer lists has none of its records left.
    """
    listed = {shard.id for shard in shards}
    return [
        shard
        for shard in shards
        if shard.id not in ended and all(parent in ended or parent not in listed for parent in shard.parents)
    ]


def is_closed(shards: Sequence[Shard], shard_id: str) -> bool:
    """Tell whether a shard is known to accept no more records: it has an end, or has children.

    A shard that left the list with its last records is still the parent of its children.
    """
    return any((shard.id == shard_id and shard.closed) or shard_id in shard.parents for shard in shards)
