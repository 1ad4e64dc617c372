"""An aggregate: the state of one key with its version and lineage. Pure."""

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

State = TypeVar("State")

Key = tuple[str, str]
"""(partition, sort): what an aggregate is stored and found by. Neither is empty."""

StoredNumber = Annotated[str, Meta(pattern=r"^[0-9]{1,128}$")]
"""A record's sequence number as a store has to return it: anything else could not be compared."""

RECENT_EVENT_IDS = 16
"""Number of applied events that an aggregate remembers by their id, unless a projection says otherwise."""

MAX_RECENT_EVENT_IDS = 1_000
"""Upper bound: as UUIDs a tenth of DynamoDB's largest item, which is paid for at every write."""


class Aggregate(Struct, Generic[State], frozen=True, kw_only=True, gc=False, rename="camel"):
    """The state of one key with its version, and its lineage: what shows whether an event is new to it.

    Args:
        key: (partition, sort).
        state: what the projection made of the events.
        version: how many events have been applied. However the stream was cut into batches, it is the same.
        updated_at: when the last applied event was created, in milliseconds since epoch.
        sequence_number: the highest of the producer's numbers that was applied; None if none had one.
        record_sequence_number: Kinesis's number of the last applied event's record.
        record_sub_sequence_number: its index in a KPL record; 0 in any other record.
        recent_event_ids: ids of the last applied events, oldest first; as many as the projection remembers.
    """

    key: Key
    state: State
    version: int
    updated_at: int
    sequence_number: int | None = None
    record_sequence_number: StoredNumber
    record_sub_sequence_number: int
    recent_event_ids: tuple[str, ...]

    @property
    def position(self) -> tuple[int, int]:
        """Position of the last applied event's record, to be compared with `Record.position`."""
        return int(self.record_sequence_number), self.record_sub_sequence_number
