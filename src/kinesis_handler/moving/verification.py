"""A verification: everything is compared, what differs repaired if asked for, and the result kept."""

import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from kinesis_handler.moving.comparison import Comparison, Difference
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import STANDING, VERIFIED, Record, Standing
from kinesis_handler.stores import Repository

State = TypeVar("State")

LONGEST_INVOCATION = 60
"""Seconds after which no handler works any more by what it read before."""


class Verification(Generic[State]):
    """Compares source and target of a move.

    Args:
        source: one side.
        target: the other one.
        phase: that the switch shows.
        ledger: the notes of the move.
        repair: whether what differs is repaired.
        then: what the target is to be to the source if nothing differs: it leads, for which all handlers must
            be in `dual-read-target`; or on the way back it follows again.
        clock: seconds since epoch.
        sleep: called with seconds.
    """

    def __init__(  # noqa: PLR0913 - it takes all that there is of a move
        self,
        source: Repository[State],
        target: Repository[State],
        phase: Phase,
        ledger: Ledger,
        *,
        repair: bool = False,
        then: Standing | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._comparison = Comparison(source, target, phase, ledger.records, repair=repair, sleep=sleep)
        self.counts = self._comparison.counts
        self._ledger = ledger
        self._repair = repair
        self._then = then
        self._clock = clock

    def run(self) -> Iterator[Difference]:
        """Compare everything, and yield what differs. Raises RepositoryError if it cannot be done.

        On the way back, the first verification tells all handlers that the target does not lead any more. The
        second one, when no handler works by what it read before that, ends the way back.
        """
        records = self._ledger.records
        begun = records.get(STANDING)
        standing = begun.state.standing if begun is not None else Standing.FOLLOWS
        if self._then is Standing.FOLLOWS and standing is Standing.LEADS:
            records.stand(Standing.RETURNS)
        if self._repair:
            for repairs in (self._ledger.of_target, self._ledger.of_source):
                repairs.remove([entry.key for entry in repairs.pending()])
        began_at = self._clock()
        yield from self._comparison.run()
        left = self.counts.differ - self.counts.repaired
        if not left and begun is not None and standing is Standing.RETURNS and self._then is Standing.FOLLOWS:
            if began_at - begun.updated_at / 1_000 >= LONGEST_INVOCATION:
                records.stand(Standing.FOLLOWS)
        elif not left and standing is not Standing.LEADS and self._then is Standing.LEADS:
            records.stand(Standing.LEADS)
        done = Record(done=True, seen=self.counts.compared, left=left)
        records.put(VERIFIED, done)
