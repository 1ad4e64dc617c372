"""An aggregate: the state of one key with its version and lineage. Pure."""

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - it is in the public signature: Aggregate[State]

Key = tuple[str, str]
"""(partition, sort): what an aggregate is stored and found by. Neither is empty."""

StoredNumber = Annotated[str, Meta(pattern=r"^[0-9]{1,128}$")]
"""A record's sequence number as a store has to return it: anything else could not be compared."""

RECENT_EVENT_IDS = 16
"""Number of applied events that an aggregate remembers by their id, unless a projection says otherwise."""

MAX_RECENT_EVENT_IDS = 1_000
"""Upper bound: as UUIDs a tenth of DynamoDB's largest item, which is paid for at every write."""


class Parked(Struct, frozen=True, gc=False, rename="camel"):
    """The note that events of a key wait in the quarantine, so that no later one overtakes them.

    Its end is the last event that was parked: whatever lies at or before it has been parked, or is older.

    Args:
        count: how many wait, from 1 on, without those that repeat one of the recent ids.
        since: when the first of them was parked, in milliseconds since epoch.
        reason: why the first of them was not applied.
        sequence_number: the note's end: the highest of the producer's numbers that was parked; None if none
            had one.
        record_sequence_number: Kinesis's number of the last parked event's record.
        record_sub_sequence_number: its index in a KPL record, or among the documents of a record; else 0.
    """

    count: int
    since: int
    reason: str
    sequence_number: int | None
    record_sequence_number: StoredNumber
    record_sub_sequence_number: int

    @property
    def position(self) -> tuple[int, int]:
        """Position of the last parked event's record, to be compared with `Record.position`."""
        return int(self.record_sequence_number), self.record_sub_sequence_number

    def covers(self, position: tuple[int, int], number: int | None) -> bool:
        """Return whether an event is at or before the note's end.

        Args:
            position: of its record.
            number: its producer's; None if it has none.
        """
        if number is None or self.sequence_number is None:
            return position <= self.position
        return number <= self.sequence_number

    def highest(self, number: int | None) -> int | None:
        """Return the higher of the note's last producer's number and another one; None if there is none."""
        if number is None or self.sequence_number is None:
            return self.sequence_number if number is None else number
        return max(number, self.sequence_number)


class Aggregate(
    Struct, Generic[State], frozen=True, kw_only=True, gc=False, rename="camel", omit_defaults=True
):
    """The state of one key with its version, and its lineage: what shows whether an event is new to it.

    What no event led to, such as a checkpoint, has no lineage. An aggregate whose state is None is *vacant*:
    it is what a deleted key leaves behind, so that a replay stays harmless, and what a key is that was parked
    before anything was known of it. Only `Repository.load` and `scan_stored` return such.

    Args:
        key: (partition, sort).
        state: what the projection made of the events; None if it is vacant.
        version: how many events have been applied. However the stream was cut into batches, it is the same.
        updated_at: when the last applied event was created, in milliseconds since epoch.
        sequence_number: the highest of the producer's numbers that was applied; None if none had one.
        record_sequence_number: Kinesis's number of the last applied event's record; None without a lineage.
        record_sub_sequence_number: its index in a KPL record, or among the documents of a record; else 0.
        recent_event_ids: ids of the last applied events, oldest first; as many as the projection remembers.
        parked: the note that events of this key wait; None if none do.
    """

    key: Key
    state: State
    version: int
    updated_at: int
    sequence_number: int | None = None
    record_sequence_number: StoredNumber | None
    record_sub_sequence_number: int
    recent_event_ids: tuple[str, ...]
    parked: Parked | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Position of the last applied event's record, to be compared with `Record.position`."""
        return int(self.record_sequence_number or -1), self.record_sub_sequence_number

    @property
    def is_parked(self) -> bool:
        """Whether events of this key wait in the quarantine."""
        return self.parked is not None
