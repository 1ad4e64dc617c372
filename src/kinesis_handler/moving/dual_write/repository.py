"""The repository made of two. See `migration.phase` for what each phase shows and writes, and who decides.

Where both sides are written, `led` has what happens if one of them decides, and `joined` if both do.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConflictError, UnstorableError
from kinesis_handler.moving.dual_write.follower import Follower
from kinesis_handler.moving.dual_write.joined import Joined
from kinesis_handler.moving.dual_write.led import Led
from kinesis_handler.moving.dual_write.read_side import ReadSide
from kinesis_handler.moving.dual_write.sides import OneSide
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.records import Standing
from kinesis_handler.stores import Change, Loaded, Page, Repository, Saved, by_key
from kinesis_handler.stores.part import Part
from kinesis_handler.stores.unreadable import OnUnreadable

State = TypeVar("State")

ROUNDS = 3
"""How often a key is looked at while others keep changing it."""

SAID_FOR = 30.0
"""Seconds after which it is said again that the target leads: it may have been taken back."""


class DualWriteRepository(Generic[State]):
    """Keeps aggregates in two repositories, as the phase says.

    Args:
        source: where they have been kept.
        target: where they are to be kept.
        phase: tells the phase. It may change at any moment, to a neighbour.
        ledger: where it is noted what either lacks, and what the target is to the source.
        clock: seconds, for how long something holds.
    """

    def __init__(
        self,
        source: Repository[State],
        target: Repository[State],
        phase: Callable[[], Phase],
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._target = target
        self._phase = phase
        self._records = ledger.records
        self._clock = clock
        self._said_at: float | None = None
        self._shown = ReadSide(source, target, phase)
        sides = OneSide(Side.SOURCE, source), OneSide(Side.TARGET, target)
        self._source_leads = Led(sides[0], Follower(Side.TARGET, target, ledger.of_target, clock))
        self._target_leads = Led(sides[1], Follower(Side.SOURCE, source, ledger.of_source, clock))
        self._joined = Joined(*sides, self._records.standing)
        self._if_target_is_read: Led[State] | Joined[State] = self._joined

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. Raises RepositoryError if it cannot be known who decides."""
        phase = self._phase()
        leads = phase is Phase.DUAL_READ_TARGET and self._records.standing() is Standing.LEADS
        self._if_target_is_read = self._target_leads if leads else self._joined
        match phase:
            case Phase.SOURCE:
                return self._source.load(keys)
            case Phase.TARGET:
                return self._target.load(keys)
            case Phase.DUAL_READ_SOURCE:
                mode: Led[State] | Joined[State] = self._source_leads
            case Phase.DUAL_READ_TARGET:
                mode = self._if_target_is_read
        loaded: Loaded[State] = Loaded({})
        left: Collection[Key] = dict.fromkeys(keys)
        for _ in range(ROUNDS):
            left = mode.load(left, loaded)
            if not left:
                return loaded
        loaded.failed |= dict.fromkeys(left, ConflictError("source and target kept changing"))
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. Whether the target leads, the load before it has asked."""
        by_key(changes)
        match self._phase():
            case Phase.SOURCE:
                return self._source.save(changes)
            case Phase.TARGET:
                self._say_that_the_target_leads()
                return self._target.save(changes)
            case Phase.DUAL_READ_SOURCE:
                return self._source_leads.save(changes)
            case Phase.DUAL_READ_TARGET:
                return self._if_target_is_read.save(changes)

    def refusal(self, aggregate: Aggregate[State]) -> UnstorableError | None:
        """See `Repository.refusal`. The side that decides says it; while both do, nothing is known."""
        match self._phase():
            case Phase.SOURCE | Phase.DUAL_READ_SOURCE:
                return self._source.refusal(aggregate)
            case Phase.TARGET:
                return self._target.refusal(aggregate)
            case Phase.DUAL_READ_TARGET:
                return None

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`. It shows the side that is read."""
        return self._shown.find(partition, limit=limit, cursor=cursor)

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`. While both sides are written, it is deleted on both."""
        phase = self._phase()
        if phase is not Phase.TARGET:
            self._source.delete(keys)
        if phase is not Phase.SOURCE:
            self._target.delete(keys)

    def scan(
        self, part: Part | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """See `Repository.scan`. It shows the side that is read."""
        return self._shown.scan(part, on_unreadable=on_unreadable)

    def _say_that_the_target_leads(self) -> None:
        """Note it before the target is written alone. Raises RepositoryError if that is not done."""
        now = self._clock()
        if self._said_at is None or now - self._said_at > SAID_FOR:
            if self._records.standing() is not Standing.LEADS:
                self._records.stand(Standing.LEADS)
            self._said_at = now
