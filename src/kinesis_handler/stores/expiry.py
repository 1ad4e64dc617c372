"""When what is stored expires. Pure."""

from typing import Any

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate

VACANT_TTL = 8 * 86_400
"""Seconds for which a deleted key keeps its lineage, by default: a day more than most streams keep a record.

Kinesis keeps records for 1 to 365 days: a stream that keeps them for longer than a week needs more.
Source: https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
"""


class Expiry(Struct, frozen=True):
    """The times to live of a repository.

    Args:
        ttl: seconds after its last write at which a state expires; 0 for never.
        vacant_ttl: seconds after which a vacant aggregate does; until then a replay finds its lineage.
    """

    ttl: int = 0
    vacant_ttl: int = VACANT_TTL

    def seconds(self, aggregate: Aggregate[Any]) -> int:
        """Return after how many seconds an aggregate expires; 0 for never.

        While events of its key wait it does not: the note would go, and later events overtake them.
        """
        if aggregate.parked is not None:
            return 0
        return self.ttl if aggregate.state is not None else self.vacant_ttl
