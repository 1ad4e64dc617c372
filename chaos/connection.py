"""The connection between the handlers and the table, on which requests fail and others interrupt."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from random import Random
from threading import Lock, get_ident
from typing import Any

from botocore.awsrequest import AWSResponse

from chaos.faults import Fault, FaultPlan
from kinesis_handler.stores.dynamodb.connection import READ_TIMEOUT
from kinesis_handler.testing import FakeClock
from testkit.emulators import wire
from testkit.emulators.wire import Answer, Call, failing_statements, leaving_unprocessed

READ, WRITE = "BatchGetItem", "BatchExecuteStatement"

LATENCY = 0.02
"""Seconds that a request takes."""

_OF_STATEMENTS = {
    Fault.STATEMENTS_THROTTLED: ("ThrottlingError", False),
    Fault.STATEMENTS_ERROR_BEFORE: ("InternalServerError", False),
    Fault.STATEMENTS_ERROR_AFTER: ("InternalServerError", True),
}
_OF_REQUESTS: dict[Fault, wire.Fault] = {
    Fault.THROTTLED: wire.error("ProvisionedThroughputExceededException"),
    Fault.UNREACHABLE: wire.unreachable,
    Fault.ERROR_BEFORE: wire.error("InternalServerError", HTTPStatus.INTERNAL_SERVER_ERROR),
    Fault.ERROR_AFTER: wire.server_error,
    Fault.CUT_BEFORE: wire.undelivered,
    Fault.CUT_AFTER: wire.cut,
    Fault.TIMEOUT: wire.timeout,
}


class FaultyConnection:
    """Answers instead of DynamoDB when a fault occurs.

    The threads of a repository share it. Therefore the fault of a request is drawn from its content, and from
    how often it was sent before. Only the thread of the run lets time pass, or can be interrupted.

    Args:
        seed: seed of the run.
        plan: decides which faults there are at the moment.
        clock: clock of the run.
        table: the table's name, which is no part of a request's content.
    """

    def __init__(self, seed: int, plan: FaultPlan, clock: FakeClock, table: str) -> None:
        self._seed = seed
        self._plan = plan
        self._clock = clock
        self._table = table
        self._home = get_ident()
        self._outage = 0
        self._asked: Counter[str] = Counter()
        self._lock = Lock()
        self._interruption: Callable[[], object] | None = None
        self._requests_before = 0
        self._when_done = False

    @contextmanager
    def interrupted(
        self, action: Callable[[], object], *, requests_before: int, when_done: bool
    ) -> Iterator[None]:
        """Run an action in the middle of a request: before it is sent, or before its answer is known.

        Args:
            action: the action, which runs once.
            requests_before: number of requests of the same thread that come before.
            when_done: whether the request has taken effect by then.
        """
        outer = self._interruption, self._requests_before, self._when_done
        self._interruption, self._requests_before, self._when_done = action, requests_before, when_done
        try:
            yield
        finally:
            self._interruption, self._requests_before, self._when_done = outer

    def __call__(self, call: Call) -> Answer | AWSResponse:
        """Inject a fault into a request, or let the request pass."""
        if get_ident() != self._home:
            return self._fault(call)(call)
        self._clock.advance(LATENCY)
        fault, action = self._fault(call), self._due()
        if action is None:
            return fault(call)
        return wire.then(fault, action)(call) if self._when_done else wire.after(action, fault)(call)

    def _due(self) -> Callable[[], object] | None:
        action = self._interruption
        if action is None or self._requests_before > 0:
            self._requests_before -= 1
            return None
        self._interruption = None
        return action

    def _fault(self, call: Call) -> wire.Fault:
        rates = self._plan.rates
        if not rates:
            return Call.forward
        random = self._random_for(call)
        drawn = random.random()
        for fault, befall in _befalling(call.operation, random):
            drawn -= rates.get(fault, 0)
            if drawn < 0:
                self._plan.count(fault)
                if fault is Fault.TIMEOUT and get_ident() == self._home:
                    self._clock.advance(READ_TIMEOUT)
                return befall
        return Call.forward

    def _random_for(self, call: Call) -> Random:
        asked = blake2b(call.text.replace(self._table, "").encode()).hexdigest()
        outage = self._plan.outages
        with self._lock:
            if outage != self._outage:
                self._outage = outage
                self._asked.clear()
            times = self._asked[asked]
            self._asked[asked] += 1
        return Random(f"{self._seed}/{outage}/{asked}/{times}")


def _befalling(operation: str, random: Random) -> Iterator[tuple[Fault, wire.Fault]]:
    """Yield the faults that a request can have, each with its effect."""
    yield from _OF_REQUESTS.items()
    yield Fault.INCOMPLETE, _incomplete
    if operation == READ:
        yield Fault.UNPROCESSED, partial(_unprocessed, random)
    if operation == WRITE:
        for fault, (code, done) in _OF_STATEMENTS.items():
            yield fault, partial(_statements_fail, random, code, done)


def _incomplete(call: Call) -> AWSResponse:
    text = json.dumps(call.send())
    return wire.response(HTTPStatus.OK, text[: len(text) // 2])


def _unprocessed(random: Random, call: Call) -> Answer:
    [asked] = call.body["RequestItems"].values()
    left = _some(random, asked["Keys"])
    return leaving_unprocessed(call, lambda index, _key: index in left)


def _statements_fail(random: Random, code: str, done: bool, call: Call) -> Answer:  # noqa: FBT001 - of a table
    return failing_statements(call, code, _some(random, call.body["Statements"]), done=done)


def _some(random: Random, things: list[Any]) -> set[int]:
    """Return the indexes of some of the items, at least one."""
    return set(random.sample(range(len(things)), random.randint(1, -(-len(things) // 3))))
