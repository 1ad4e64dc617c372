"""How far a consumer is with each shard, for anyone to look at."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """What a shard's thread is doing."""

    READING = "reading"
    CAUGHT_UP = "caught up"
    ENDED = "ended"
    STOPPED = "stopped"
    FAILED = "failed"


class ShardProgress(Struct):
    """How far a shard is. Written by its thread.

    Args:
        records: how many have been settled.
        behind_ms: how far behind the tip the last look at it ended, in milliseconds.
        age: how old the last settled record was then, in seconds; None before the first.
        problem: what it waits for to pass, else nothing.
        lost: what the stream no longer had when it was to be read, in a sentence, else nothing.
    """

    state: State = State.READING
    records: int = 0
    behind_ms: int = 0
    age: float | None = None
    problem: str = ""
    lost: str = ""
