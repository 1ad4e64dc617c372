"""Makes invocations from events, and a clock that stands still."""

from collections.abc import Iterable
from typing import Any

import msgspec

from kinesis_handler.local.event_source import put_on_shard


class FakeClock:
    """A clock that moves only by `advance`. A call returns its time in seconds.

    It begins in 2096: for a real store, which has its own clock, nothing must have expired.
    """

    def __init__(self, now: float = 4_000_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let some time pass; it can also replace `time.sleep`."""
        self.now += seconds


def invocation(events: Iterable[object], *, partition_key: str | None = "key") -> dict[str, Any]:
    """Return an invocation by Lambda with a record for each event, in order.

    Records of a later call have higher sequence numbers than those of an earlier one.

    Args:
        events: values that can be encoded as JSON, or bytes, which become a record's data.
        partition_key: the key of all records; None for a stream that distributes records itself.
    """
    data = (event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events)
    return {"Records": list(put_on_shard((partition_key, each) for each in data))}
