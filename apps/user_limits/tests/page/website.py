"""The application on a free port of loopback, and the handler that fills what it shows."""

import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from kinesis_handler import KinesisHandler
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits.api.app import Options, build_api
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

CAPTURE = Path(__file__).parents[2] / "data" / "events.json"
NOW = datetime(2026, 11, 20, 20, 10, tzinfo=UTC)
"""Shortly after the last event of the capture."""


class Website:
    """A running application.

    Args:
        url: where it is.
        limits: what it shows.
    """

    def __init__(self, url: str, limits: MemoryRepository[Limit]) -> None:
        self.url = url
        self._handler = KinesisHandler([UserLimitEventProcessor(limits)])
        self._numbers = itertools.count(1)

    def play(self, capture: Path = CAPTURE) -> None:
        """Let the handler process a file of events, one of which is broken."""
        self._handle(json.loads(capture.read_bytes()))

    def create(self, user: str, limit: str, value: str, **payload: object) -> None:
        """Let the handler process the creation of a limit."""
        self._send("USER_LIMIT_CREATED", user, limit, {"value": value, **payload})

    def use(self, user: str, limit: str, amount: str) -> None:
        """Let the handler process a change of a limit's progress."""
        self._send("USER_LIMIT_PROGRESS_CHANGED", user, limit, {"amount": amount})

    def _send(self, event_type: str, user: str, limit: str, payload: dict[str, object]) -> None:
        number = next(self._numbers)
        event = {
            "eventId": f"page-{number}",
            "type": event_type,
            "createdAt": int(NOW.timestamp() * 1000),
            "sequenceNumber": number,
            "aggregateId": user,
            "payload": {"userId": user, "userLimitId": limit, **payload},
        }
        self._handle([event])

    def _handle(self, events: list[Any]) -> None:
        assert self._handler(invocation(events)) == {"batchItemFailures": []}


@contextmanager
def website() -> Iterator[Website]:
    """Run the application until the end of the block."""
    limits: MemoryRepository[Limit] = MemoryRepository()
    server = uvicorn.Server(
        uvicorn.Config(build_api(limits, Options(with_page=True)), log_config=None, lifespan="off", ws="none")
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # It listens already: whoever connects before the server runs is served as soon as it does.
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Website(f"http://127.0.0.1:{listening.getsockname()[1]}", limits)
        finally:
            server.should_exit = True
            thread.join()
