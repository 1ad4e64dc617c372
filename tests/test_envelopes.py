"""Envelopes: whatever the format, the same event comes out, or a reason that names the field."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, Struct, UnsetType

from kinesis_handler import ConfigurationError, Event, KinesisHandler, event_processor
from kinesis_handler.envelopes import CloudEvents, Envelope, EventBridge, Native
from kinesis_handler.ingest.facts import FieldError
from kinesis_handler.ingest.headers import MAX_HEADERS, headers_of_values
from kinesis_handler.ingest.times import EARLIEST, LATEST, milliseconds
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.outcome import Status
from kinesis_handler.testing import invocation

SECRET = "s3cr3t"  # noqa: S105 - it stands for what no message may quote


class Deposited(Struct):
    account: str
    amount: Decimal = Decimal(0)


class Meta(Struct):
    tenant: str | None = None
    trace: str | None = None


class Message(Struct, rename="camel"):
    uuid: str
    kind: str
    happened_at: int | str | float | None
    body: Raw
    number: int | str | None = None
    subject: str | None = None
    app: str | None = None
    meta: Meta | None = None
    version: int | None = None
    tags: list[str] | UnsetType = []


OWN = Envelope(
    Message,
    id="uuid",
    type="kind",
    created_at="happened_at",
    payload="body",
    sequence_number="number",
    aggregate_id="subject",
    source="app",
    correlation_id="meta.trace",
    version="version",
)
PAYLOAD = {"account": "a-1", "amount": 100.5}
NATIVE: dict[str, object] = {
    "eventId": "e-1",
    "type": "DEPOSITED",
    "createdAt": 1_763_800_000_001,
    "payload": PAYLOAD,
    "sequenceNumber": 7,
    "aggregateId": "a-1",
    "source": "/bank",
    "context": {"correlationId": "c-1"},
}
CLOUD: dict[str, object] = {
    "specversion": "1.0",
    "id": "e-1",
    "type": "DEPOSITED",
    "source": "/bank",
    "time": "2025-11-22T08:26:40.001Z",
    "subject": "a-1",
    "sequence": "7",
    "correlationid": "c-1",
    "data": PAYLOAD,
}
BRIDGE: dict[str, object] = {
    "version": "0",
    "id": "e-1",
    "detail-type": "DEPOSITED",
    "source": "/bank",
    "account": "111122223333",
    "time": "2025-11-22T08:26:40Z",
    "region": "eu-north-1",
    "resources": ["arn:aws:bank"],
    "detail": PAYLOAD,
}
OWN_MESSAGE: dict[str, object] = {
    "uuid": "e-1",
    "kind": "DEPOSITED",
    "happenedAt": 1_763_800_000_001,
    "body": PAYLOAD,
    "number": 7,
    "subject": "a-1",
    "app": "/bank",
    "meta": {"trace": "c-1", "tenant": "t-1"},
}


def events_of(envelope: Envelope, *contents: object) -> list[Event[Any]]:
    """Return the events that a processor gets of records with these contents; none may be rejected."""
    seen: list[Event[Any]] = []

    @event_processor({"DEPOSITED": Deposited})
    def deposit(event: Event[Deposited]) -> None:
        seen.append(event)

    result = KinesisHandler([deposit], envelope=envelope).handle(invocation(contents))
    assert result.needs_attention() is not None
    assert not [str(each.outcome.error) for each in result.needs_attention()]
    return seen


def event_of(envelope: Envelope, content: object) -> Event[Any]:
    [event] = events_of(envelope, content)
    return event


def refusal(envelope: Envelope, content: object) -> str:
    """Return the reason for which a record with this content is rejected. It may not quote the secret."""

    @event_processor({"DEPOSITED": Deposited})
    def deposit(event: Event[Deposited]) -> None: ...

    [handled] = KinesisHandler([deposit], envelope=envelope).handle(invocation([content])).rejected()
    assert SECRET not in str(handled.outcome.error)
    return str(handled.outcome.error)


@pytest.mark.parametrize(
    ("envelope", "content"),
    [(Native(), NATIVE), (CloudEvents(), CLOUD), (OWN, OWN_MESSAGE)],
    ids=["native", "CloudEvents", "one's own"],
)
def test_whatever_the_envelope_the_same_event_comes_out(envelope: Envelope, content: object) -> None:
    event = event_of(envelope, content)

    assert (event.id, event.type, event.created_at) == ("e-1", "DEPOSITED", 1_763_800_000_001)
    assert event.payload == Deposited("a-1", Decimal("100.5"))
    assert (event.sequence_number, event.aggregate_id, event.source) == (7, "a-1", "/bank")
    assert event.correlation_id == "c-1"


def test_an_event_of_eventbridge_has_what_its_envelope_carries() -> None:
    event = event_of(EventBridge(), BRIDGE)

    assert (event.id, event.type, event.created_at) == ("e-1", "DEPOSITED", 1_763_800_000_000)
    assert event.payload == Deposited("a-1", Decimal("100.5"))
    assert (event.source, event.sequence_number, event.aggregate_id) == ("/bank", None, None)
    assert dict(event.headers) == {
        "version": "0",
        "account": "111122223333",
        "region": "eu-north-1",
        "resources": ("arn:aws:bank",),
    }


@pytest.mark.parametrize(
    ("sequence", "number"),
    [
        (7, 7),
        ("7", 7),
        ("0007", 7),
        ("a7", None),
        ("", None),
        ("-1", None),
        (None, None),
        (True, None),
        (7.0, None),
    ],
)
def test_the_sequence_of_a_cloudevent_is_its_producers_number_if_it_is_an_integer(
    sequence: object, number: int | None
) -> None:
    assert event_of(CloudEvents(), CLOUD | {"sequence": sequence}).sequence_number == number


def test_a_cloudevent_may_have_json_in_base64_or_no_data_at_all() -> None:
    bare = {name: value for name, value in CLOUD.items() if name != "data"}
    encoded = b64encode(json.dumps(PAYLOAD).encode()).decode()

    assert event_of(CloudEvents(), bare | {"data_base64": encoded}).payload.account == "a-1"
    assert "Object missing required field `account` - at `$.data`" in refusal(CloudEvents(), bare)
    assert "`$.data_base64`" in refusal(CloudEvents(), CLOUD | {"data_base64": encoded})


def test_ids_of_cloudevents_may_be_unique_within_their_source_only() -> None:
    other = CLOUD | {"source": "/card"}
    within = [each.id for each in events_of(CloudEvents(id_within_source=True), CLOUD, other, CLOUD)]

    assert within == ["/bank e-1", "/card e-1", "/bank e-1"]
    assert {each.id for each in events_of(CloudEvents(), CLOUD, other)} == {"e-1"}


@pytest.mark.parametrize(
    ("envelope", "content"),
    [(CloudEvents(), CLOUD | {"time": None}), (OWN, OWN_MESSAGE | {"happenedAt": None})],
    ids=["CloudEvents", "one's own"],
)
def test_an_event_without_a_time_was_created_when_it_arrived(envelope: Envelope, content: object) -> None:
    event = event_of(envelope, content)
    arrived = event.record.source["kinesis"]["approximateArrivalTimestamp"]

    assert event.created_at == round(arrived * 1_000)


def test_an_event_without_a_time_is_rejected_if_its_record_does_not_say_when_it_arrived() -> None:
    @event_processor({"DEPOSITED": Deposited})
    def deposit(event: Event[Deposited]) -> None: ...

    [record] = put_on_shard([("a-1", json.dumps(CLOUD | {"time": None}).encode())])
    del record["kinesis"]["approximateArrivalTimestamp"]
    [handled] = KinesisHandler([deposit], envelope=CloudEvents()).handle({"Records": [record]}).rejected()
    assert "missing a time" in str(handled.outcome.error)
    assert handled.identity.event_id == "e-1"


def test_headers_are_what_the_envelope_carries_besides() -> None:
    carried = {"traceparent": "00-1", "tenant": "t-1", "dataschema": "https://x.test/deposited/2"}
    named = Native(headers=("tenant", "version"))

    assert dict(event_of(CloudEvents(), CLOUD | carried).headers) == carried
    assert dict(event_of(CloudEvents(headers=["tenant"]), CLOUD | carried).headers) == {"tenant": "t-1"}
    assert dict(event_of(named, NATIVE | {"tenant": "t-1", "version": 2, "x": 1}).headers) == {
        "tenant": "t-1",
        "version": 2,
    }
    assert dict(event_of(named, NATIVE).headers) == {}
    assert dict(event_of(Native(), NATIVE | {"tenant": "t-1"}).headers) == {}
    assert dict(event_of(OWN, OWN_MESSAGE | {"version": 2, "tags": ["x"]}).headers) == {
        "meta.tenant": "t-1",
        "version": 2,
        "tags": ("x",),
    }
    assert dict(event_of(OWN, OWN_MESSAGE | {"meta": None, "tags": []}).headers) == {"tags": ()}


def test_headers_are_read_only_all_through_and_exact() -> None:
    headers = event_of(CloudEvents(), CLOUD | {"deep": {"a": [{"b": 0.1}], "c": None}}).headers

    with pytest.raises(TypeError):
        headers["deep"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        headers["deep"]["a"] = 1
    assert headers["deep"]["a"][0]["b"] == Decimal("0.1")
    assert isinstance(headers["deep"]["a"], tuple)


@pytest.mark.parametrize(
    ("envelope", "content", "path"),
    [
        (CloudEvents(), CLOUD | {"tenant": SECRET * 2_000}, "`$.tenant`"),
        (CloudEvents(), CLOUD | {SECRET * 2_000: 1}, "`$.[…]`"),
        (Native(headers=["tenant"]), NATIVE | {"tenant": [SECRET] * 2_000}, "`$.tenant`"),
        (OWN, OWN_MESSAGE | {"tags": [SECRET] * 2_000}, "`$.tags`"),
    ],
    ids=["CloudEvents", "a name", "native", "one's own"],
)
def test_headers_have_a_bound(envelope: Envelope, content: object, path: str) -> None:
    assert refusal(envelope, content) == f"The headers come to more than {MAX_HEADERS} bytes - at {path}"


def test_headers_may_come_to_exactly_their_bound() -> None:
    name = "n" * 64  # as long as a name that is quoted may be
    size = MAX_HEADERS - len(name)
    assert headers_of_values([(name, "x" * size)]) == {name: "x" * size}
    with pytest.raises(FieldError, match=rf"bytes - at `\$\.{name}`$"):
        headers_of_values([(name, "x" * (size + 1))])


def test_json_in_a_header_is_decoded_and_a_header_that_is_null_is_none() -> None:
    assert headers_of_values([("a", Raw(b"[1.5]"))]) == {"a": (Decimal("1.5"),)}
    assert dict(event_of(Native(headers=["tenant"]), NATIVE | {"tenant": None}).headers) == {}


BAD: dict[str, tuple[Envelope, dict[str, object], str]] = {
    "an unknown specversion": (CloudEvents(), CLOUD | {"specversion": SECRET}, "`$.specversion`"),
    "no specversion": (CloudEvents(), NATIVE, "`specversion` - at `$`"),
    "an empty id": (CloudEvents(), CLOUD | {"id": ""}, "`$.id`"),
    "a time that is a number": (CloudEvents(), CLOUD | {"time": 987654321}, "`$.time`"),
    "a time without an offset": (CloudEvents(), CLOUD | {"time": "2025-11-22T08:26:40"}, "`$.time`"),
    "a month of 13": (CloudEvents(), CLOUD | {"time": "2025-13-22T08:26:40Z"}, "`$.time`"),
    "a time in the year 0": (CloudEvents(), CLOUD | {"time": "0001-01-01T00:00:00+00:01"}, "`$.time`"),
    "a negative sequence": (CloudEvents(), CLOUD | {"sequence": -1}, "`$.sequence`"),
    "a sequence of 64 bits": (CloudEvents(), CLOUD | {"sequence": str(2**63)}, "`$.sequence`"),
    "a payload of another type": (CloudEvents(), CLOUD | {"data": {"account": 3}}, "`$.data.account`"),
    "a detail that is an array": (EventBridge(), BRIDGE | {"detail": [SECRET]}, "`$.detail`"),
    "no detail-type": (EventBridge(), CLOUD, "`detail-type` - at `$`"),
    "a time that is a date": (EventBridge(), BRIDGE | {"time": "2025-11-22"}, "`$.time`"),
    "an empty uuid": (OWN, OWN_MESSAGE | {"uuid": ""}, "`$.uuid`"),
    "a long uuid": (OWN, OWN_MESSAGE | {"uuid": SECRET * 200}, "`$.uuid`"),
    "a time out of range": (OWN, OWN_MESSAGE | {"happenedAt": LATEST + 1}, "`$.happenedAt`"),
    "a number that is none": (OWN, OWN_MESSAGE | {"number": SECRET}, "`$.number`"),
    "a long trace": (OWN, OWN_MESSAGE | {"meta": {"trace": SECRET * 200}}, "`$.meta.trace`"),
    "a payload of one's own": (OWN, OWN_MESSAGE | {"body": {"account": 3}}, "`$.body.account`"),
    "no payload": (OWN, {name: OWN_MESSAGE[name] for name in ("uuid", "kind")}, "`happenedAt` - at `$`"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_envelope_that_cannot_be_read_is_rejected_with_the_field(name: str) -> None:
    envelope, content, path = BAD[name]
    assert path in refusal(envelope, content)


def own(**changes: Any) -> Envelope:
    fields: dict[str, Any] = {"id": "uuid", "type": "kind", "created_at": "happened_at", "payload": "body"}
    return Envelope(Message, **fields | changes)


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a misspelt field": (
        lambda: own(id="uid"),
        "id is 'uid', and Message has no field 'uid' (did you mean 'uuid'?)",
    ),
    "a field as it is encoded": (lambda: own(created_at="happenedAt"), "(did you mean 'happened_at'?)"),
    "a misspelt field of another Struct": (lambda: own(source="meta.app"), "Meta has no field 'app'"),
    "a field of what is no Struct": (lambda: own(source="uuid.app"), "'uuid' of Message is no Struct"),
    "an id that is a list": (lambda: own(id="tags"), "declares as list[str]; allowed: str, int, UUID"),
    "a time that is a Struct": (lambda: own(created_at="meta"), "declares as Meta; allowed: int, str, float"),
    "a payload that is no JSON": (lambda: own(payload="meta"), "allowed: Raw, str, bytes"),
    "a version in no payload": (lambda: own(payload="app", version="body.v"), "is in no payload"),
    "a unit that is none": (lambda: own(unit="us"), "unit is 'us'; allowed: 'ms', 's'"),
    "documents that are none": (
        lambda: own(documents="many"),
        "documents is 'many'; allowed: 'one', 'lines'",
    ),
    "a decoder that is none": (lambda: own(decoder="protobuf"), "decoder is 'protobuf'; allowed: a function"),
    "a dictionary": (
        lambda: Envelope(cast("Any", dict), id="", type="", created_at="", payload=""),
        "dict: it is no msgspec.Struct",
    ),
    "a text": (
        lambda: Envelope(cast("Any", "message"), id="", type="", created_at="", payload=""),
        "the envelope 'message': it is no msgspec.Struct",
    ),
    "documents of one's own bytes": (
        lambda: own(decoder=len, documents="lines"),
        "documents is 'lines'; allowed with a decoder of one's own: 'one'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_an_envelope_that_cannot_work_is_refused_when_it_is_built(name: str) -> None:
    build, sentence = MISTAKES[name]
    with pytest.raises(ConfigurationError) as caught:
        build()
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("the envelope ")


def test_a_payload_may_be_json_in_a_text() -> None:
    class Wrapped(Struct):
        id: str
        type: str
        time: datetime
        message: str

    envelope = Envelope(Wrapped, id="id", type="type", created_at="time", payload="message")
    text = {
        "id": "1",
        "type": "DEPOSITED",
        "time": "2025-11-22T09:26:40+01:00",
        "message": json.dumps(PAYLOAD),
    }
    event = event_of(envelope, text)

    assert event.payload == Deposited("a-1", Decimal("100.5"))
    assert event.created_at == 1_763_800_000_000
    assert "offset from UTC - at `$.time`" in refusal(envelope, text | {"time": "2025-11-22T09:26:40"})
    assert "`$.message.account`" in refusal(envelope, text | {"message": '{"account":3}'})


def test_ids_and_names_may_be_integers_or_uuids() -> None:
    class Row(Struct):
        id: int
        type: str
        at: int
        body: Raw
        account: UUID

    envelope = Envelope(Row, id="id", type="type", created_at="at", payload="body", aggregate_id="account")
    account = "123e4567-e89b-12d3-a456-426614174000"
    row = {"id": 7, "type": "DEPOSITED", "at": 1, "body": PAYLOAD, "account": account}
    event = event_of(envelope, row)

    assert (event.id, event.aggregate_id) == ("7", account)
    assert envelope.partition_key(json.dumps(row).encode()) == account


@pytest.mark.parametrize("names", ["tenant", [1], ["a", None]])
def test_headers_that_are_no_names_are_refused(names: Any) -> None:
    for envelope in (Native, CloudEvents):
        with pytest.raises(ConfigurationError, match="allowed: names, such as"):
            envelope(headers=names)


def test_a_type_that_nobody_takes_is_ignored_whatever_its_payload_is() -> None:
    handler = KinesisHandler(envelope=CloudEvents())
    result = handler.handle(invocation([CLOUD | {"data": each} for each in (PAYLOAD, [1], "text", None)]))
    assert {handled.outcome.status.value for handled in result} == {"ignored"}


TIMES: list[tuple[object, str, int]] = [
    (1_763_800_000_001, "ms", 1_763_800_000_001),
    (1_763_800_000, "s", 1_763_800_000_000),
    (1_763_800_000.001, "s", 1_763_800_000_001),
    (Decimal("1763800000.0019999999999999999999999999999999999"), "s", 1_763_800_000_001),
    (Decimal("-0.0001"), "s", -1),
    (Decimal(LATEST), "ms", LATEST),
    (Decimal(EARLIEST), "ms", EARLIEST),
    (-1, "ms", -1),
    ("1970-01-01T00:00:00Z", "ms", 0),
    ("1969-12-31T23:59:59.9999Z", "s", -1),
    ("2025-11-22T08:26:40.001Z", "ms", 1_763_800_000_001),
    ("2025-11-22t08:26:40.1z", "ms", 1_763_800_000_100),
    ("2025-11-22 13:56:40.0019999999+05:30", "ms", 1_763_800_000_001),
    ("2025-11-22T08:26:40.9999999999-00:00", "ms", 1_763_800_000_999),
    ("2016-12-31T23:59:60Z", "ms", 1_483_228_800_000),
    ("0001-01-01T00:00:00Z", "ms", EARLIEST),
    ("9999-12-31T23:59:59.999Z", "ms", LATEST),
    ("9999-12-31T23:59:59.999+00:01", "ms", LATEST - 60_000),
]


@pytest.mark.parametrize(("value", "unit", "expected"), TIMES)
def test_times_are_exact_to_the_millisecond(value: object, unit: Any, expected: int) -> None:
    assert milliseconds(value, unit) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", "now", "2025-11-22", "2025-11-22T08:26Z", "2025-11-22T08:26:40", "20251122T082640Z"),
        *("2025-11-22T24:00:00Z", "2025-02-30T00:00:00Z", "2025-11-22T08:26:61Z", "2025-11-22T08:26:40,5Z"),
        *(
            "2025-11-22T08:26:40+24:00",
            "2025-11-22T08:26:40+0530",
            "2025-W47-6T08:26:40Z",
            "٢025-11-22T08:26:40Z",
        ),
        *("9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z"),
        *(
            True,
            None,
            [],
            EARLIEST - 1,
            LATEST + 1,
            10**30,
            float("inf"),
            float("nan"),
            1e30,
            Decimal("1E+999999"),
        ),
        datetime(2025, 11, 22),  # noqa: DTZ001 - that is what is wrong with it
    ],
)
def test_what_is_no_time_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(
        ValueError, match=r"^Expected a time( in RFC 3339, with its| with its| in the years|$)"
    ):
        milliseconds(value)


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()), st.integers(0, 3))
def test_what_a_datetime_writes_is_read_to_the_same_millisecond(moment: datetime, digits: int) -> None:
    try:
        exact = milliseconds(moment)
    except ValueError:
        return  # in the years 0 or 10000 of UTC
    text = moment.isoformat(timespec="microseconds")
    if moment.utcoffset() is None or len(text) != len("2025-11-22T08:26:40.000000+00:00"):
        return  # an offset with seconds, of before there was a standard time
    assert milliseconds(f"{text[:26]}{'9' * digits}{text[26:]}") == exact


FORMATS: dict[str, tuple[Callable[..., Envelope], dict[str, object]]] = {
    "native": (lambda documents: Native(headers=["tenant"], documents=documents), NATIVE),
    "CloudEvents": (lambda documents: CloudEvents(documents=documents), CLOUD),
    "EventBridge": (lambda documents: EventBridge(version="meta.version", documents=documents), BRIDGE),
    "one's own": (lambda documents: own(version="version", documents=documents), OWN_MESSAGE),
}
VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, True, -1, 0, 2**63, 1e308, "", "x" * 2_000, [], {}, {"account": "a"}, "1e9", "٣"]),
    st.text(max_size=5),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(deadline=None)
@given(st.data(), st.sampled_from([*FORMATS]), st.sampled_from(["one", "lines", "concatenated", "array"]))
def test_whatever_stands_in_an_envelope_every_record_has_an_outcome(
    data: st.DataObject, name: str, documents: str
) -> None:
    build, good = FORMATS[name]

    @event_processor({"DEPOSITED": Deposited}, upcast={("DEPOSITED", 1): dict, ("DEPOSITED", 2): dict})
    def deposit(event: Event[Deposited]) -> None: ...

    changes = data.draw(st.dictionaries(st.sampled_from([*good, "data_base64", "extra"]), VALUES, max_size=3))
    content = bytearray(json.dumps(good | changes, ensure_ascii=False).encode(errors="replace"))
    for _ in range(data.draw(st.integers(0, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    handler = KinesisHandler([deposit], envelope=build(documents))
    result = handler.handle(invocation([bytes(content), good]))
    assert sum(result.counts().values()) == len(result) >= 2
    assert result.counts()[Status.FAILED] == 0
    assert [*result][-1].outcome.status is Status.APPLIED
