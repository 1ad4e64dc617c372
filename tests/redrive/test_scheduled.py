"""The scheduled redrive: what can heal by itself does, and its figures say what does not."""

import json
from pathlib import Path

import pytest

from kinesis_handler import KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.telemetry.metrics import EmbeddedMetrics
from kinesis_handler.testing import FakeClock
from redrive.waiting import (
    FailingProcessor,
    clean_pass,
    created,
    give_up,
    on_shard,
    open_in,
    progress,
    repository,
    state_of,
)
from telemetry.emf import metrics_in
from testkit.quarantine import MemoryQuarantine
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.scheduled_redrive import RESERVE_MS, ScheduledRedrive
from user_limits.wiring import redrive

Limits = MemoryRepository[Limit]

PLENTY = RESERVE_MS / 1_000 + 500


def scheduled(
    limits: Limits, quarantine: MemoryQuarantine, *failing: str, on_failure: MemoryQuarantine | None = None
) -> ScheduledRedrive:
    handler = KinesisHandler([FailingProcessor(limits, *failing)], quarantine=quarantine)
    return ScheduledRedrive(Application(handler, quarantine=quarantine, on_failure=on_failure))


def park(limits: Limits, quarantine: Quarantine, contents: list[object], *failing: str) -> None:
    """Deliver events, some of which fail, and park those at once."""
    handler = KinesisHandler([FailingProcessor(limits, *failing, park_after=0)], quarantine=quarantine)
    handler.handle({"Records": on_shard(contents)})


def context(seconds: float = PLENTY) -> LocalContext:
    clock = FakeClock()
    return LocalContext(clock, clock() + seconds)


EVENTS: list[object] = [created("e1"), progress("e2", 1), progress("e3", 2), created("e4", "ben")]


def test_what_was_parked_is_released_when_its_cause_is_gone() -> None:
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, EVENTS, "e2")
    assert open_in(quarantine) == [1, 2]
    assert scheduled(limits, quarantine)({}, context()) == {"released": 2, "waiting": 0}
    assert state_of(limits) == clean_pass(on_shard(EVENTS))
    assert open_in(quarantine) == []
    assert scheduled(limits, quarantine)({}, context()) == {"released": 0, "waiting": 0}


def test_what_fails_again_waits_and_is_counted() -> None:
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, EVENTS, "e2", "e4")
    assert scheduled(limits, quarantine, "e2")({}, context()) == {"released": 1, "waiting": 2}
    assert open_in(quarantine) == [1, 2]


def test_what_was_given_up_is_sent_too_and_what_comes_too_late_is_left_to_a_person() -> None:
    limits, quarantine, on_failure = repository(), MemoryQuarantine(), MemoryQuarantine()
    handler = KinesisHandler([UserLimitEventProcessor(limits)], quarantine=quarantine)
    records = on_shard([created("e1"), progress("e2", 1), progress("e3", 2), created("e4", "ben")])
    handler.handle({"Records": [records[0], records[2]]})
    give_up(on_failure, records[1:2])
    give_up(on_failure, records[3:])
    redriven = scheduled(limits, quarantine, on_failure=on_failure)({}, context())
    assert redriven == {"released": 1, "waiting": 0}
    assert open_in(on_failure) == [1]


def test_what_was_rejected_is_left_to_a_person() -> None:
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, [b"{", *EVENTS], "e2")
    processor = FailingProcessor(limits)
    handler = KinesisHandler([processor], quarantine=quarantine)
    figures = ScheduledRedrive(Application(handler, quarantine=quarantine))({}, context())
    assert figures == {"released": 2, "waiting": 0}
    assert open_in(quarantine) == [0]
    assert processor.seen == ["e2", "e3"]


def test_nothing_is_begun_without_enough_time_left_and_the_next_run_continues() -> None:
    limits, quarantine = repository(), MemoryQuarantine()
    park(limits, quarantine, EVENTS, "e2", "e4")
    assert open_in(quarantine) == [1, 2, 3]
    runs = [scheduled(limits, quarantine)({}, context(RESERVE_MS / 1_000 - 1)) for _ in range(2)]
    assert [each["released"] for each in runs] == [2, 1]
    assert state_of(limits) == clean_pass(on_shard(EVENTS))


def test_a_quarantine_that_cannot_be_read_fails_the_run() -> None:
    class Down(MemoryQuarantine):
        def names(self) -> object:  # type: ignore[override]
            raise QuarantineError("it is down")

    with pytest.raises(QuarantineError, match="it is down"):
        scheduled(repository(), Down())({}, context())


def test_its_figures_are_metrics_of_a_service_of_its_own() -> None:
    limits, quarantine, lines = repository(), MemoryQuarantine(), list[str]()
    park(limits, quarantine, EVENTS, "e2", "e4")
    handler = KinesisHandler([FailingProcessor(limits, "e4")], quarantine=quarantine)
    metrics = EmbeddedMetrics("limits-redrive", lines.append)
    ScheduledRedrive(Application(handler, quarantine=quarantine), metrics)({}, context())
    [line] = lines
    assert metrics_in(line) == {"Released": ("Count", [2]), "Waiting": ("Count", [1])}
    assert json.loads(line)["service"] == "limits-redrive"


def test_the_function_is_built_from_the_settings(tmp_path: Path) -> None:
    function = redrive({"QUARANTINE_URL": tmp_path.as_uri()})
    assert function({}, context()) == {"released": 0, "waiting": 0}
