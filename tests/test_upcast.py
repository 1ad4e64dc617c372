"""Upcasters: what an older producer sent is decoded as the newest version."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import (
    ConfigurationError,
    Event,
    KinesisHandler,
    Projection,
    RejectedError,
    event_processor,
)
from kinesis_handler.envelopes import CloudEvents, Envelope, EventBridge, Native
from kinesis_handler.ingest.upcast import Chain, chains
from kinesis_handler.outcome import BatchResult
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation


class Deposited(Struct):
    iban: str
    cents: int
    currency: str
    rate: Decimal | None = None


def from_v1(payload: dict[str, Any]) -> dict[str, Any]:
    return {"iban": payload["account"], "cents": int(payload["amount"] * 100), "rate": payload.get("rate")}


def from_v2(payload: dict[str, Any]) -> dict[str, Any]:
    payload["currency"] = "EUR"  # its own
    return payload


UPCAST: Mapping[Any, Any] = {("DEPOSITED", 2): from_v2, ("DEPOSITED", 1): from_v1}
V1 = {"account": "x", "amount": 2.5, "rate": 0.12345678901234567891}
V2 = {"iban": "x", "cents": 250}
V3 = {"iban": "x", "cents": 250, "currency": "EUR"}


def native(payload: object, **more: object) -> dict[str, object]:
    return {"eventId": "1", "type": "DEPOSITED", "createdAt": 1, "payload": payload, **more}


def handled(
    *events: object, upcast: Mapping[Any, Any] = UPCAST, envelope: Envelope | None = None
) -> tuple[BatchResult, list[Any]]:
    """Return the result, and the payloads that a processor got."""
    seen: list[Any] = []

    @event_processor({"DEPOSITED": Deposited}, upcast=upcast)
    def deposit(event: Event[Deposited]) -> None:
        seen.append(event.payload)

    return KinesisHandler([deposit], envelope=envelope).handle(invocation(events)), seen


def test_each_version_passes_the_upcasters_from_its_own_on() -> None:
    _, payloads = handled(
        native(json.loads('{"account":"x","amount":2.5}')),
        native(V1 | {"rate": None}, version=1),
        native(V2, version=2),
        native(V3, version=3),
        native(V3 | {"currency": "SEK"}, version="3"),
    )
    assert payloads == [*[Deposited("x", 250, "EUR")] * 4, Deposited("x", 250, "SEK")]


def test_numbers_stay_exact_on_the_way() -> None:
    raw = b'{"eventId":"1","type":"DEPOSITED","createdAt":1,"payload":{"account":"x","amount":1,"rate":0.10000000000000000000001}}'  # noqa: E501
    _, [payload] = handled(raw)
    assert payload.rate == Decimal("0.10000000000000000000001")


def test_a_projection_has_upcasters_of_its_own() -> None:
    class Sum(Struct, frozen=True):
        cents: int

    class Deposits(Projection[Sum, Deposited]):
        event_types = {"DEPOSITED": Deposited}
        upcast = UPCAST

        def key(self, event: Event[Deposited]) -> tuple[str, str]:
            return "deposits", event.payload.iban

        def apply(self, state: Sum | None, event: Event[Deposited]) -> Sum:
            return Sum((state.cents if state else 0) + event.payload.cents)

    repository: MemoryRepository[Sum] = MemoryRepository()
    events = [native(V1), native(V2, version=2, eventId="2"), native(V3, version=3, eventId="3")]
    KinesisHandler([Deposits(repository)])(invocation(events))
    [stored] = repository.find("deposits").aggregates
    assert (stored.state, stored.version) == (Sum(750), 3)


CLOUD = {
    "specversion": "1.0",
    "id": "1",
    "source": "/bank",
    "type": "DEPOSITED",
    "time": "2025-11-22T08:26:40Z",
}
BRIDGE = {"id": "1", "detail-type": "DEPOSITED", "source": "bank", "time": "2025-11-22T08:26:40Z"}


@pytest.mark.parametrize(
    "schema",
    [
        "2",
        "v2",
        "urn:bank:deposited:v2",
        "https://bank.test/schemas/deposited/2.1",
        "https://bank.test/deposited-v2.json",
        "https://bank.test/v1/deposited#2",
    ],
)
def test_a_cloudevent_has_its_version_at_the_end_of_its_dataschema(schema: str) -> None:
    _, [old, payload] = handled(
        CLOUD | {"data": V1}, CLOUD | {"dataschema": schema, "data": V2}, envelope=CloudEvents()
    )
    assert (old.cents, payload) == (250, Deposited("x", 250, "EUR"))


def test_a_cloudevent_may_have_its_version_in_an_extension() -> None:
    result, payloads = handled(
        CLOUD | {"data": V1},
        CLOUD | {"dataversion": 2, "dataschema": "https://bank.test/any", "data": V2},
        CLOUD | {"dataversion": "new", "data": V2},
        envelope=CloudEvents(version="dataversion"),
    )
    assert [payload.cents for payload in payloads] == [250, 250]
    assert "at `$.dataversion`" in str(result.rejected()[0].outcome.error)


def test_an_event_of_eventbridge_has_its_version_in_its_detail() -> None:
    versioned = {"meta": {"version": 2}, **V2}
    _, payloads = handled(
        BRIDGE | {"version": "0", "detail": V1},
        BRIDGE | {"version": "0", "detail": versioned},
        envelope=EventBridge(version="meta.version"),
    )
    assert [payload.cents for payload in payloads] == [250, 250]
    wrong = BRIDGE | {"version": "0", "detail": {"meta": {"version": "new"}}}
    result, _ = handled(wrong, envelope=EventBridge(version="meta.version"))
    assert "- at `$.detail.meta.version`" in str(result.rejected()[0].outcome.error)


@pytest.mark.parametrize("detail", [{}, {"count": None}, {"meta": []}, [], "text", 7])
@pytest.mark.parametrize("name", ["count", "meta.count"])
def test_a_payload_that_has_no_version_inside_is_of_the_first(detail: object, name: str) -> None:
    upcast = {("DEPOSITED", 1): lambda _: V3}
    _, payloads = handled(BRIDGE | {"detail": detail}, upcast=upcast, envelope=EventBridge(version=name))
    assert payloads == [Deposited("x", 250, "EUR")]


def test_a_payload_in_the_newest_version_is_left_as_it_is() -> None:
    payload = object()
    assert Chain(1, (from_v1,)).apply(payload, 2, ".version") is payload


def test_objects_that_a_decoder_made_pass_the_upcasters_as_objects() -> None:
    class Message(Struct):
        id: str
        payload: Any
        version: int

    def decode(content: bytes) -> dict[str, Any]:
        version, _, account = content.decode().partition(" ")
        return {"id": account, "payload": {"account": account, "amount": 2.5}, "version": int(version)}

    envelope = Envelope(
        Message,
        id="id",
        type="id",
        created_at="version",
        payload="payload",
        version="version",
        decoder=decode,
    )
    seen: list[Any] = []

    @event_processor({"x": Deposited}, upcast={("x", 1): from_v1, ("x", 2): from_v2})
    def deposit(event: Event[Deposited]) -> None:
        seen.append(event.payload)

    KinesisHandler([deposit], envelope=envelope).handle(invocation([b"1 x"]))
    assert seen == [Deposited("x", 250, "EUR")]


def test_the_types_that_a_processor_takes_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"it does not take; allowed: 'OPENED', 'CLOSED'$"):
        chains({("WITHDRAWN", 1): from_v1}, {"OPENED": dict, "CLOSED": dict}, "deposit")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (native(V3, version=4), "Version 4 is not one of 1 to 3 - at `$.version`"),
        (
            native(V3, version=0),
            "Expected a version: an integer from 1 up, or a text that ends with one - at `$.version`",
        ),
        (native(V3, version=True), "- at `$.version`"),
        (native(V3, version={"s3cr3t": 1}), "- at `$.version`"),
        (native(V3, version="latest"), "- at `$.version`"),
        (native(V3, version="2025-11-22"), "- at `$.version`"),
        (native(V3, version="a-1"), "- at `$.version`"),
        (native({"account": "x"}), "The upcaster of version 1: KeyError raised at test_upcast.py:"),
        (native(["x"]), "The upcaster of version 1: TypeError raised at test_upcast.py:"),
        (native(V2 | {"cents": "x"}, version=2), "Expected `int`, got `str` - at `$.payload.cents`"),
    ],
)
def test_what_no_upcaster_leads_to_the_schema_is_rejected_with_its_identity(
    event: object, reason: str
) -> None:
    result, payloads = handled(event)
    [rejected] = result.rejected()
    assert reason in str(rejected.outcome.error)
    assert "s3cr3t" not in str(rejected.outcome.error)
    assert (rejected.identity.event_id, payloads) == ("1", [])


def test_an_upcaster_may_say_in_its_own_words_why_it_refuses() -> None:
    def refuse(_: object) -> object:
        raise RejectedError("deposits of 2019 have no currency")

    result, _ = handled(native(V1), upcast={("DEPOSITED", 1): refuse})
    [rejected] = result.rejected()
    assert str(rejected.outcome.error) == "deposits of 2019 have no currency - at `$.payload`"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "Expected `object`, got `null` - at `$.payload`"),
        (object(), "Encoding objects of type object is unsupported"),
        ((each for each in [1]), "returned what has not run yet"),
    ],
    ids=["None", "object", "generator"],
)
def test_an_upcaster_that_returns_no_payload_rejects_the_event(result: object, reason: str) -> None:
    handled_result, _ = handled(native(V1), upcast={("DEPOSITED", 1): lambda _: result})
    [rejected] = handled_result.rejected()
    assert reason in str(rejected.outcome.error)


async def later(payload: object) -> object:
    return payload


@pytest.mark.parametrize(
    ("upcast", "sentence"),
    [
        (
            {("DEPOSITED", 1): from_v1, ("DEPOSITED", 3): from_v2},
            "from version 1 to 4, and none that takes version 2",
        ),
        ({("WITHDRAWN", 1): from_v1}, "deposit has an upcaster of 'WITHDRAWN', which it does not take"),
        ({("DEPOSITED", 0): from_v1}, "version 0; allowed: from 1 up"),
        ({("DEPOSITED", True): from_v1}, "allowed: an event type and a version"),
        (
            {"DEPOSITED": from_v1},
            "an upcaster of 'DEPOSITED'; allowed: an event type and a version, such as ('OPENED', 1)",
        ),
        (
            {("DEPOSITED", 1): "from_v1"},
            "the upcaster of 'DEPOSITED', version 1, of deposit is 'from_v1'; allowed: a function of a",
        ),
        (
            {("DEPOSITED", 1): later},
            "the upcaster of 'DEPOSITED', version 1, of deposit is a coroutine function",
        ),
    ],
)
def test_upcasters_that_make_no_chain_are_refused_at_registration(upcast: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        handled(upcast=upcast)
    assert sentence in str(caught.value)


def test_upcasters_need_an_envelope_with_a_version() -> None:
    with pytest.raises(ConfigurationError, match="the envelope EventBridge carries no version"):
        handled(envelope=EventBridge())


def test_without_upcasters_a_version_is_whatever_the_producer_writes() -> None:
    _, payloads = handled(native(V3, version="latest"), native(V3, version={}), upcast={}, envelope=Native())
    assert len(payloads) == 2
