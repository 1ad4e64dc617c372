import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Raw, Struct
from msgspec.json import encode
from msgspec.structs import astuple

from kinesis_handler.envelopes import Native
from kinesis_handler.errors import InvalidEventError
from kinesis_handler.ingest.event import Event, EventDecoder
from kinesis_handler.ingest.record import Record
from kinesis_handler.local.event_source import put_on_shard
from user_limits.events import EVENT_TYPES, EXACT, UserLimitCreated

MINIMAL = (
    b'{"eventId":"evt-001","type":"USER_LIMIT_CREATED","payload":{"userId":"user-123",'
    b'"userLimitId":"limit-001","name":"Daily API Requests","maxValue":1000},"createdAt":1234567890000}'
)
CREATED, CHANGED, RESET = EVENT_TYPES
IDS: dict[str, object] = {"userId": "user-1", "userLimitId": "limit-1"}
PAYLOADS: dict[str, dict[str, object]] = {
    CREATED: {**IDS, "value": 1},
    CHANGED: {**IDS, "amount": 1},
    RESET: IDS,
    "NOTE": {"noteText": "n"},
}
ENVELOPE: dict[str, object] = {"eventId": "evt-1", "createdAt": 1}
FIELDS = [(kind, name) for kind, schema in EVENT_TYPES.items() for name in schema.__struct_encode_fields__]
AMOUNTS = [
    *[(CREATED, name) for name in ("value", "maxValue", "previousLimitValue", "progress")],
    *[(CHANGED, name) for name in ("amount", "previousProgress", "remainingAmount")],
    *[(RESET, name) for name in ("resetAmount", "resetPercentage", "unusedAmount")],
]

SECRETS = ("s3cr3t", "987654321")
LONG_NUMBER = "9876543210" * 1_000
SURROGATE = Raw(rb'"s3cr3t \ud83d and more"')
DEEP_ARRAYS = Raw(b"[" * 10_000 + b"]" * 10_000)
DEEP_OBJECTS = Raw(b'{"s3cr3t":' * 10_000 + b"1" + b"}" * 10_000)
TOO_EARLY, TOO_LATE = -62_135_596_800_001, 253_402_300_800_000


class Circle(Struct, tag_field="kind", tag="circle"): ...


class Square(Struct, tag_field="kind", tag="square"): ...


class Note(Struct, rename="camel"):
    note_text: str
    stars: Annotated[int, Meta(ge=1, le=5)] | None = None
    anything: Any = None
    shape: Circle | Square | None = None


DECODER = EventDecoder(Native())
DECODER.register(EVENT_TYPES)
DECODER.register({"NOTE": Note})
RECORD = Record(next(put_on_shard([("user-123", MINIMAL)])), "1", 0, "user-123")


def written(fields: dict[str, object]) -> bytes:
    """Write JSON. What is set to `...` is left out, what is `Raw` is written as it is."""
    return encode({name: value for name, value in fields.items() if value is not ...})


def event(kind: str, **changes: object) -> bytes:
    """Write a valid event of this type, with changes in its payload."""
    return written(ENVELOPE | {"type": kind, "payload": Raw(written(PAYLOADS.get(kind, {}) | changes))})


def created(**changes: object) -> bytes:
    return event(CREATED, **changes)


def envelope(**changes: object) -> bytes:
    """Write a valid event, with changes in its envelope."""
    return written(ENVELOPE | {"type": CREATED, "payload": PAYLOADS[CREATED]} | changes)


def with_amount(kind: str, field: str, amount: str) -> bytes:
    """Write a valid event with this amount, written as it is."""
    alias: dict[str, object] = {"value": ...} if field == "maxValue" else {}
    return event(kind, **alias, **{field: Raw(amount.encode())})


def decoded(content: bytes) -> Event[Any]:
    result = DECODER.decode(RECORD, content)
    assert isinstance(result, Event), result
    return result


def refused(content: bytes) -> InvalidEventError:
    result = DECODER.decode(RECORD, content)
    assert isinstance(result, InvalidEventError)
    assert not [secret for secret in SECRETS if secret in str(result)]
    return result


def test_the_minimal_event_is_decoded() -> None:
    minimal = decoded(MINIMAL)

    assert (minimal.id, minimal.type, minimal.created_at) == ("evt-001", CREATED, 1234567890000)
    assert minimal.payload == UserLimitCreated(
        "user-123", "limit-001", name="Daily API Requests", max_value=Decimal(1000)
    )
    assert minimal.record is RECORD


