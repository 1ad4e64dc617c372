"""What the Kinesis Client Library passes to a record processor, in `kcl_rs` and in `amazon_kclpy`."""

from collections.abc import Sequence
from typing import Protocol


class ClientRecord(Protocol):
    """A record as `amazon_kclpy` and `kcl_rs` have it: a user record, if it came in a KPL record."""

    @property
    def sequence_number(self) -> str | None:
        """The sequence number, which user records of one KPL record share."""

    @property
    def sub_sequence_number(self) -> int | None:
        """The index in the KPL record; 0 in any other record."""

    @property
    def partition_key(self) -> str | None:
        """The producer's partition key."""

    @property
    def timestamp_millis(self) -> int | None:
        """When it arrived, in milliseconds since epoch."""

    @property
    def binary_data(self) -> bytes:
        """The producer's data."""


class Checkpointer(Protocol):
    """What sets a shard's checkpoint."""

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        """Set it behind a record; without one, behind all that was delivered."""


class Beginning(Protocol):
    """What `initialize` is passed."""

    @property
    def shard_id(self) -> str | None:
        """The shard's id."""


class Ending(Protocol):
    """What `shard_ended` and `shutdown_requested` are passed."""

    @property
    def checkpointer(self) -> Checkpointer:
        """What sets the shard's checkpoint."""


class Delivered(Ending, Protocol):
    """What `process_records` is passed."""

    @property
    def records(self) -> Sequence[ClientRecord]:
        """The records, in stream order."""

    @property
    def millis_behind_latest(self) -> int | None:
        """How far behind the tip of the shard they end."""
