"""Whatever is rejected, fails and is interrupted: nothing is forgotten, and nothing applied twice."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chaos.oracle import Oracle
from kinesis_handler import BusinessError, Event, KinesisHandler, RejectedError, Remarked
from kinesis_handler.aggregate import Key
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.quarantine.contents import DONE, read_contents, waiting_in
from kinesis_handler.quarantine.entry import WHOLE
from kinesis_handler.stores import Repository
from kinesis_handler.testing import FaultyRepository
from redrive.waiting import (
    FailingProcessor,
    clean_pass,
    created,
    deliver,
    give_up,
    left_of,
    on_shard,
    open_in,
    progress,
    redrive,
    repository,
    state_of,
    through_handler,
)
from streams import LIMITS, events, packed
from testkit.quarantine import MemoryQuarantine
from user_limits.events import LimitPayload
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

FAULTS = 4
"""Of each kind: interruptions, reading from the store, and writing to it."""


class Stopped(BaseException):
    """Ends a redrive as a signal does."""


class BrokenProcessor(UserLimitEventProcessor):
    """From some event of a limit on, it rejects or fails all events of that limit."""

    reader_name = "UserLimitEventProcessor"

    def __init__(self, repository: Repository[Limit], broken_from: dict[Key, int], random: Random) -> None:
        super().__init__(repository)
        self._broken_from = broken_from
        self._random = random
        self._decided: dict[tuple[int, int], bool] = {}

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        number, _ = position = event.record.position
        if number < self._broken_from[self.key(event)]:
            return super().apply(state, event)
        if self._decided.setdefault(position, self._random.random() < 0.5):
            raise RejectedError("injected: the schema is too narrow")
        raise BusinessError("injected: a rule is wrong")


class Interruptions:
    """Ends a redrive now and then, before or after something is kept."""

    def __init__(self, quarantine: MemoryQuarantine, random: Random) -> None:
        self.budget = FAULTS
        self._random = random
        quarantine.before = quarantine.after = self

    def __call__(self, _name: str) -> None:
        if self.budget and self._random.random() < 0.3:
            self.budget -= 1
            raise Stopped


def that_can_all_be_applied(stream: list[bytes]) -> list[bytes]:
    """Leave out what fails in a clean pass: behind it a redrive would hold back, and Lambda goes on."""
    records = list(put_on_shard(("-", each) for each in stream))
    failing = set(Oracle(records).given_up)
    pairs = zip(stream, records, strict=True)
    return [each for each, record in pairs if record["kinesis"]["sequenceNumber"] not in failing]


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a stream takes minutes
)
@given(data=st.data())
def test_whatever_fails_and_is_interrupted_in_the_end_the_state_equals_one_clean_pass(
    data: st.DataObject,
) -> None:
    # no more than an aggregate remembers ids of: what it has forgotten would be new to it
    stream = that_can_all_be_applied(data.draw(events())[:16])
    records = list(put_on_shard(data.draw(packed(stream))))
    random = Random(data.draw(st.integers()))
    numbers = [int(record["kinesis"]["sequenceNumber"]) for record in records]
    broken_from = {key: random.choice([*numbers, 10**60]) for key in LIMITS}
    quarantine, store = MemoryQuarantine(), repository()
    broken = KinesisHandler([BrokenProcessor(store, broken_from, random)], quarantine=quarantine)
    deliver(
        broken,
        records,
        quarantine,
        batch_size=data.draw(st.integers(1, 12)),
        bisect=data.draw(st.booleans()),
    )
    interruptions = Interruptions(quarantine, random)
    faulty = FaultyRepository(store, random, rate=0.2, budget=FAULTS)
    for _ in range(8 * FAULTS):
        way = through_handler(
            store, quarantine, UserLimitEventProcessor(faulty), random.randint(1, 5), accept_too_late=True
        )
        try:
            left = left_of(redrive(way, quarantine))
        except Stopped:
            continue
        if not left and not interruptions.budget:
            break
    interruptions.budget = 0
    redrive(through_handler(store, quarantine, accept_too_late=True), quarantine)
    assert state_of(store) == clean_pass(records)
    still_open = list(waiting_in([read_contents(quarantine)]))
    assert WHOLE not in {place.sub_sequence_number for place in still_open}
    assert {(str(each.sequence_number), each.sub_sequence_number) for each in still_open} == Oracle(
        records
    ).rejected.keys()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_was_sent_and_not_marked_is_sent_again_and_not_counted_twice(
    quarantine: MemoryQuarantine, moment: str
) -> None:
    store = repository()
    records = on_shard([created("e1"), *[progress(f"e{number}", 1) for number in range(2, 6)]])
    for start in (0, 3):
        give_up(quarantine, records[start : start + 3])
    processor = FailingProcessor(store)

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt(name)

    setattr(quarantine, moment, interrupt)
    with pytest.raises(KeyboardInterrupt, match=f"^{DONE}"):
        redrive(through_handler(store, quarantine, processor, batch_size=2), quarantine)
    assert len(processor.seen) == 2
    setattr(quarantine, moment, lambda _: None)
    assert open_in(quarantine) == ([0, 1, 2, 3, 4] if moment == "before" else [2, 3, 4])
    redrive(through_handler(store, quarantine, processor, batch_size=2), quarantine)
    assert processor.seen == ["e1", "e2", "e3", "e4", "e5"], "each was applied once"
    assert state_of(store) == clean_pass(records)
    assert open_in(quarantine) == []


def test_nothing_is_marked_before_it_has_been_sent(quarantine: MemoryQuarantine) -> None:
    store = repository()
    records = on_shard([created("e1")])
    give_up(quarantine, records)

    class Killed(FailingProcessor):
        def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
            super().apply(state, event)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redrive(through_handler(store, quarantine, Killed(store)), quarantine)
    assert open_in(quarantine) == [0]


def test_a_quarantine_that_takes_no_mark_ends_the_redrive(quarantine: MemoryQuarantine) -> None:
    give_up(quarantine, on_shard([created("e1"), created("e2", "ben")]))

    def full(name: str) -> Any:
        raise QuarantineError(f"it is full: {name}")

    quarantine.before = full
    processor = FailingProcessor(repository())
    with pytest.raises(QuarantineError, match=f"^it is full: {DONE}"):
        redrive(through_handler(repository(), quarantine, processor, batch_size=1), quarantine)
    assert processor.seen == ["e1"]
