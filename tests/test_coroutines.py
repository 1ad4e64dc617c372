"""Processors made of a coroutine function: keys at once, the events of a key in order, until the deadline."""

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from random import Random
from threading import Event as Signal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    KinesisHandler,
    RejectedError,
    event_processor,
)
from kinesis_handler.batch import Batch
from kinesis_handler.coroutines import CoroutineProcessor
from kinesis_handler.errors import HeldBackError, InvalidResultError, OutOfTimeError, UnexpectedError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import BatchResult
from kinesis_handler.testing import FakeClock, invocation
from testkit.coroutines import run

ENOUGH = 60
"""Seconds that no test needs."""


class Sent(Struct):
    to: str
    text: str


def batch_of(*texts: str) -> dict[str, Any]:
    """Return an invocation with events such as `a1`: to whom, and what."""
    return invocation(
        {"eventId": text, "type": "SENT", "createdAt": 0, "payload": {"to": text[0], "text": text[1:]}}
        for text in texts
    )


def by_receiver(
    function: Callable[[Event[Sent]], Awaitable[object]], concurrency: int = 16
) -> CoroutineProcessor[Sent]:
    make = event_processor({"SENT": Sent}, key=lambda event: event.payload.to, concurrency=concurrency)
    return make(function)


def statuses(result: BatchResult) -> dict[str, str]:
    return {each.event.id: each.outcome.status.value for each in result if each.event is not None}


def errors_of(result: BatchResult) -> dict[str, Exception]:
    found = ((each.event, each.outcome.error) for each in result)
    return {event.id: error for event, error in found if event is not None and error is not None}


def test_keys_are_processed_at_once_and_the_events_of_a_key_in_order() -> None:
    taken: list[str] = []
    all_begun = asyncio.Barrier(3)

    async def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "1":
            await all_begun.wait()  # nobody goes on before all three have begun
        taken.append(event.id)

    result = KinesisHandler([by_receiver(deliver)]).handle(batch_of("a1", "a2", "b1", "c1", "a3", "c2"))
    assert set(statuses(result).values()) == {"applied"}
    for key, texts in {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1", "c2"]}.items():
        assert [each for each in taken if each[0] == key] == texts


def test_no_more_run_at_once_than_are_allowed() -> None:
    running: set[str] = set()
    most = 0

    async def deliver(event: Event[Sent]) -> None:
        nonlocal most
        running.add(event.id)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.discard(event.id)

    handler = KinesisHandler([by_receiver(deliver, concurrency=3)])
    assert (
        len(handler.handle(batch_of(*(f"{key}{text}" for text in "123" for key in "abcdefgh"))).applied())
        == 24
    )
    assert most == 3


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), concurrency=st.integers(1, 5))
def test_however_they_fail_a_key_s_events_end_as_one_after_the_other(seed: int, concurrency: int) -> None:
    random = Random(seed)
    events = [f"{random.choice('abcd')}{number}" for number in range(20)]
    fails = {each for each in events if random.random() < 0.15}
    rejected = {each for each in events if random.random() < 0.1}
    steps = {each: random.randrange(4) for each in events}
    taken: dict[str, list[str]] = defaultdict(list)

    def end(event: Event[Sent]) -> None:
        if event.id in fails:
            raise BusinessError("not yet")
        if event.id in rejected:
            raise RejectedError("never")
        taken[event.payload.to].append(event.id)

    async def deliver(event: Event[Sent]) -> None:
        for _ in range(steps[event.id]):
            await asyncio.sleep(0)
        end(event)

    at_once = KinesisHandler([by_receiver(deliver, concurrency)]).handle(batch_of(*events))
    taken_at_once = dict(taken)
    taken.clear()
    plain = event_processor({"SENT": Sent}, key=lambda event: event.payload.to)(end)
    one_by_one = KinesisHandler([plain]).handle(batch_of(*events))
    assert statuses(at_once) == statuses(one_by_one)
    assert taken_at_once == taken


def test_an_exception_fails_its_event_and_holds_back_the_later_ones_of_its_key_only() -> None:
    async def deliver(event: Event[Sent]) -> None:
        if event.id == "a1":
            raise ZeroDivisionError

    result = KinesisHandler([by_receiver(deliver)]).handle(batch_of("a1", "b1", "a2", "b2"))
    assert statuses(result) == {"a1": "failed", "b1": "applied", "a2": "failed", "b2": "applied"}
    errors = errors_of(result)
    assert isinstance(errors["a1"], UnexpectedError)
    assert isinstance(errors["a2"], HeldBackError)