def test_the_whole_envelope_is_decoded() -> None:
    context = {"correlationId": "c-1"}
    whole = decoded(envelope(sequenceNumber=7, aggregateId="user-1", source="limits", context=context))

    assert (whole.sequence_number, whole.aggregate_id, whole.source) == (7, "user-1", "limits")
    assert whole.correlation_id == "c-1"


@pytest.mark.parametrize("nothing", [..., None], ids=["absent", "null"])
def test_optional_fields_of_the_envelope_may_be_missing(nothing: object) -> None:
    bare = decoded(envelope(sequenceNumber=nothing, aggregateId=nothing, source=nothing, context=nothing))

    assert (bare.sequence_number, bare.aggregate_id, bare.source, bare.correlation_id) == (None,) * 4
    assert decoded(envelope(context={"correlationId": None})).correlation_id is None


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_optional_fields_of_a_payload_may_be_null(kind: str) -> None:
    null = {name: None for of, name in FIELDS if of == kind and name not in PAYLOADS[kind]}

    assert decoded(event(kind, **null)).payload == decoded(event(kind)).payload


def test_fields_that_no_schema_asks_for_are_ignored() -> None:
    assert decoded(envelope(version=2, context={"s3cr3t": [1]})).correlation_id is None
    assert decoded(created(s3cr3t={"a": [None, True, 1.5]})).payload == decoded(created()).payload


def test_a_type_without_a_schema_needs_a_payload_that_is_an_object() -> None:
    assert decoded(event("LIMIT_USER_CREATED", userId=3)).type == "LIMIT_USER_CREATED"
    assert "`$.payload`" in str(refused(envelope(type="LIMIT_USER_CREATED", payload=["s3cr3t"])))


