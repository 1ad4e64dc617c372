import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Raw, Struct
from msgspec.json import encode

from kinesis_handler.errors import InvalidEventError
from kinesis_handler.event import Event, EventDecoder
from kinesis_handler.event_source import put_on_shard
from kinesis_handler.record import Record
from user_limits.events import (
    EVENT_TYPES,
    UserLimitCreated,
    UserLimitEvent,
    UserLimitProgressChanged,
    UserLimitReset,
)

MINIMAL = (
    b'{"eventId":"evt-001","type":"USER_LIMIT_CREATED","payload":{"userId":"user-123",'
    b'"userLimitId":"limit-001","name":"Daily API Requests","maxValue":1000},"createdAt":1234567890000}'
)
SECRETS = ("s3cr3t", "987654321")
ENVELOPE = {"eventId": "evt-1", "type": "USER_LIMIT_CREATED", "createdAt": 1, "payload": None}
IDS = {"userId": "user-1", "userLimitId": "limit-1"}
PAYLOADS: dict[str, dict[str, object]] = {
    "USER_LIMIT_CREATED": {**IDS, "value": 1},
    "USER_LIMIT_PROGRESS_CHANGED": {**IDS, "amount": 1},
    "USER_LIMIT_RESET": {**IDS},
}
DEEP_ARRAYS = Raw(b"[" * 10_000 + b"]" * 10_000)
DEEP_OBJECTS = Raw(b'{"a":' * 10_000 + b"1" + b"}" * 10_000)
LONG_NUMBER = Raw(b"987654321" * 1_111)
LONE_SURROGATE = Raw(rb'"s3cr3t \ud83d and more"')


class NoteTaken(Struct, gc=False, rename="camel"):
    note_text: str
    stars: Annotated[int, Meta(ge=1, le=5)] = 1
    anything: Any = None


RECORD = Record(next(put_on_shard([("user-123", MINIMAL)])), "1", 0, "user-123")
DECODER = EventDecoder()
DECODER.register(EVENT_TYPES)
DECODER.register({"NOTE_TAKEN": NoteTaken})


def event(**changes: object) -> bytes:
    """Write an event of envelope fields; one that is changed to `...` is left out."""
    fields = {"payload": PAYLOADS["USER_LIMIT_CREATED"], **{k: v for k, v in changes.items()}}
    return encode({name: value for name, value in (ENVELOPE | fields).items() if value is not ...})


def event_of(event_type: str, **changes: object) -> bytes:
    """Write an event of payload fields; one that is changed to `...` is left out."""
    fields = PAYLOADS.get(event_type, {}) | changes
    payload = {name: value for name, value in fields.items() if value is not ...}
    return event(type=event_type, payload=payload)


def created(**changes: object) -> bytes:
    return event_of("USER_LIMIT_CREATED", **changes)


def decoded(content: bytes) -> Event[Any]:
    result = DECODER.decode(RECORD, content)
    assert isinstance(result, Event), result
    return result


def refused(content: bytes) -> InvalidEventError:
    result = DECODER.decode(RECORD, content)
    assert isinstance(result, InvalidEventError)
    assert not [secret for secret in SECRETS if secret in str(result)]
    return result
