"""The peer: the same projection with the batch processor of Powertools for AWS Lambda, and Pydantic models.

The peer leaves out what the measured stream does not need, and is faster for it: other types of events,
events without a number, KPL records and gzipped records, upper bounds of texts and numbers, holding back
events after a failure, the deadline, the log, and a repository with its conflicts.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from benchmarks.literals import LimitStatus, LimitType, Period
from benchmarks.powertools_models import (
    EXACT,
    Change,
    Creation,
    EventRecord,
    Payload,
    UserLimitEvent,
)


@dataclass(slots=True)
class Limit:
    """A limit, changed in memory: that costs less than a new one for each event."""

    value: Decimal
    progress: Decimal = Decimal(0)
    status: LimitStatus = "ACTIVE"
    active_from: int | None = None
    active_until: int | None = None
    next_reset_time: int | None = None
    type: LimitType | None = None
    period: Period | None = None
    name: str | None = None
    brand_id: str | None = None
    currency_code: str | None = None
    drifted_at: int | None = None
    sequence_number: int = -1
    version: int = 0


class PowertoolsPeer:
    """A Lambda handler that stores the limits in a dictionary."""

    def __init__(self) -> None:
        self.limits: dict[tuple[str, str], Limit] = {}
        self._processor = BatchProcessor(event_type=EventType.KinesisDataStreams, model=EventRecord)

    def __call__(self, invocation: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return process_partial_response(invocation, self._handle_record, self._processor, context)

    def _handle_record(self, record: EventRecord) -> None:
        event = record.kinesis.data
        key = event.payload.user_id, event.payload.user_limit_id
        limit = after(self.limits.get(key), event)
        if limit is not None:
            self.limits[key] = limit


def after(limit: Limit | None, event: UserLimitEvent) -> Limit | None:
    """Return a limit after an event; None if it has seen that."""
    payload, at = event.payload, event.created_at
    if limit is not None:
        if event.sequence_number <= limit.sequence_number:
            return None
        if payload.currency_code != limit.currency_code:
            check_currency(limit, payload)
    limit = on_change(limit, payload, at) if isinstance(payload, Change) else on_creation(limit, payload, at)
    limit.sequence_number = event.sequence_number
    limit.version += 1
    return limit


def on_creation(limit: Limit | None, created: Creation, at: int) -> Limit:
    if limit is None:
        limit = Limit(created.value)
    limit.value = created.value
    limit.progress = created.progress if created.progress is not None else limit.progress
    limit.status = created.status
    limit.active_from = created.active_from if created.active_from is not None else at
    limit.active_until = created.active_until
    limit.next_reset_time = created.next_reset_time
    limit.type = created.type or limit.type
    limit.period = created.period
    limit.name = created.name
    adopt_brand(limit, created)
    return limit


def on_change(limit: Limit | None, changed: Change, at: int) -> Limit:
    if limit is None:
        raise ValueError("the limit is not known")
    before = changed.previous_progress if changed.previous_progress is not None else limit.progress
    progress = EXACT.add(before, changed.amount)
    value = limit.value
    if changed.remaining_amount is not None:
        value = EXACT.add(progress, changed.remaining_amount)
    if before != limit.progress or value != limit.value:
        limit.drifted_at = at
    limit.value, limit.progress = value, progress
    if changed.next_reset_time is not None:
        limit.next_reset_time = changed.next_reset_time
    adopt_brand(limit, changed)
    return limit


def adopt_brand(limit: Limit, payload: Payload) -> None:
    limit.brand_id = payload.brand_id or limit.brand_id
    limit.currency_code = payload.currency_code or limit.currency_code


def check_currency(limit: Limit, payload: Payload) -> None:
    if limit.currency_code is not None and payload.currency_code is not None:
        raise ValueError("the event is in another currency than the limit")
