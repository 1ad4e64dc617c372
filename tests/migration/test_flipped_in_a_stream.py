"""A stream with failures of both stores, its phase flipped at random in the middle: the state is that of one
clean pass.
"""

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos.oracle import Oracle
from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import LambdaContext
from kinesis_handler.local.event_source import EventSourceMapping, put_on_shard
from kinesis_handler.moving.dual_write import DualWriteRepository
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Record, Records, Standing
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from migration.writers import DUAL, neighbours
from streams import events, packed
from test_guarantees import FAULTS, check_state
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from kinesis_handler.stores import Repository
    from user_limits.limit import Limit

thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Moving:
    """A function whose stores are being changed while it runs."""

    def __init__(self, random: Random, *, faults: int) -> None:
        self.random = random
        self.phase = random.choice(list(Phase))
        self.clock = FakeClock()
        self.source: Repository[Limit] = MemoryRepository()
        self.target: Repository[Limit] = MemoryRepository()
        self.repairs = MemoryRepository[Repair](), MemoryRepository[Repair]()
        records = Records(MemoryRepository[Record](), self.clock)
        of_target, of_source = self.repairs
        self.ledger = Ledger(Repairs(of_target), Repairs(of_source), records)
        repository = DualWriteRepository(
            FaultyRepository(self.source, random, rate=0.2, budget=faults),
            FaultyRepository(self.target, random, rate=0.2, budget=faults),
            lambda: self.phase,
            Ledger(
                Repairs(FaultyRepository(of_target, random, budget=1)),
                Repairs(FaultyRepository(of_source, random, budget=1)),
                records,
            ),
            self.clock,
        )
        self._handler = KinesisHandler([UserLimitEventProcessor(repository, attempts=3)])

    def __call__(self, invocation: dict[str, Any], context: LambdaContext) -> object:
        if self.random.random() < 0.3:
            self.flip()
        return self._handler(invocation, context)

    def flip(self) -> None:
        """Go on or back by one phase, with the check that the step needs."""
        following = self.random.choice(neighbours(self.phase))
        if self.phase is Phase.DUAL_READ_TARGET:
            self.verify(self.random.choice([None, Standing.LEADS]))
            while (
                following is Phase.DUAL_READ_SOURCE and self.ledger.records.standing() is not Standing.FOLLOWS
            ):
                self.clock.advance(60)
                self.verify(Standing.FOLLOWS)
        self.clock.advance(60)
        self.phase = following

    def verify(self, then: Standing | None = None) -> None:
        """Compare and repair until nothing differs."""
        sleep = self.clock.advance
        while list(
            Verification(
                self.source,
                self.target,
                self.phase,
                self.ledger,
                repair=True,
                then=then,
                clock=self.clock,
                sleep=sleep,
            ).run()
        ):
            pass


@thorough
@given(data=st.data())
def test_whatever_fails_and_whenever_the_phase_changes_the_state_equals_one_clean_pass(
    data: st.DataObject,
) -> None:
    records = list(put_on_shard(data.draw(packed(data.draw(events(may_fail=False))))))
    moving = Moving(Random(data.draw(st.integers(0))), faults=FAULTS)
    mapping = EventSourceMapping(
        moving,
        batch_size=data.draw(st.integers(1, 8)),
        maximum_retry_attempts=20 * FAULTS,
        bisect_batch_on_function_error=True,
        clock=moving.clock,
        sleep=moving.clock.advance,
    )
    for _ in mapping.run(records):
        pass
    oracle = Oracle(records)
    if moving.phase in DUAL:
        moving.verify()
        assert not any(list(each.scan()) for each in moving.repairs)
        check_state(moving.source, oracle)
        check_state(moving.target, oracle)
    check_state(moving.target if moving.phase.reads_target else moving.source, oracle)
