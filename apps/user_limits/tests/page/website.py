"""The application on a free port of loopback, and the handler that fills what it shows."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinesis_handler import KinesisHandler
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from testkit.serving import serving
from user_limits.activity import Activity
from user_limits.api.app import Options, build_api
from user_limits.api.page import PageOptions
from user_limits.limit import Limit
from user_limits.processor import ActivityProcessor, UserLimitEventProcessor

CAPTURE = Path(__file__).parents[2] / "data" / "events.json"
NOW = datetime(2026, 11, 20, 20, 10, tzinfo=UTC)
"""Shortly after the last event of the capture."""


class Website:
    """A running application.

    Args:
        url: where it is.
        limits: what it shows.
        activities: what happened to them.
    """

    def __init__(
        self, url: str, limits: MemoryRepository[Limit], activities: MemoryRepository[Activity]
    ) -> None:
        self.url = url
        processors = UserLimitEventProcessor(limits), ActivityProcessor(activities)
        self._handlers = [KinesisHandler([each]) for each in processors]
        self._numbers = itertools.count(1)

    def play(self, capture: Path = CAPTURE) -> None:
        """Let the handler process a file of events, one of which is broken."""
        self._handle(json.loads(capture.read_bytes()))

    def create(self, user: str, limit: str, value: str, *, at: datetime = NOW, **payload: object) -> None:
        """Let the handler process the creation of a limit."""
        self._send("USER_LIMIT_CREATED", user, limit, {"value": value, **payload}, at)

    def use(self, user: str, limit: str, amount: str, *, at: datetime = NOW) -> None:
        """Let the handler process a change of a limit's progress."""
        self._send("USER_LIMIT_PROGRESS_CHANGED", user, limit, {"amount": amount}, at)

    def reset(self, user: str, limit: str, *, at: datetime = NOW, **payload: object) -> None:
        """Let the handler process a reset of a limit."""
        self._send("USER_LIMIT_RESET", user, limit, payload, at)

    def _send(self, event_type: str, user: str, limit: str, payload: dict[str, object], at: datetime) -> None:
        number = next(self._numbers)
        event = {
            "eventId": f"page-{number}",
            "type": event_type,
            "createdAt": int(at.timestamp() * 1000),
            "sequenceNumber": number,
            "aggregateId": user,
            "payload": {"userId": user, "userLimitId": limit, **payload},
        }
        self._handle([event])

    def _handle(self, events: list[Any]) -> None:
        for handle in self._handlers:
            assert handle(invocation(events)) == {"batchItemFailures": []}


@contextmanager
def website(options: Options | None = None) -> Iterator[Website]:
    """Run the application until the end of the block."""
    limits: MemoryRepository[Limit] = MemoryRepository()
    activities: MemoryRepository[Activity] = MemoryRepository()
    app = build_api(limits, options or Options(page=PageOptions()), activities=activities)
    # Without a date: the page's clock stands still, and would be set right by the server's.
    with serving(app, date_header=False) as url:
        yield Website(url, limits, activities)
