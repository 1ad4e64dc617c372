"""The handlers of a run: the real ones, with a processor and a quarantine that fail."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING

from chaos.faults import Fault, FaultPlan
from chaos.verdict import RecordPosition
from kinesis_handler import Event, Key, KinesisHandler, Remarked
from kinesis_handler.errors import QuarantineError
from kinesis_handler.quarantine.entry import decode_entries
from kinesis_handler.retry import Backoff
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.testing import FakeClock
from user_limits.events import LimitPayload
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.wiring import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from kinesis_handler.stores.dynamodb import Connection

SMALLEST_SLICE, LARGEST_SLICE = 10, 100
"""Keys per slice. One request could not load more, and the pool's threads would then read the clock."""


class Handlers:
    """Creates handlers that share a table and a quarantine, as the instances of one Lambda function do.

    Args:
        seed: seed of the run.
        connection: to DynamoDB.
        table: the table's name.
        plan: decides which faults there are at the moment.
        clock: clock of the run.
    """

    def __init__(
        self, seed: int, connection: "Connection", table: str, plan: FaultPlan, clock: FakeClock
    ) -> None:
        self.quarantine = FailingQuarantine(plan, Random(f"{seed}/quarantine"))
        self.conflicts = 0
        self._random = Random(f"{seed}/handlers")
        self._connection = connection
        self._table = table
        self._plan = plan
        self._clock = clock

    def make(self) -> KinesisHandler:
        """Create a handler with a repository of its own."""
        repository = _Repository(self, self._connection, self._table, self._clock)
        slice_size = self._random.randint(SMALLEST_SLICE, LARGEST_SLICE)
        processor = _FailingProcessor(repository, self._plan, self._random, slice_size)
        return KinesisHandler([processor], quarantine=self.quarantine, clock=self._clock)


class FailingQuarantine:
    """Stores objects in memory, except during an outage."""

    def __init__(self, plan: FaultPlan, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._objects: dict[str, bytes] = {}

    def keep(self, name: str, content: bytes) -> None:
        """Store an object, or fail before or after storing it."""
        if self._plan.strikes(Fault.QUARANTINE_DOWN, self._random):
            raise QuarantineError("injected: not kept")
        self._objects[name] = content
        if self._plan.strikes(Fault.QUARANTINE_UNSURE, self._random):
            raise ConnectionError("injected: kept, but the answer was lost")

    def records(self) -> dict[RecordPosition, str]:
        """Return the data of each stored record by its position."""
        return {
            (each.shard_id, each.sequence_number, each.position.sub_sequence_number): each.data
            for content in self._objects.values()
            for each in decode_entries(content)
        }


class _InOrder(set[Key]):
    """A set with its own order, independent of Python's hash seed."""

    def __iter__(self) -> Iterator[Key]:
        return iter(sorted(super().__iter__()))


class _Repository(DynamoDBRepository[Limit]):
    """The real repository, counting its conflicts; it returns them in a repeatable order."""

    def __init__(self, handlers: Handlers, connection: "Connection", table: str, clock: FakeClock) -> None:
        super().__init__(
            connection,
            table,
            Limit,
            partition_key=PARTITION_KEY,
            sort_key=SORT_KEY,
            clock=clock,
            make_backoff=lambda: Backoff(clock.advance, lambda _, high: high),
        )
        self._handlers = handlers

    def save(self, changes: Sequence[Change[Limit]]) -> Saved:
        """See `Repository.save`."""
        saved = super().save(changes)
        self._handlers.conflicts += len(saved.conflicts)
        saved.conflicts = _InOrder(saved.conflicts)
        return saved


class _FailingProcessor(UserLimitEventProcessor):
    """The real processor, which sometimes fails at an event without a reason."""

    def __init__(self, repository: _Repository, plan: FaultPlan, random: Random, slice_size: int) -> None:
        super().__init__(repository, slice_size=slice_size)
        self._plan = plan
        self._random = random

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        """Apply the event, or fail."""
        if self._plan.strikes(Fault.PROCESSOR, self._random):
            raise ConnectionError("injected: a service that the processor asks is down")
        return super().apply(state, event)
