"""Holds the progress of a consumer with each shard, for any thread to read."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """What a shard's thread is doing."""

    READING = "reading"
    CAUGHT_UP = "caught up"
    ENDED = "ended"
    STOPPED = "stopped"
    FAILED = "failed"
    LEASE_LOST = "lease lost"


class ShardProgress(Struct):
    """The progress of a shard, written by its thread.

    Args:
        records: how many have been settled.
        behind_ms: how far behind the tip the last read ended, in milliseconds.
        age: the age of the last settled record at that time, in seconds; None before the first.
        problem: the outage that it waits for, if any.
        lost: what the stream no longer had when it was to be read, as a sentence, if anything.
    """

    state: State = State.READING
    records: int = 0
    behind_ms: int = 0
    age: float | None = None
    problem: str = ""
    lost: str = ""
