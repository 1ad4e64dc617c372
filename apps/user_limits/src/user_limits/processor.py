"""The processor of user limits: which events it takes, which limit each is about, what it does to it."""

from kinesis_handler import Event, Key, Projection, Remarked
from user_limits.events import EVENT_TYPES, EXACT, LimitPayload
from user_limits.limit import Limit, apply, is_snapshot


class UserLimitEventProcessor(Projection[Limit, LimitPayload]):
    """Keeps the current state of each limit, by user and limit id."""

    event_types = EVENT_TYPES
    decimal_context = EXACT

    def key(self, event: Event[LimitPayload]) -> Key:
        """Return (user id, limit id)."""
        return event.payload.user_id, event.payload.user_limit_id

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        """See `limit.apply`."""
        return apply(state, event)

    def is_snapshot(self, event: Event[LimitPayload], state: Limit | None) -> bool:
        """See `limit.is_snapshot`."""
        return is_snapshot(state, event.payload)