def test_what_hangs_is_cancelled_at_the_deadline_and_what_has_not_begun_is_out_of_time() -> None:
    cancelled = Signal()

    async def deliver(event: Event[Sent]) -> None:
        if event.payload.to == "a":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    handler = KinesisHandler([by_receiver(deliver, concurrency=2)], reserve_ms=0)
    context = LocalContext(time.monotonic, time.monotonic() + 0.2)
    result = handler.handle(batch_of("a1", "b1", "a2", "b2"), context)
    assert cancelled.is_set()
    assert statuses(result) == {"a1": "failed", "b1": "applied", "a2": "failed", "b2": "applied"}
    errors = errors_of(result)
    assert "was cancelled" in str(errors["a1"])
    assert [type(each) for each in errors.values()] == [OutOfTimeError, OutOfTimeError]


@pytest.mark.parametrize("how", ["blocks the loop", "swallows its cancellation"])
def test_a_coroutine_that_cannot_be_cancelled_does_not_keep_the_handler_from_answering(how: str) -> None:
    released = Signal()

    async def deliver(event: Event[Sent]) -> None:
        if event.id != "a1":
            return
        if how == "blocks the loop":
            released.wait(ENOUGH)
            return
        while not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    handler = KinesisHandler([by_receiver(deliver, concurrency=1)], reserve_ms=0)
    context = LocalContext(time.monotonic, time.monotonic() + 0.2)
    result = handler.handle(batch_of("a1", "a2"), context)
    assert statuses(result) == {"a1": "failed", "a2": "failed"}
    released.set()
    assert statuses(handler.handle(batch_of("a2"))) == {"a2": "applied"}
    assert statuses(result) == {"a1": "failed", "a2": "failed"}


def test_when_time_runs_out_nothing_further_is_begun_and_what_has_begun_may_end() -> None:
    clock = FakeClock()
    taken: list[str] = []
    both = asyncio.Barrier(2)

    async def deliver(event: Event[Sent]) -> None:
        await both.wait()
        clock.advance(3)
        taken.append(event.id)

    handler = KinesisHandler([by_receiver(deliver, concurrency=2)])
    result = handler.handle(batch_of("a1", "b1", "a2", "b2"), LocalContext(clock, clock() + 8))
    assert sorted(taken) == ["a1", "b1"]
    assert statuses(result) == {"a1": "applied", "b1": "applied", "a2": "failed", "b2": "failed"}
    assert {type(each) for each in errors_of(result).values()} == {OutOfTimeError}


def test_a_first_event_is_processed_however_late_it_is() -> None:
    clock = FakeClock()
    taken: list[str] = []

    async def deliver(event: Event[Sent]) -> None:
        await asyncio.sleep(0)
        taken.append(event.id)

    handler = KinesisHandler([by_receiver(deliver, concurrency=1)])
    result = handler.handle(batch_of("a1", "a2"), LocalContext(clock, clock() - 1))
    assert statuses(result) == {"a1": "applied", "a2": "failed"}
    assert taken == ["a1"]


def test_context_variables_reach_the_coroutines() -> None:
    tenant = ContextVar("tenant", default="nobody")
    seen: list[str] = []

    async def deliver(event: Event[Sent]) -> None:
        seen.append(tenant.get())
        tenant.set(event.id)

    token = tenant.set("acme")
    try:
        KinesisHandler([by_receiver(deliver)])(batch_of("a1", "b1"))
        assert (seen, tenant.get()) == (["acme", "acme"], "acme")
    finally:
        tenant.reset(token)


def test_the_loop_is_the_same_from_batch_to_batch_so_that_clients_live_on() -> None:
    loops: dict[str, asyncio.AbstractEventLoop] = {}

    async def deliver(event: Event[Sent]) -> None:
        loops[event.id] = asyncio.get_running_loop()

    KinesisHandler([by_receiver(deliver)])(batch_of("a1"))
    KinesisHandler([by_receiver(deliver)])(batch_of("a2"))
    assert loops["a1"] is loops["a2"]


def test_the_handler_may_be_called_where_a_loop_runs_already() -> None:
    async def deliver(event: Event[Sent]) -> None:
        await asyncio.sleep(len(event.id) * 0)

    async def a_notebook() -> BatchResult:
        return KinesisHandler([by_receiver(deliver)]).handle(batch_of("a1"))

    assert statuses(run(a_notebook())) == {"a1": "applied"}


def test_a_coroutine_that_cancels_itself_fails_and_the_others_go_on() -> None:
    async def deliver(event: Event[Sent]) -> None:
        if event.id == "a1":
            raise asyncio.CancelledError

    result = KinesisHandler([by_receiver(deliver, concurrency=1)]).handle(batch_of("a1", "b1"))
    assert statuses(result) == {"a1": "failed", "b1": "applied"}
    assert "not by the handler" in str(errors_of(result)["a1"])


def test_what_is_no_exception_ends_the_caller_as_in_a_plain_function() -> None:
    async def deliver(event: Event[Sent]) -> None:
        raise SystemExit(event.id)

    with pytest.raises(SystemExit, match="a1"):
        KinesisHandler([by_receiver(deliver)])(batch_of("a1", "b1"))


