"""An envelope of one's own, read by itself: each field, and each mistake that is refused when it is built."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET, Raw, Struct, UnsetType

from kinesis_handler import ConfigurationError, KinesisHandler
from kinesis_handler.envelopes import CloudEvents, Envelope, Native
from kinesis_handler.errors import InvalidEventError
from kinesis_handler.ingest.event import Event, EventDecoder
from kinesis_handler.ingest.facts import MAX_NUMBER, MAX_TEXT, Context, FieldError, MappedFacts
from kinesis_handler.ingest.record import Packing, Record
from kinesis_handler.ingest.upcast import Chain


class Meta(Struct):
    tenant: str | None = None
    trace: str | int | UnsetType | None = UNSET
    body: Raw | UnsetType = UNSET


class Message(Struct, rename="camel"):
    uuid: str | None
    kind: str
    happened_at: int | float | None = None
    body: Raw | UnsetType = UNSET
    number: int | str | UnsetType | None = UNSET
    subject: str | None = None
    app_name: str | None = None
    meta: Meta | str | None = None
    version: int | None = None
    extra: Any = None
    tags: list[str] = []


NAMES: dict[str, Any] = {"id": "uuid", "type": "kind", "created_at": "happened_at", "payload": "body"}
ALL = {
    "sequence_number": "number",
    "aggregate_id": "subject",
    "source": "app_name",
    "correlation_id": "meta.trace",
    "version": "version",
}
ATTRIBUTES = [*NAMES, *ALL]


def own(**changes: Any) -> Envelope:
    return Envelope(Message, **NAMES | changes)


def opened(envelope: Envelope, **fields: object) -> Any:
    content = {"uuid": "1", "kind": "K", "happenedAt": 2, "body": {"a": 1}} | fields
    return envelope.open(json.dumps(content).encode())


def refusal(envelope: Envelope, **fields: object) -> str:
    with pytest.raises(FieldError) as caught:
        opened(envelope, **fields)
    return str(caught.value)


def mistake(**changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        own(**changes)
    return str(caught.value)


def test_each_field_becomes_what_it_is_mapped_to_and_the_others_are_headers() -> None:
    meta = {"tenant": "t", "trace": 7}
    facts = opened(
        own(**ALL), number="8", subject="s", appName="a", meta=meta, version=2, extra={"x": 0.1}, tags=["y"]
    )
    assert facts == MappedFacts(
        *("1", "K", 2, Raw(b'{"a": 1}'), "s", 8, "a", Context("7"), 2),
        {"meta.tenant": "t", "version": 2, "extra": {"x": Decimal("0.1")}, "tags": ("y",)},
    )


@pytest.mark.parametrize("meta", [None, {}, {"trace": None}])
def test_what_is_not_there_is_none(meta: object) -> None:
    facts = opened(own(**ALL), meta=meta, happenedAt=None)
    assert (facts.created_at, facts.sequence_number, facts.aggregate_id, facts.source) == (None,) * 4
    assert (facts.context, facts.version, dict(facts.headers)) == (None, None, {"tags": ()})
    assert opened(own()).version is None


def test_a_number_of_seconds_is_read_as_seconds() -> None:
    assert opened(own(unit="s"), happenedAt=1.5).created_at == 1_500


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"uuid": None}, "Expected `str`, got `null` - at `$.uuid`"),
        ({"uuid": ""}, "Expected `str` of length >= 1 - at `$.uuid`"),
        ({"uuid": "x" * (MAX_TEXT + 1)}, f"Expected `str` of length <= {MAX_TEXT} - at `$.uuid`"),
        ({"number": "7x"}, "Expected an integer, or a text of digits - at `$.number`"),
        ({"number": "0" * 65}, "Expected an integer, or a text of digits - at `$.number`"),
        ({"number": -1}, f"Expected `int` from 0 to {MAX_NUMBER} - at `$.number`"),
        ({"number": MAX_NUMBER + 1}, f"Expected `int` from 0 to {MAX_NUMBER} - at `$.number`"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, object], reason: str) -> None:
    assert refusal(own(**ALL), **fields) == reason


def test_an_event_without_a_payload_is_refused() -> None:
    with pytest.raises(FieldError, match=r"^Object missing its payload - at `\$\.body`$"):
        own().open(b'{"uuid": "1", "kind": "K"}')


def test_a_text_and_a_number_may_be_as_large_as_allowed() -> None:
    envelope = own(**ALL)
    assert opened(envelope, uuid="x" * MAX_TEXT).event_id == "x" * MAX_TEXT
    numbers = [0, MAX_NUMBER, "0" * 63 + "7"]
    assert [opened(envelope, number=each).sequence_number for each in numbers] == [0, MAX_NUMBER, 7]


def test_a_version_may_lie_in_the_payload() -> None:
    envelope = own(version="body.a.b")
    assert (envelope.version_path, envelope.version_inside) == (".body.a.b", ("a", "b"))
    assert opened(envelope).version == Raw(b'{"a": 1}')
    deep = own(payload="meta.body", version="meta.body.v")
    assert (deep.version_path, deep.version_inside) == (".meta.body.v", ("v",))
    assert opened(deep, meta={"body": {"v": 2}}).version == Raw(b'{"v": 2}')
    beside = own(version="meta.trace")
    assert (beside.version_path, beside.version_inside) == (".meta.trace", ())


@pytest.mark.parametrize("payload", ["body", "meta.tenant"])
def test_a_version_in_what_is_not_the_payload_is_refused(payload: str) -> None:
    assert mistake(payload=payload, version="meta.body.v") == (
        "the envelope Message: version is at `$.meta.body.v`, which is in no payload"
    )


FIELDS = "uuid, kind, happened_at, body, number, subject, app_name, meta, version, extra, tags"


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_field_that_is_not_there_is_named_with_what_it_is_for(attribute: str) -> None:
    start = f"the envelope Message: {attribute} is "
    assert mistake(**{attribute: "xyz"}) == (
        f"{start}'xyz', and Message has no field 'xyz'; allowed: {FIELDS}"
    )
    assert mistake(**{attribute: "mata.x"}) == (
        f"{start}'mata.x', and Message has no field 'mata' (did you mean 'meta'?); allowed: {FIELDS}"
    )


ALLOWED = {
    "id": "str, int, UUID",
    "type": "str",
    "created_at": "int, str, float, Decimal, datetime",
    "payload": "Raw, str, bytes",
    "sequence_number": "int, str",
    "aggregate_id": "str, int, UUID",
    "source": "str",
    "correlation_id": "str, int, UUID",
    "version": "int, str, Raw",
}


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_field_of_another_type_is_named_with_the_types_that_are_allowed(attribute: str) -> None:
    assert mistake(**{attribute: "tags"}) == (
        f"the envelope Message: {attribute} is 'tags', which Message declares as list[str]; "
        f"allowed: {ALLOWED[attribute]}"
    )


def test_a_struct_without_fields_has_none_that_is_allowed() -> None:
    class Empty(Struct): ...

    with pytest.raises(ConfigurationError, match=r"has no field 'x'; allowed: none, it has no fields$"):
        Envelope(Empty, id="x", type="x", created_at="x", payload="x")


def test_a_struct_that_cannot_be_decoded_into_is_refused() -> None:
    class Unresolved(Struct):
        uuid: "Nowhere"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigurationError, match="it cannot be decoded into: name 'Nowhere' is not defined"):
        Envelope(Unresolved, id="uuid", type="uuid", created_at="uuid", payload="uuid")


@pytest.mark.parametrize("wrong", [CloudEvents, Message, "cloudevents"], ids=["class", "Struct", "name"])
def test_what_is_no_envelope_is_refused_by_the_handler(wrong: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"envelope is .+; allowed: an envelope, such as CloudEvents"
    ):
        KinesisHandler(envelope=wrong)


async def later(_: bytes) -> object:
    return None


def test_a_decoder_that_runs_nothing_is_refused() -> None:
    assert "the envelope Message: its decoder is a coroutine function" in mistake(decoder=later)


def split(content: bytes) -> Any:
    """Return an object with attributes, as a library for another format does."""
    uuid, kind, at = content.decode().split()
    return SimpleNamespace(uuid=uuid, kind=kind, happened_at=int(at), body=Raw(b"{}"), subject="s", tags=[])


def test_what_a_decoder_makes_is_read_by_its_attributes() -> None:
    envelope = own(decoder=split, aggregate_id="subject")
    facts = envelope.open(b"1 K 5")
    assert (facts.event_id, facts.type, facts.created_at, facts.aggregate_id) == ("1", "K", 5, "s")
    assert envelope.partition_key(b"1 K 5") == "s"
    assert envelope.partition_key(b"1 K") is None
    assert (envelope.is_text, envelope.payload_is_json) == (False, True)
    assert envelope.packing == Packing("one", zlib=False)


class Derived(Message): ...


@pytest.mark.parametrize("kind", [Message, Derived])
def test_a_struct_that_a_decoder_made_is_taken_as_it_is(kind: type[Message]) -> None:
    made: Any = kind(uuid=7, kind="K", happened_at=1, body=Raw(b"{}"))  # type: ignore[arg-type]
    assert own(decoder=lambda _: made).open(b"").event_id == "7"


def test_a_content_of_json_is_text_and_packed_as_it_is_said() -> None:
    envelope = own(documents="lines", aggregate_id="meta.tenant")
    assert (envelope.is_text, envelope.payload_is_json) == (True, True)
    assert envelope.packing == Packing("lines", zlib=True)
    assert envelope.partition_key(b'{"meta":{"tenant":"t"}}') == "t", "of an event that is not valid"
    assert envelope.partition_key(b'{"meta":null}') is None


NATIVE = {"eventId": "1", "type": "A", "createdAt": 1, "payload": {"x": 1}}
CLOUD = {"specversion": "1.0", "id": "1", "source": "s", "type": "A", "correlationid": "c", "data": [1]}
RECORD = Record({"kinesis": {"sequenceNumber": "1", "data": ""}}, "1", 0, "p")  # type: ignore[typeddict-item]


def decoded(decoder: EventDecoder, content: object) -> Event[Any] | InvalidEventError:
    return decoder.decode(RECORD, content if isinstance(content, bytes) else json.dumps(content).encode())


def test_content_that_is_not_utf_8_is_refused_where_it_is_json() -> None:
    content = json.dumps(NATIVE)[:-1].encode() + b', "y": "\xff"}'
    assert "Not UTF-8 at byte" in str(decoded(EventDecoder(Native()), content))


def test_a_payload_that_nobody_takes_is_an_object_in_the_native_envelope_and_anything_in_others() -> None:
    refused = decoded(EventDecoder(Native()), NATIVE | {"payload": [1]})
    assert str(refused) == "Expected `object`, got `array` - at `$.payload`"
    event = decoded(EventDecoder(CloudEvents()), CLOUD | {"time": "2025-11-22T08:26:40Z"})
    assert isinstance(event, Event)
    assert event.payload is not None


def test_an_event_without_a_time_is_refused_with_all_that_is_known_of_it() -> None:
    error = decoded(EventDecoder(CloudEvents()), CLOUD)
    assert isinstance(error, InvalidEventError)
    assert (error.event_id, error.event_type, error.correlation_id) == ("1", "A", "c")


class One(Struct): ...


class Two(Struct): ...


def test_processors_that_share_a_type_decode_it_in_the_same_way() -> None:
    decoder, chain, other = EventDecoder(Native()), Chain(1, (dict,)), Chain(2, (dict,))
    decoder.register({"A": One, "B": One | None}, {"A": chain})
    decoder.check({"C": Two, "A": One, "B": One | None}, {"A": chain}, "sums")
    for schemas, chains, problem in (
        ({"A": One}, {"A": other}, "has other upcasters of the event type 'A' than another processor"),
        ({"A": One}, {}, "has other upcasters of the event type 'A' than another processor"),
        ({"A": Two}, {}, "decodes the event type 'A' as Two, and another processor as One"),
        (
            {"C": Two, "B": Two},
            {},
            f"decodes the event type 'B' as Two, and another processor as {One | None}",
        ),
    ):
        with pytest.raises(ConfigurationError) as caught:
            decoder.check(schemas, chains, "sums")
        assert str(caught.value) == f"sums {problem}"
