"""The processors of user limits: which events they take, which limit each is about, what it does to it."""

from kinesis_handler import Event, Key, Projection, Remarked
from kinesis_handler.stores import State
from user_limits.activity import Activity, record_change
from user_limits.events import EVENT_TYPES, EXACT, LimitPayload
from user_limits.limit import Limit, apply, is_snapshot


class LimitProjection(Projection[State, LimitPayload]):
    """Keeps a state for each limit, by user and limit id."""

    event_types = EVENT_TYPES
    decimal_context = EXACT

    def key(self, event: Event[LimitPayload]) -> Key:
        """Return (user id, limit id)."""
        return event.payload.user_id, event.payload.user_limit_id


class UserLimitEventProcessor(LimitProjection[Limit]):
    """Keeps the current state of each limit."""

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        """See `limit.apply`."""
        return apply(state, event)

    def is_snapshot(self, event: Event[LimitPayload], state: Limit | None) -> bool:
        """See `limit.is_snapshot`."""
        return is_snapshot(state, event.payload)


class ActivityProcessor(LimitProjection[Activity]):
    """Keeps what happened to each limit."""

    def apply(self, state: Activity | None, event: Event[LimitPayload]) -> Activity:
        """See `activity.record_change`."""
        return record_change(state, event)
