"""In which order shards are read: parents before children. Pure.

A shard that is split, or merged with its neighbour, is closed, and its children take over its partition keys.
Whoever wants the records of a key in order must have read all of the parents before the first of a child.

Source: https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html
"""

from collections.abc import Collection, Sequence

from msgspec import Struct


class Shard(Struct, frozen=True):
    """A shard, and the shards that it came from: none, one after a split, two after a merge."""

    id: str
    parents: tuple[str, ...] = ()


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
