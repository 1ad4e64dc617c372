"""The user limits, and what happened to them: the application's own projections."""

from typing import Any

from kinesis_handler import Event
from kinesis_handler.processor import EventProcessor
from kinesis_handler.stores import Repository
from simulation.limit_events import is_troubled
from simulation.troubles import Options, Troubled
from user_limits.activity import Activity
from user_limits.events import LimitPayload
from user_limits.limit import Limit
from user_limits.processor import ActivityProcessor, UserLimitEventProcessor


def readers(first: Repository[Any], second: Repository[Any], options: Options) -> list[EventProcessor]:
    """Return the readers of a handler."""
    return [_Limits(first, "limits", options), _Activity(second, "activity", options)]


class _Limits(Troubled[Limit, LimitPayload], UserLimitEventProcessor):  # type: ignore[misc] # its `apply` calls the other's
    """The real processor.

    Of users whose events fail, and may be mended, none is a snapshot: whether it comes before or after what
    waits has been released depends on the faults, and no oracle could predict what it supersedes.
    """

    def is_snapshot(self, event: Event[LimitPayload], state: Limit | None) -> bool:
        """See `user_limits.limit.is_snapshot`."""
        return not is_troubled(event.payload.user_id) and super().is_snapshot(event, state)

    def may_fail(self, event: Event[LimitPayload]) -> bool:
        """Return whether a fault may strike: it may park an event, and then a snapshot would supersede it."""
        return is_troubled(event.payload.user_id)


class _Activity(Troubled[Activity, LimitPayload], ActivityProcessor):  # type: ignore[misc] # its `apply` calls the other's
    pass
