"""Code as a user would write it, for the type checkers alone: it is never run.

`assert_type` states what is inferred. A line with `type: ignore` states an error: mypy and pyright warn of an
ignore that is not needed, and so fail if the error is no longer found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_type

from msgspec import Raw, Struct

from kinesis_handler import (
    Aggregate,
    Event,
    EventProcessor,
    Key,
    KinesisHandler,
    Projection,
    Remarked,
    event_processor,
)
from kinesis_handler.batch import Batch
from kinesis_handler.envelopes import CloudEvents, Envelope, EventBridge, Native
from kinesis_handler.lambda_types import BatchResponse, LambdaContext
from kinesis_handler.outcome import APPLIED, BatchResult, HandledRecord, Outcome
from kinesis_handler.stores import Loaded, Page, Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository


class Scanned(Struct):
    parcel: str
    depot: str


@dataclass
class Delivered:
    parcel: str
    signed_by: str


class Unrelated(Struct):
    text: str


class Parcel(Struct, frozen=True):
    depot: str
    scans: int


ParcelPayload = Scanned | Delivered


class Parcels(Projection[Parcel, ParcelPayload]):
    event_types = {"PARCEL_SCANNED": Scanned, "PARCEL_DELIVERED": Delivered}

    def key(self, event: Event[ParcelPayload]) -> Key:
        assert_type(event.payload, ParcelPayload)
        assert_type(event.sequence_number, int | None)
        return "parcels", event.payload.parcel

    def apply(self, state: Parcel | None, event: Event[ParcelPayload]) -> Parcel | Remarked[Parcel]:
        match event.payload:
            case Scanned(depot=depot):
                return Parcel(depot, state.scans + 1 if state else 1)
            case Delivered():
                return Parcel("delivered", state.scans if state else 0)

    def on_change(
        self,
        before: Aggregate[Parcel | None] | None,
        after: Aggregate[Parcel | None],
        events: Sequence[Event[ParcelPayload]],
    ) -> None:
        assert_type(after.state, Parcel | None)
        assert_type(before.version if before else 0, int)
        assert_type(events[0].payload, ParcelPayload)


def from_v1(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"depot": "unknown"}


class Upcasting(Parcels):
    """Upcasters, and a header."""

    upcast = {("PARCEL_SCANNED", 1): from_v1}

    def key(self, event: Event[ParcelPayload]) -> Key:
        assert_type(event.headers, Mapping[str, Any])
        return str(event.headers.get("tenant")), event.payload.parcel


class Message(Struct):
    uuid: str
    kind: str
    at: float
    body: Raw


def read_envelopes(parcels: Upcasting) -> Sequence[KinesisHandler]:
    own = Envelope(
        Message, id="uuid", type="kind", created_at="at", payload="body", unit="s", documents="lines"
    )
    Envelope(Message, id="uuid", type="kind", created_at="at", payload="body", unit="us")  # type: ignore[arg-type]
    Envelope(Delivered, id="", type="", created_at="", payload="")  # type: ignore[arg-type]
    Native(documents="many")  # type: ignore[arg-type]
    return [
        KinesisHandler([parcels], envelope=each) for each in (own, Native(), CloudEvents(), EventBridge())
    ]


class OneType(Projection[int, Scanned]):
    """One schema, and a state that is no class of its own."""

    event_types = {"PARCEL_SCANNED": Scanned}

    def key(self, event: Event[Scanned]) -> tuple[str, str]:
        return "depots", event.payload.depot

    def apply(self, state: int | None, event: Event[Scanned]) -> int:  # noqa: ARG002 - only the types count
        return (state or 0) + 1


class Wrong(Projection[Parcel, Scanned]):
    event_types = {"PARCEL_SCANNED": Unrelated}  # type: ignore[dict-item]

    def key(self, event: Event[Unrelated]) -> Key:  # type: ignore[override]
        return "parcels", event.payload.text

    def apply(self, state: Parcel | None, event: Event[Scanned]) -> int:  # type: ignore[override]
        return len(event.payload.nothing) + (state is None)  # type: ignore[attr-defined]


def stores(memory: MemoryRepository[Parcel]) -> None:
    """A repository is one of its states."""
    file = SQLiteRepository("parcels.db", Parcel)
    assert_type(file, SQLiteRepository[Parcel])
    repositories: list[Repository[Parcel]] = [memory, file]
    loaded = repositories[0].load([("parcels", "p1")])
    assert_type(loaded, Loaded[Parcel])
    assert_type(loaded.found, dict[Key, Aggregate[Parcel]])
    assert_type(loaded.found["parcels", "p1"].state.scans, int)
    assert_type(memory.find("parcels"), Page[Parcel])
    Parcels(memory)
    OneType(MemoryRepository[int]())
    OneType(memory)  # type: ignore[arg-type]


@event_processor({"PARCEL_SCANNED": Scanned, "PARCEL_DELIVERED": Delivered}, key=lambda event: event.id)
def deliver(event: Event[ParcelPayload]) -> None:
    assert_type(event.payload, ParcelPayload)


def functions(scanned: Event[Scanned], unrelated: Event[Unrelated]) -> None:
    """A decorated function can still be called, with its own events only."""
    deliver(scanned)
    deliver(unrelated)  # type: ignore[arg-type]

    @event_processor({"PARCEL_SCANNED": Scanned})  # type: ignore[arg-type]
    def of_text(text: str) -> None: ...


@event_processor({"PARCEL_SCANNED": Scanned}, concurrency=4)
async def deliver_at_once(event: Event[Scanned]) -> None:
    assert_type(event.payload, Scanned)


async def coroutines(scanned: Event[Scanned], unrelated: Event[Unrelated]) -> None:
    """A decorated coroutine function can still be awaited, with its own events only."""
    await deliver_at_once(scanned)
    await deliver_at_once(unrelated)  # type: ignore[arg-type]
    KinesisHandler([deliver_at_once])


class OfOnesOwn:
    """A processor of one's own."""

    @property
    def event_types(self) -> Mapping[str, type[Scanned]]:
        return {"PARCEL_SCANNED": Scanned}

    def process(self, events: Sequence[Event[Scanned]], batch: Batch) -> None:
        outcomes: dict[Event[Scanned], Outcome] = {}
        for event in events:
            outcomes[event] = APPLIED
        assert_type(batch.has_time, bool)
        batch.quarantine(outcomes)
        batch.settle(outcomes)
        batch.settle([APPLIED])  # type: ignore[arg-type]


class Yielding:
    """What a processor was before it had a batch."""

    event_types: Mapping[str, type[Any]] = {}

    def process(self, events: Sequence[Event[Any]]) -> Any: ...


def handlers(parcels: Parcels, context: LambdaContext) -> None:
    """A handler takes processors of any kind, and returns what Lambda takes."""
    processors: list[EventProcessor] = [parcels, deliver, OfOnesOwn()]
    handler = KinesisHandler(processors)
    handler.register(Yielding())  # type: ignore[arg-type]
    assert_type(handler({"Records": []}, context), BatchResponse)
    result = handler.handle({"Records": []})
    assert_type(result, BatchResult)
    for handled in result:
        assert_type(handled, HandledRecord)
        assert_type(handled.outcome, Outcome)
