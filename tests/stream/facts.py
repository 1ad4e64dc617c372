"""Events of a user's limits, as a test needs them."""

from msgspec.json import encode


def created(number: int, limit: str = "limit-1", user: str = "anna") -> bytes:
    """Write the event that makes a limit, or makes it anew."""
    return _event(number, "USER_LIMIT_CREATED", user, {"userLimitId": limit, "value": "100"})


def unknown(number: int, user: str = "anna") -> bytes:
    """Write an event of a limit that nobody knows: it fails each time."""
    return _event(number, "USER_LIMIT_PROGRESS_CHANGED", user, {"userLimitId": "nowhere", "amount": "1"})


def _event(number: int, event_type: str, user: str, payload: dict[str, object]) -> bytes:
    return encode(
        {
            "eventId": f"event-{number}",
            "type": event_type,
            "createdAt": 1_700_000_000_000 + number,
            "payload": {"userId": user, **payload},
        }
    )
