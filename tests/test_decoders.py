"""Bytes that are no JSON, by a decoder of one's own: here Protobuf."""

import gzip
import zlib
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from msgspec import Struct
from pydantic import BaseModel

import parcel_messages
from aggregates import aggregate
from kinesis_handler import Event, KinesisHandler, Projection, event_processor
from kinesis_handler.envelopes import Envelope
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.outcome import BatchResult
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from redrive.waiting import redrive, results_of
from testkit.quarantine import MemoryQuarantine


class Message(Struct):
    id: str
    kind: str
    at_ms: int
    scanned: Any
    tenant: str | None = None
    number: int | None = None


class Scanned(Struct):
    parcel: str
    depot: str
    grams: int = 0


class ScannedModel(BaseModel):
    parcel: str
    depot: str
    grams: int = 0


def from_protobuf(content: bytes) -> Message:
    message = parcel_messages.Envelope.FromString(content)
    scanned = message.scanned
    return Message(message.id, message.kind, message.at_ms, scanned, message.tenant, message.number or None)


def to_dictionary(content: bytes) -> object:
    message = parcel_messages.Envelope.FromString(content)
    # In JSON an int64 of Protobuf is a text.
    return MessageToDict(message, preserving_proto_field_name=True) | {"at_ms": message.at_ms}


def envelope(decoder: Any = from_protobuf) -> Envelope:
    return Envelope(
        Message,
        id="id",
        type="kind",
        created_at="at_ms",
        payload="scanned",
        sequence_number="number",
        decoder=decoder,
    )


def message(parcel: str = "p-1", number: int = 0, **changes: Any) -> bytes:
    scanned = {"parcel": parcel, "depot": "Lyon"}
    fields = {"id": "e-1", "kind": "SCANNED", "at_ms": 1_763_800_000_000, "scanned": scanned, "tenant": "t-1"}
    content: bytes = parcel_messages.Envelope(**(fields | {"number": number} | changes)).SerializeToString()
    return content


def handled(
    contents: list[bytes], decoder: Any = from_protobuf, schema: Any = Scanned
) -> tuple[BatchResult, list[Event[Any]]]:
    seen: list[Event[Any]] = []

    @event_processor({"SCANNED": schema})
    def scan(event: Event[Any]) -> None:
        seen.append(event)

    return KinesisHandler([scan], envelope=envelope(decoder)).handle(invocation(contents)), seen


@pytest.mark.parametrize("decoder", [from_protobuf, to_dictionary])
@pytest.mark.parametrize("schema", [Scanned, ScannedModel])
def test_a_message_of_protobuf_is_an_event(decoder: Any, schema: Any) -> None:
    _, [event] = handled([message()], decoder, schema)

    assert (event.id, event.type, event.created_at) == ("e-1", "SCANNED", 1_763_800_000_000)
    assert event.payload == schema(parcel="p-1", depot="Lyon")
    assert dict(event.headers) == {"tenant": "t-1"}


def test_gzip_and_kpl_records_are_undone_before_the_decoder() -> None:
    packed = gzip.compress(message("p-2"), mtime=0)
    _, seen = handled([packed, aggregate([("k", None, message("p-3")), ("k", None, packed)])])

    assert [event.payload.parcel for event in seen] == ["p-2", "p-3", "p-2"]


def test_bytes_that_look_like_zlib_are_left_to_the_decoder() -> None:
    number_first = b"\x78\x01" + message("p-1")  # field 15 is 1
    _, [event] = handled([number_first])
    assert event.sequence_number == 1

    result, [inflated] = handled(
        [zlib.compress(message("p-9"))], lambda data: from_protobuf(zlib.decompress(data))
    )
    assert (len(result), inflated.payload.parcel) == (1, "p-9")


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([b"\xff\xff"], "the decoder: DecodeError raised"),
        ([message(id="")], "Expected `str` of length >= 1 - at `$.id`"),
        ([message(at_ms=10**18)], "Expected a time in the years 1 to 9999 - at `$.at_ms`"),
    ],
    ids=["bytes", "field", "time"],
)
def test_what_the_decoder_cannot_read_is_rejected_alone(contents: list[bytes], reason: str) -> None:
    result, seen = handled([*contents, message("p-2")])

    [rejected] = result.rejected()
    assert str(rejected.outcome.error).startswith(reason)
    assert [event.payload.parcel for event in seen] == ["p-2"]


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        (lambda _: None, "Expected `object`, got `null` - at `$`"),
        (lambda _: {"id": 3}, "- at `$"),
        (
            lambda _: {"id": "1", "kind": "SCANNED", "at_ms": 1, "scanned": {"parcel": 3}},
            "at `$.scanned.parcel`",
        ),
        (
            lambda _: {"id": "1", "kind": "SCANNED", "at_ms": 1, "scanned": None},
            "missing its payload - at `$.scanned`",
        ),
        (lambda _: 1 / 0, "the decoder: ZeroDivisionError raised at test_decoders.py:"),
    ],
)
def test_whatever_a_decoder_returns_or_raises_the_record_has_one_outcome(decoder: Any, reason: str) -> None:
    result, _ = handled([message()], decoder)
    [rejected] = result.rejected()
    assert reason in str(rejected.outcome.error)


def test_a_projection_of_such_events_is_replayed_and_redriven_like_any_other() -> None:
    class Parcel(Struct, frozen=True):
        scans: int

    class Parcels(Projection[Parcel, Scanned]):
        event_types = {"SCANNED": Scanned}

        def key(self, event: Event[Scanned]) -> tuple[str, str]:
            return "parcels", event.payload.parcel

        def apply(self, parcel: Parcel | None, event: Event[Scanned]) -> Parcel:  # noqa: ARG002
            return Parcel((parcel.scans if parcel else 0) + 1)

    def broken(content: bytes) -> Message:
        raise NotImplementedError

    repository: MemoryRepository[Parcel] = MemoryRepository()
    quarantine = MemoryQuarantine()
    batch = invocation([message(number=number, id=f"e-{number}") for number in range(1, 4)])
    rejecting = KinesisHandler([Parcels(repository)], envelope=envelope(broken), quarantine=quarantine)
    assert rejecting(batch) == {"batchItemFailures": []}

    handler = KinesisHandler([Parcels(repository)], envelope=envelope(), quarantine=quarantine)
    sent = redrive(ThroughHandler(handler, quarantine), quarantine)
    assert [result for _, result in results_of(sent)] == ["applied"] * 3
    assert handler(batch) == {"batchItemFailures": []}
    [stored] = repository.find("parcels").aggregates
    assert (stored.state.scans, stored.version) == (3, 3)