def test_a_coroutine_that_returns_what_has_not_run_fails() -> None:
    async def never(event: Event[Sent]) -> None: ...

    async def deliver(event: Event[Sent]) -> object:
        return never(event)

    result = KinesisHandler([by_receiver(deliver)]).handle(batch_of("a1"))
    assert isinstance(errors_of(result)["a1"], InvalidResultError)


def test_a_key_that_raises_or_has_no_hash_fails_its_event_alone() -> None:
    keys: dict[str, object] = {"a": [], "b": "b"}

    @event_processor({"SENT": Sent}, key=lambda event: keys[event.payload.to])
    async def deliver(event: Event[Sent]) -> None: ...

    result = KinesisHandler([deliver]).handle(batch_of("a1", "b1", "c1"))
    assert statuses(result) == {"a1": "failed", "b1": "applied", "c1": "failed"}


def test_by_default_events_of_a_partition_key_are_in_order() -> None:
    taken: list[str] = []

    @event_processor({"SENT": Sent})
    async def deliver(event: Event[Sent]) -> None:
        await asyncio.sleep(0.001 if event.id == "a1" else 0)
        taken.append(event.id)

    KinesisHandler([deliver])(
        invocation(
            [
                {"eventId": each, "type": "SENT", "createdAt": 0, "payload": {"to": "", "text": ""}}
                for each in ("a1", "b1")
            ],
            partition_key="same",
        )
    )
    assert taken == ["a1", "b1"]


class Mailbox:
    async def __call__(self, event: Event[Sent]) -> None: ...

    async def method(self, event: Event[Sent]) -> None: ...


@pytest.mark.parametrize(
    "function", [Mailbox(), Mailbox().method, partial(Mailbox())], ids=["object", "method", "partial"]
)
def test_whatever_is_called_as_a_coroutine_function_is_one(
    function: Callable[[Any], Awaitable[object]],
) -> None:
    result = KinesisHandler([by_receiver(function)]).handle(batch_of("a1"))
    assert statuses(result) == {"a1": "applied"}


def test_a_coroutine_function_takes_upcasters_too() -> None:
    taken: list[str] = []

    @event_processor({"SENT": Sent}, upcast={("SENT", 1): lambda old: {"to": old["receiver"], "text": "?"}})
    async def deliver(event: Event[Sent]) -> None:
        taken.append(event.payload.to)

    old = {"eventId": "1", "type": "SENT", "createdAt": 0, "payload": {"receiver": "a"}}
    KinesisHandler([deliver])(invocation([old]))
    assert taken == ["a"]


def test_a_decorated_coroutine_function_is_still_awaited_as_it_was() -> None:
    @event_processor({"SENT": Sent})
    async def deliver(event: Event[Sent]) -> None:
        """Deliver it."""
        raise RejectedError(event.id)

    [event] = [each.event for each in KinesisHandler([deliver]).handle(batch_of("a1"))]
    assert event is not None
    assert deliver.__doc__ == "Deliver it."
    with pytest.raises(RejectedError, match="a1"):
        run(deliver(event))


@pytest.mark.parametrize("wrong", [0, 1.5, "16"])
def test_a_concurrency_that_is_no_number_from_one_up_is_refused(wrong: Any) -> None:
    async def deliver(event: Event[Sent]) -> None: ...

    with pytest.raises(
        ConfigurationError, match=f"the concurrency of deliver is {wrong!r}; allowed: a whole"
    ):
        by_receiver(deliver, concurrency=wrong)


def test_a_concurrency_of_a_plain_function_is_refused() -> None:
    def deliver(event: Event[Sent]) -> None: ...

    with pytest.raises(
        ConfigurationError, match="deliver has a concurrency of 4, and is no coroutine function"
    ):
        event_processor({"SENT": Sent}, concurrency=4)(deliver)


def test_a_processor_is_tested_with_a_batch_of_one_s_own() -> None:
    async def deliver(event: Event[Sent]) -> None: ...

    processor, batch = by_receiver(deliver), Batch()
    [event] = [each.event for each in KinesisHandler([processor]).handle(batch_of("a1"))]
    assert event is not None
    processor.process([event], batch)
    assert [each.status.value for each in batch.outcomes.values()] == ["applied"]


PROGRAM = """
import os, sys
from kinesis_handler import KinesisHandler, event_processor
from kinesis_handler.testing import invocation
assert "kinesis_handler.coroutines" not in sys.modules

@event_processor({"SENT": dict})
async def deliver(event): ...

sent = invocation([{"eventId": "1", "type": "SENT", "createdAt": 0, "payload": {}}])
handler = KinesisHandler([deliver])
assert handler.handle(sent).applied()
if (child := os.fork()) == 0:
    os._exit(0 if handler.handle(sent).applied() else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.other_programs
def test_the_loop_is_started_when_it_is_needed_again_in_a_fork_and_ends_with_the_process() -> None:
    program = [sys.executable, "-W", "error", "-X", "dev", "-c", PROGRAM]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=ENOUGH, env=os.environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
