"""The envelopes that the search covers, each with a way to write an event that must be applied."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.json import encode

from fuzz.samples import CREATED
from kinesis_handler.envelopes import CloudEvents, Envelope, EventBridge, Native

GOOD_USER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
"""User of the good records, whom no bad input names."""


class Carrier(Struct, frozen=True):
    """An envelope, and how to write an event in it.

    Args:
        envelope: reads a record's content.
        write: returns a record's content, from an event's id, its type and its payload.
    """

    envelope: Envelope
    write: Callable[[str, str, object], bytes]

    def good(self, limit_id: str) -> bytes:
        """Write an event that must be applied, whatever the other records are."""
        payload = {"userId": GOOD_USER, "userLimitId": limit_id, "value": "10"}
        return self.write(limit_id, CREATED, payload)


def _native(event_id: str, kind: str, payload: object) -> bytes:
    return encode({"eventId": event_id, "type": kind, "createdAt": 1, "payload": payload})


def _cloud_event(event_id: str, kind: str, payload: object) -> bytes:
    return encode({"specversion": "1.0", "id": event_id, "source": "limits", "type": kind, "data": payload})


def _cloud_events(event_id: str, kind: str, payload: object) -> bytes:
    return b"[%b]" % _cloud_event(event_id, kind, payload)


def _event_bridge(event_id: str, kind: str, payload: object) -> bytes:
    return encode(
        {
            "id": event_id,
            "detail-type": kind,
            "source": "limits",
            "time": "2024-01-15T14:30:00Z",
            "detail": payload,
        }
    )


NATIVE = Carrier(Native(), _native)

CARRIERS = {
    "with headers": Carrier(Native(headers=["source", "traceparent"]), _native),
    "lines": Carrier(Native(documents="lines"), _native),
    "concatenated": Carrier(Native(documents="concatenated"), _native),
    "cloudevents": Carrier(CloudEvents(), _cloud_event),
    "cloudevents array": Carrier(CloudEvents(id_within_source=True, documents="array"), _cloud_events),
    "eventbridge": Carrier(EventBridge(), _event_bridge),
}
"""All envelopes beside the native one."""