DEEP = "Nested too deeply - at `$"
BAD_CONTENT: dict[str, tuple[bytes, str]] = {
    "the content is empty": (b"", "truncated - at `$`"),
    "the content is cut short": (MINIMAL[:-1], "truncated - at `$`"),
    "the content is not JSON": (b"s3cr3t", "malformed: invalid character (byte 0) - at `$`"),
    "garbage stands behind the event": (MINIMAL + b"s3cr3t", "trailing characters (byte"),
    "a byte order mark stands before the event": (b"\xef\xbb\xbf" + MINIMAL, "(byte 0) - at `$`"),
    "the event is an array": (b'["s3cr3t"]', "got `array` - at `$`"),
    "the event is a string": (b'"s3cr3t"', "got `str` - at `$`"),
    "the event is a number": (b"987654321", "got `int` - at `$`"),
    "the event is null": (b"null", "got `null` - at `$`"),
    "eventId is not UTF-8": (MINIMAL.replace(b"evt-001", b"s3cr3t\xff"), "Not UTF-8 at byte 18"),
    "an unknown field is not UTF-8": (MINIMAL[:-1] + b',"x":"\xff"}', f"at byte {len(MINIMAL) + 5}"),
    "a foreign payload is not UTF-8": (event("X", x="?").replace(b"?", b"\xc0\x80"), "Not UTF-8 at byte"),
    "an amount is the literal NaN": (created(value=Raw(b"NaN")), "invalid character (byte"),
    "an amount is the literal Infinity": (created(value=Raw(b"-Infinity")), "invalid character (byte"),
    "eventId has a lone surrogate": (envelope(eventId=SURROGATE), "JSON is malformed"),
    "name has a lone surrogate": (created(name=SURROGATE), "JSON is malformed"),
    "an unknown field has a lone surrogate": (envelope(x=SURROGATE), "JSON is malformed"),
    "a foreign payload has a lone surrogate": (event("X", x=SURROGATE), "JSON is malformed"),
    "the content is a deep object": (bytes(DEEP_OBJECTS), DEEP),
    "the payload is a deep array": (envelope(payload=DEEP_ARRAYS), DEEP),
    "the payload is a deep object": (envelope(payload=DEEP_OBJECTS), DEEP),
    "an unknown field of the payload is a deep object": (created(x=DEEP_OBJECTS), DEEP),
    "an unknown field is a deep array": (envelope(x=DEEP_ARRAYS), DEEP),
    "an unknown field is a deep object": (envelope(x=DEEP_OBJECTS), DEEP),
    "a foreign payload is deep": (event("X", x=DEEP_OBJECTS), DEEP),
    "eventId is missing": (envelope(eventId=...), "`eventId` - at `$`"),
    "type is missing": (envelope(type=...), "`type` - at `$`"),
    "createdAt is missing": (envelope(createdAt=...), "`createdAt` - at `$`"),
    "payload is missing": (envelope(payload=...), "`payload` - at `$`"),
    "eventId is empty": (envelope(eventId=""), "`$.eventId`"),
    "eventId is too long": (envelope(eventId="s3cr3t" * 200), "`$.eventId`"),
    "type is too long": (envelope(type="s3cr3t" * 200), "`$.type`"),
    "source is too long": (envelope(source="s3cr3t" * 200), "`$.source`"),
    "aggregateId is too long": (envelope(aggregateId="s3cr3t" * 200), "`$.aggregateId`"),
    "createdAt is a string": (envelope(createdAt="987654321"), "`$.createdAt`"),
    "createdAt has a fraction of 0": (envelope(createdAt=Raw(b"987654321.0")), "`$.createdAt`"),
    "createdAt is true": (envelope(createdAt=True), "`$.createdAt`"),
    "createdAt has 10,000 digits": (envelope(createdAt=Raw(LONG_NUMBER.encode())), "`$.createdAt`"),
    "createdAt is in the year 10000": (envelope(createdAt=TOO_LATE), "`$.createdAt`"),
    "createdAt is in the year 0": (envelope(createdAt=TOO_EARLY), "`$.createdAt`"),
    "sequenceNumber is negative": (envelope(sequenceNumber=-987654321), "`$.sequenceNumber`"),
    "sequenceNumber has a fraction of 0": (envelope(sequenceNumber=Raw(b"3.0")), "`$.sequenceNumber`"),
    "sequenceNumber has more than 63 bits": (envelope(sequenceNumber=2**63), "`$.sequenceNumber`"),
    "payload is an array": (envelope(payload=["s3cr3t"]), "got `array` - at `$.payload`"),
    "userId is empty": (created(userId=""), "`$.payload.userId`"),
    "userId is too long": (created(userId="s3cr3t" * 100), "`$.payload.userId`"),
    "userLimitId is too long": (created(userLimitId="s3cr3t" * 50), "`$.payload.userLimitId`"),
    "name is too long": (created(name="s3cr3t" * 100), "`$.payload.name`"),
    "activeFrom is in the year 10000": (created(activeFrom=TOO_LATE), "`$.payload.activeFrom`"),
    "nextResetTime has a fraction of 0": (event(RESET, nextResetTime=3.0), "`$.payload.nextResetTime`"),
    "type is not one of the limit types": (created(type="s3cr3t"), "`$.payload.type`"),
    "period is not one of the periods": (created(period="s3cr3t"), "`$.payload.period`"),
    "status is not one of the statuses": (created(status="s3cr3t - at `$.s3cr3t`"), "`$.payload.status`"),
    "userId is missing": (created(userId=...), "`userId` - at `$.payload`"),
    "userLimitId is missing": (event(RESET, userLimitId=...), "`userLimitId` - at `$.payload`"),
    "amount is missing": (event(CHANGED, amount=...), "`amount` - at `$.payload`"),
    "neither value nor maxValue is there": (created(value=...), "`value`, or its alias `maxValue`"),
    "value and maxValue differ": (created(maxValue=987654321), "`value` and its alias `maxValue` differ"),
    "value is below 0": (created(value=-987654321), "`value` is below 0 - at `$.payload`"),
    "a field of another schema is out of bounds": (event("NOTE", stars=987654321), "`$.payload.stars`"),
    "a tag is unknown": (event("NOTE", shape={"kind": "s3cr3t"}), "`$.payload.shape.kind`"),
    "a number is beyond bounds": (event("NOTE", anything=Raw(b"1e99999999999999999999")), "beyond"),
    "a field of another schema is missing": (event("NOTE", noteText=...), "`noteText` - at `$.payload`"),
}  # fmt: skip


ZEROS = "0" * 10_000
TOO_MUCH = ["9" * 39, f"0.{'9' * 39}", "1e126", "1e-131", "1e99999999999999999999", LONG_NUMBER]
TOO_MUCH += [f"1.{ZEROS}", f"0.{ZEROS}"]
NO_NUMBERS = ["NaN", "sNaN987654321", "Infinity", "-Infinity", "s3cr3t", "", "987654321,5"]
BAD_AMOUNTS = [*TOO_MUCH, *(f'"{amount}"' for amount in TOO_MUCH + NO_NUMBERS)]


