"""Moves the times of recorded events, so that the recording ended a moment ago. For demonstrations only."""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from kinesis_handler.lambda_types import LambdaRecord

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

TIMES = ("activeFrom", "activeUntil", "nextResetTime")
"""Fields of payloads that are times, in milliseconds since epoch."""


def moved_to_now(
    records: Iterable[LambdaRecord], *, clock: Callable[[], float] = time.time
) -> list[LambdaRecord]:
    """Return records whose newest event was created now, and all other times as long before or after it.

    Data that is no JSON object stays as it is: what becomes of it is part of the recording.
    """
    recorded = [(record, _decoded(record)) for record in records]
    newest = max((at for _, event in recorded if (at := _created_at(event)) is not None), default=None)
    if newest is None:
        return [record for record, _ in recorded]
    later = int(clock() * 1_000) - newest
    return [_with_data(record, _moved(event, later)) if event else record for record, event in recorded]


def _decoded(record: LambdaRecord) -> dict[str, Any] | None:
    try:
        event = _decoder.decode(b64decode(record["kinesis"]["data"]))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _created_at(event: dict[str, Any] | None) -> int | None:
    at = event.get("createdAt") if event is not None else None
    return at if type(at) is int else None


def _moved(event: dict[str, Any], later: int) -> dict[str, Any]:
    moved = _with_times(event, ("createdAt",), later)
    if isinstance(payload := event.get("payload"), dict):
        moved["payload"] = _with_times(payload, TIMES, later)
    return moved


def _with_times(fields: dict[str, Any], names: Iterable[str], later: int) -> dict[str, Any]:
    return fields | {name: fields[name] + later for name in names if type(fields.get(name)) is int}


def _with_data(record: LambdaRecord, event: dict[str, Any]) -> LambdaRecord:
    data = b64encode(_encoder.encode(event)).decode()
    return {**record, "kinesis": {**record["kinesis"], "data": data}}
