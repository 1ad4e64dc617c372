"""Invocations made of events, and a clock that stands still."""

from collections.abc import Iterable
from typing import Any

import msgspec

from kinesis_handler.local.event_source import put_on_shard


class FakeClock:
    """A clock that moves only when it is told to. Called, it tells its time in seconds.

    It begins in 2096: a real store that looks at its own clock must not find that all has expired long ago.
    """

    def __init__(self, now: float = 4_000_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let some time pass: also what `time.sleep` is replaced by."""
        self.now += seconds


def invocation(events: Iterable[object], *, partition_key: str | None = "key") -> dict[str, Any]:
    """Return an invocation by Lambda with a record for each event, in their order.

    Records of a later call have higher sequence numbers than those of an earlier one.

    Args:
        events: each anything that can be written as JSON, or bytes, which are taken for a record's data.
        partition_key: of all the records; None for a stream that distributes records by itself.
    """
    data = (event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events)
    return {"Records": list(put_on_shard((partition_key, each) for each in data))}