@pytest.mark.parametrize(("content", "place"), BAD_CONTENT.values(), ids=BAD_CONTENT)
def test_bad_content_is_refused_with_a_reason_that_names_the_place(content: bytes, place: str) -> None:
    assert place in str(refused(content))


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_wrong_type_is_refused_naming_the_field_and_never_the_value(kind: str, field: str) -> None:
    for wrong in (["s3cr3t"], {"s3cr3t": 987654321}, True):
        assert f"`$.payload.{field}`" in str(refused(event(kind, **{field: wrong})))


@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=lambda amount: amount[:30])
def test_an_amount_that_cannot_be_kept_exactly_is_refused_naming_its_field(amount: str) -> None:
    for kind, field in AMOUNTS:
        reason = str(refused(with_amount(kind, field, amount)))

        assert f"`{field}`" in reason or f"`$.payload.{field}`" in reason


@pytest.mark.parametrize("digits", ["9800.10", "0", "3.0", "9" * 38, f"0.{'9' * 38}", "1E+125", "1E-130"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
def test_an_amount_is_kept_digit_by_digit(digits: str, quote: str) -> None:
    for kind, field in AMOUNTS:
        payload = decoded(with_amount(kind, field, quote + digits + quote)).payload
        names = dict(zip(payload.__struct_encode_fields__, payload.__struct_fields__, strict=True))
        amount = getattr(payload, names[field])

        assert isinstance(amount, Decimal)
        assert str(amount) == digits


def test_a_change_may_be_negative() -> None:
    assert decoded(event(CHANGED, amount="-50.5")).payload.amount == Decimal("-50.5")


def test_value_and_its_alias_may_both_stand_if_they_agree() -> None:
    assert decoded(created(value="100.0", maxValue=100)).payload.limit_value == 100


def test_a_number_without_a_declared_type_is_exact() -> None:
    assert decoded(event("NOTE", anything=[Raw(b"9800.10")])).payload.anything == [Decimal("9800.10")]


def test_a_long_number_in_a_field_that_nobody_reads_does_no_harm() -> None:
    number = Raw(LONG_NUMBER.encode())
    for content in (envelope(x=number), created(x=number), event("X", x=number)):
        assert decoded(content).id == "evt-1"


@pytest.mark.parametrize("time", [TOO_LATE - 1, TOO_EARLY + 1])
def test_times_reach_from_the_year_1_to_the_year_9999(time: int) -> None:
    assert decoded(envelope(createdAt=time)).created_at == time
    assert decoded(created(activeUntil=time)).payload.active_until == time


def test_the_error_knows_the_event_if_only_the_payload_is_bad() -> None:
    error = refused(envelope(payload={}, context={"correlationId": "c-1"}))

    assert (error.event_id, error.event_type, error.correlation_id) == ("evt-1", CREATED, "c-1")
    assert refused(envelope(payload={})).correlation_id is None
    assert refused(envelope(createdAt=None)).event_id is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
json_texts = (json_values | st.decimals().map(str)).map(lambda value: Raw(json.dumps(value).encode()))
envelope_fields = st.sampled_from(["eventId", "type", "createdAt", "payload", "sequenceNumber", "context"])
envelopes = st.dictionaries(envelope_fields, json_texts, min_size=1).map(lambda changes: envelope(**changes))


@settings(deadline=None)
@given(content=st.binary() | json_texts.map(bytes) | envelopes)
def test_whatever_the_content_is_it_is_refused_or_an_event(content: bytes) -> None:
    assert isinstance(DECODER.decode(RECORD, content), Event | InvalidEventError)


@settings(deadline=None)
@given(place=st.sampled_from(FIELDS), value=json_texts)
def test_whatever_stands_in_a_payload_no_event_has_an_amount_that_would_be_rounded(
    place: tuple[str, str], value: Raw
) -> None:
    kind, field = place
    result = DECODER.decode(RECORD, event(kind, **{field: value}))

    assert isinstance(result, Event | InvalidEventError)
    if isinstance(result, Event):
        amounts = [value for value in astuple(result.payload) if isinstance(value, Decimal)]
        assert all(EXACT.plus(amount) == amount for amount in amounts)
