"""Corners of parking that the chaos run has found."""

from kinesis_handler import KinesisHandler
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive import Redrive, Result
from kinesis_handler.quarantine.contents import done_in, read_contents, remove_finished
from kinesis_handler.stores.memory import MemoryRepository
from redrive.waiting import (
    FailingProcessor,
    clean_pass,
    created,
    event,
    give_up,
    on_shard,
    open_in,
    progress,
    redrive,
    repository,
    results_of,
    state_of,
    through_handler,
)
from testkit.quarantine import MemoryQuarantine
from user_limits.limit import Limit


def park(
    limits: MemoryRepository[Limit], quarantine: MemoryQuarantine, records: list[LambdaRecord], failing: str
) -> None:
    processor = FailingProcessor(limits, failing, park_after=0)
    KinesisHandler([processor], quarantine=quarantine).handle({"Records": records})


def test_a_repeat_of_a_recent_id_waits_too_since_it_may_not_be_recent_when_its_key_is_released() -> None:
    many = [progress(f"f{number}", 1) for number in range(RECENT_EVENT_IDS)]
    repeat = progress("e2", 1)
    records = on_shard([created("e1"), progress("e2", 1), progress("broken", 1), *many, repeat])
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, records, "broken")
    redrive(through_handler(limits, quarantine), quarantine)
    assert state_of(limits) == clean_pass(records)
    assert open_in(quarantine) == []


def test_a_repeat_of_a_recent_id_does_not_count_among_what_is_to_be_released() -> None:
    records = on_shard([created("e1"), progress("broken", 1), created("e1"), progress("e2", 1)])
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, records, "broken")
    assert open_in(quarantine) == [1, 2, 3]
    [parked] = limits.scan()
    assert parked.parked is not None
    assert parked.parked.count == 2
    sent = redrive(through_handler(limits, quarantine), quarantine)
    assert results_of(sent) == [(1, Result.APPLIED), (2, Result.DUPLICATE), (3, Result.APPLIED)]
    assert state_of(limits) == clean_pass(records)


def test_what_one_redrive_rejects_is_not_hidden_by_another_that_had_read_the_quarantine_before() -> None:
    inexact = event("e3", "PROGRESS_CHANGED", amount="1E-37", previousProgress="100")
    records = on_shard([created("e1"), progress("e2", 1), inexact, progress("e4", 1)])
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, records, "e2")
    late = Redrive([read_contents(quarantine)])
    results = results_of(redrive(through_handler(limits, quarantine), quarantine))
    assert results[1] == (2, Result.REJECTED)
    late_results = results_of(list(late.run(through_handler(limits, quarantine))))
    assert late_results[1] == (2, Result.SUPERSEDED)
    contents = [read_contents(quarantine)]
    assert open_in(quarantine) == [2]
    assert len(done_in(contents)) == 2
    assert remove_finished(contents) == 1
    assert open_in(quarantine) == [2]
    assert state_of(limits) == clean_pass(records)


def test_what_was_given_up_among_parked_events_is_applied_though_one_behind_it_fails_again() -> None:
    records = on_shard([created("e1"), progress("e2", 5), progress("broken", 1)])
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, [records[0], records[2]], "broken")
    give_up(quarantine, records[1:2])
    still = FailingProcessor(limits, "broken")
    redrive(through_handler(limits, quarantine, still), quarantine)
    assert (open_in(quarantine), state_of(limits)["anna", "bet"].version) == ([2], 2)
    still.failing.clear()
    redrive(through_handler(limits, quarantine, still), quarantine)
    assert (open_in(quarantine), state_of(limits)) == ([], clean_pass(records))
