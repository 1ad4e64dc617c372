"""The handlers of a run, and its redrives: the real ones, with a processor and a quarantine that fail."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING

from chaos.faults import Fault, FaultPlan
from chaos.verdict import RecordPosition
from kinesis_handler import Event, Key, KinesisHandler, Remarked
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.entry import Entry
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

PARK_AFTER = 60
"""Seconds after which an event that fails is parked: before the mapping's retries are over."""

BROKEN_RATE = 0.004
"""Probability that an event fails until it is mended."""
LONGEST_BROKEN = 600
"""Longest time, in seconds, until it is. Within a minute it is not parked, or if other handlers are slow."""

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
        self.broken = BrokenEvents(seed, plan, clock)
        self._random = Random(f"{seed}/handlers")
        self._connection = connection
        self._table = table
        self._plan = plan
        self._clock = clock

    def make(self) -> KinesisHandler:
        """Create a handler with a repository of its own."""
        repository = _Repository(self, self._connection, self._table, self._clock)
        slice_size = self._random.randint(SMALLEST_SLICE, LARGEST_SLICE)
        processor = _FailingProcessor(repository, self._plan, self._random, slice_size, self.broken)
        return KinesisHandler([processor], quarantine=self.quarantine, clock=self._clock, now=self._clock)

    def redrive(self) -> int:
        """Release what is parked, as far as it can be; return how many records have been dealt with.

        Raises QuarantineError or ConnectionError during an outage of the quarantine.
        """
        contents = read_contents(self.quarantine)
        sending = Redrive([contents], lambda entry: bool(entry.parked), clock=self._clock)
        target = ThroughHandler(self.make(), self.quarantine, clock=self._clock)
        return sum(verdict.done for sent in sending.run(target) for _, verdict in sent)

    def redrive_to_the_end(self) -> None:
        """Mend all, and redrive until nothing more is released."""
        self._plan.calm_down()
        self.broken.mend()
        while self.redrive():
            pass


class BrokenEvents:
    """Decides which events fail, and when each of them is mended.

    Args:
        seed: seed of the run.
        plan: counts the failures.
        clock: clock of the run.
    """

    def __init__(self, seed: int, plan: FaultPlan, clock: FakeClock) -> None:
        self._seed = seed
        self._plan = plan
        self._clock = clock
        self._mended_at: dict[str, float] = {}
        self._all_mended = False

    def fails(self, event_id: str) -> bool:
        """Return whether an event fails now. It is as long broken as its id says, from its first try on."""
        if self._all_mended:
            return False
        if event_id not in self._mended_at:
            random = Random(f"{self._seed}/broken/{event_id}")
            lasts = random.uniform(0, LONGEST_BROKEN) if random.random() < BROKEN_RATE else 0
            self._mended_at[event_id] = self._clock() + lasts
        fails = self._clock() < self._mended_at[event_id]
        if fails:
            self._plan.count(Fault.BROKEN)
        return fails

    def mend(self) -> None:
        """Mend all of them."""
        self._all_mended = True


class FailingQuarantine:
    """Stores objects in memory, except during an outage. It can always be read."""

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

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`."""
        return iter(sorted(self._objects))

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        return self._objects[name]

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        self._objects.pop(name, None)

    def rejected(self) -> dict[RecordPosition, str]:
        """Return the data of each record that was rejected, and waits for a person, by its position."""
        return {
            (each.shard_id, each.sequence_number, each.position.sub_sequence_number): each.data
            for each in self._waiting()
            if not each.is_only_parked
        }

    def waiting(self) -> set[Key]:
        """Return the keys of the records that are parked."""
        return {key for each in self._waiting() if each.is_only_parked for key in each.parked_keys}

    def parked(self) -> set[Key]:
        """Return the keys of all records that ever were parked."""
        entries = [entry for each in read_contents(self).objects.values() for entry in each]
        return {key for entry in entries for key in entry.parked_keys}

    def _waiting(self) -> list[Entry]:
        return [each.entry for each in waiting_in([read_contents(self)]).values()]


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
    """The real processor, which sometimes fails at an event without a reason, or at one that is broken.

    No event is a snapshot to it. Whether one comes before or after what waits has been released depends on
    the faults: no oracle could predict what it supersedes.
    """

    def __init__(
        self,
        repository: _Repository,
        plan: FaultPlan,
        random: Random,
        slice_size: int,
        broken: BrokenEvents,
    ) -> None:
        super().__init__(repository, slice_size=slice_size, park_after=PARK_AFTER)
        self._plan = plan
        self._random = random
        self._broken = broken

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        """Apply the event, or fail."""
        if self._plan.strikes(Fault.PROCESSOR, self._random):
            raise ConnectionError("injected: a service that the processor asks is down")
        if self._broken.fails(event.id):
            raise ConnectionError("injected: this event fails until it is mended")
        return super().apply(state, event)

    def is_snapshot(self, event: Event[LimitPayload], state: Limit | None) -> bool:  # noqa: ARG002
        """Return that it is none."""
        return False
