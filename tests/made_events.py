"""Events and aggregates for tests of the pure parts, made without a stream: only what counts is said."""

from typing import Any

from kinesis_handler import BusinessError, RejectedError
from kinesis_handler.aggregate import Aggregate, Parked
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.record import Record

KEY = ("letters", "a")
CREATED = 1_700_000_000_000


def event(
    id_: str, position: tuple[int, int] = (1, 0), number: int | None = None, *, arrived: float | None = None
) -> Event[str]:
    """Make an event whose payload is its id; its record's number says when it was created, too."""
    sequence_number, sub_sequence_number = position
    kinesis = {"sequenceNumber": str(sequence_number), "partitionKey": "a", "data": ""}
    source: Any = {
        "kinesis": kinesis if arrived is None else {**kinesis, "approximateArrivalTimestamp": arrived}
    }
    record = Record(source, str(sequence_number), sub_sequence_number, "a")
    return Event(id_, "LETTER", CREATED + sequence_number, id_, record, number)


def aggregate(
    state: str | None = "a",
    position: tuple[int, int] = (10, 5),
    number: int | None = None,
    ids: tuple[str, ...] = ("a",),
    parked: Parked | None = None,
) -> Aggregate[str | None]:
    """Make an aggregate of three applied events."""
    return Aggregate(
        key=KEY,
        state=state,
        version=3,
        updated_at=CREATED,
        sequence_number=number,
        record_sequence_number=str(position[0]),
        record_sub_sequence_number=position[1],
        recent_event_ids=ids,
        parked=parked,
    )


def checked(letters: str) -> str:
    """Return the letters of an event; one that begins with `!` fails, and one with `#` is rejected."""
    if letters.startswith("!"):
        raise BusinessError("not now")
    if letters.startswith("#"):
        raise RejectedError("never")
    return letters
