"""A consumer that joins a stream in the middle: it meets events of limits that it does not know."""

import json
from decimal import Decimal
from typing import Any

from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import EventSourceMapping, put_on_shard
from kinesis_handler.outcome import Status
from kinesis_handler.testing import FakeClock
from redrive.waiting import repository
from testkit.quarantine import MemoryQuarantine
from user_limits.processor import UserLimitEventProcessor

LIMITS, ROUNDS = 50, 4
HOUR = 3_600
FIGURES = {"previousProgress": "10", "remainingAmount": "89"}
WHOLE_RESET = {"type": "BET", "period": "DAY", "resetAmount": "14", "unusedAmount": "86"}


class Joining:
    """Reads a stream whose records are an hour old, with the template's ten retries."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limits = repository()
        self.quarantine = MemoryQuarantine()
        self.counts = dict.fromkeys(Status, 0)
        self.invocations = self.given_up = 0
        processor = UserLimitEventProcessor(self.limits)
        self._handler = KinesisHandler([processor], quarantine=self.quarantine, now=self.clock)

    def read(self, events: list[tuple[str, dict[str, Any]]]) -> int:
        """Return how many batches there were."""
        mapping = EventSourceMapping(
            self._invoke,
            batch_size=20,
            maximum_retry_attempts=10,
            bisect_batch_on_function_error=True,
            on_failure=lambda _: setattr(self, "given_up", self.given_up + 1),
            clock=self.clock,
            sleep=self.clock.advance,
        )
        return sum(1 for _ in mapping.run(self._on_shard(events)))

    def _on_shard(self, events: list[tuple[str, dict[str, Any]]]) -> list[LambdaRecord]:
        numbered = [
            (
                payload["userId"],
                {"eventId": f"e{n}", "type": f"USER_LIMIT_{kind}", "createdAt": n, "payload": payload},
            )
            for n, (kind, payload) in enumerate(events)
        ]
        contents = [(key, json.dumps(event).encode()) for key, event in numbered]
        return list(put_on_shard(contents, clock=lambda: self.clock() - HOUR))

    def _invoke(self, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        self.invocations += 1
        result = self._handler.handle(invocation, context)
        for status, number in result.counts().items():
            self.counts[status] += number
        return result.response()


def of_each_limit(kind: str, **payload: str) -> list[tuple[str, dict[str, Any]]]:
    return [(kind, {"userId": f"u{n}", "userLimitId": "bet", **payload}) for n in range(LIMITS)]


def test_changes_that_say_all_rebuild_the_limits_without_any_retry() -> None:
    joining = Joining()
    batches = joining.read(of_each_limit("PROGRESS_CHANGED", amount="1", **FIGURES) * ROUNDS)
    assert (joining.invocations, joining.given_up) == (batches, 0)
    assert joining.counts[Status.APPLIED] == LIMITS * ROUNDS
    assert [(each.state.value, each.state.progress) for each in joining.limits.scan()] == [
        (Decimal(100), Decimal(11))
    ] * LIMITS
    assert not joining.quarantine.objects


def test_changes_that_do_not_are_parked_at_once_and_released_by_the_next_reset() -> None:
    joining = Joining()
    begun = joining.clock()
    changes = of_each_limit("PROGRESS_CHANGED", amount="1") * ROUNDS
    batches = joining.read([*changes, *of_each_limit("RESET", **WHOLE_RESET)])
    assert (joining.invocations, joining.given_up, joining.clock()) == (batches, 0, begun)
    assert (joining.counts[Status.PARKED], joining.counts[Status.APPLIED]) == (LIMITS * ROUNDS, LIMITS)
    stored = list(joining.limits.scan_stored())
    assert [each.is_parked for each in stored] == [False] * LIMITS
    assert [(each.state.value, each.state.progress) for each in joining.limits.scan()] == [
        (Decimal(100), Decimal(0))
    ] * LIMITS
