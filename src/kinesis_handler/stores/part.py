"""A part of a scan: so that several can run at once, and one that was interrupted can go on. Pure."""

from typing import NamedTuple
from zlib import crc32

from kinesis_handler.aggregate import Key


class Part(NamedTuple):
    """One of several segments, each of which has its own aggregates, or what is left of it.

    Args:
        number: which segment, from 0 on.
        of: how many there are.
        after: go on behind this key, which a scan of the same segment has yielded, or reported as unreadable.
    """

    number: int
    of: int
    after: Key | None = None


def segment_of(key: Key, segments: int) -> int:
    """Return the segment of a key, where a store has none of its own."""
    return crc32("\0".join(key).encode()) % segments
