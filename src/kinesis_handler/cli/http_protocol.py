"""Adds bounds to uvicorn's HTTP: on what a client may send, and on how long it may take.

uvicorn bounds headers only with its other, slower parser, and waits for a request without end. A refused
request is answered with a problem document (RFC 9457).
"""

import itertools
import sys
from asyncio import TimerHandle, Transport
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kinesis_handler.http_answer import NO_HEADERS, Answer, as_problem

if sys.platform != "win32":
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

MAX_CONNECTIONS = 1_000
"""Most concurrent connections, if the process may open that many files."""


LINGER = 2.0
"""Seconds that a client has to read the refusal before its connection ends."""


class Bounds(Struct, frozen=True, kw_only=True):
    """Bounds on what a client may use of the server.

    Args:
        head: bytes of a request's line and headers.
        seconds: from a request's first byte, or from the start of the connection, to the request's last byte;
            also the time for a client to read what it was sent.
        connections: how many there may be. Beyond that, a new connection closes the one that has waited the
            longest for its request.
    """

    head: int = 32_768
    seconds: float = 10.0
    connections: int = MAX_CONNECTIONS


def process_bounds() -> Bounds:
    """Return bounds that leave half of this process's open files for other purposes."""
    if sys.platform == "win32":
        return Bounds()
    files, _ = getrlimit(RLIMIT_NOFILE)
    return (
        Bounds() if files == RLIM_INFINITY else Bounds(connections=min(MAX_CONNECTIONS, max(1, files // 2)))
    )


class BoundedProtocol(HttpToolsProtocol):
    """A connection that a client can neither flood nor occupy."""

    bounds = Bounds()
    _waits = itertools.count()
    """Numbers the waits in their order: within one tick of a loop's clock (a millisecond) many may begin."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; if there are too many connections, close one that waits."""
        self._head = 0
        self._is_in_body = False
        self._is_complete = False
        self._is_refused = False
        self._late: TimerHandle | None = None
        self._stuck: TimerHandle | None = None
        self.wait_number = next(self._waits)
        if len(self.connections) >= self.bounds.connections and not self._close_another():
            self.app = _busy  # for this connection only
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more data, of the head no more than its bound."""
        self._is_complete = False
        while data and not (self._is_refused or self.transport.is_closing()):
            piece = data
            if not self._is_in_body:
                room = self.bounds.head - self._head
                if not room:
                    self._refuse(431, f"a request's line and headers have at most {self.bounds.head} bytes")
                    return
                piece = data[:room]
                self._head += len(piece)
            data = data[len(piece) :]
            super().data_received(piece)
        if self._is_refused:
            return
        if not self._is_complete:
            self._await_request()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def on_message_begin(self) -> None:
        """Record that a request has begun."""
        self._is_complete = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Record that a head is complete."""
        self._head = 0
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Record that a request is complete."""
        self._is_in_body = False
        self._is_complete = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or for the client to read the last answer."""
        self.wait_number = next(self._waits)
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_client(self.bounds.seconds)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has not been used again."""
        super().timeout_keep_alive_handler()
        self._await_client(self.bounds.seconds)

    def pause_writing(self) -> None:
        """Wait for the client to read what it was sent."""
        super().pause_writing()
        self._await_client(self.bounds.seconds)

    def resume_writing(self) -> None:
        """Continue: the client has read it."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse data that is not HTTP."""
        self._refuse(400, "this is no request of HTTP/1.1")

    def is_waiting(self) -> bool:
        """Tell whether the connection waits for the client, and not for the application."""
        cycle: RequestResponseCycle | None = self.cycle  # None on a new connection
        return not self.transport.is_closing() and (cycle is None or cycle.response_complete)

    def _close_another(self) -> bool:
        """Close the connection that has waited the longest for a request; return whether there was one."""
        others = [each for each in self.connections if isinstance(each, BoundedProtocol)]
        waiting = [each for each in others if each.is_waiting()]
        if not waiting:
            return False
        min(waiting, key=lambda each: each.wait_number).transport.abort()
        return True

    def _await_request(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.bounds.seconds, self._end_late_request)

    def _end_late_request(self) -> None:
        has_begun = self._head > 0 or self._is_in_body
        is_answered = self._is_in_body and self.cycle.response_complete
        if has_begun and not is_answered:
            self._refuse(408, f"the request was not complete within {self.bounds.seconds:g} s")
        else:
            self.transport.close()
            self._await_client(LINGER)

    def _await_client(self, seconds: float) -> None:
        if self._stuck is None:
            self._stuck = self.loop.call_later(seconds, self.transport.abort)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer with the reason, and stop reading."""
        self._is_refused = True
        self._stop_timers()
        if self.transport.is_closing():
            return
        if not self.is_waiting():  # an answer is being sent: it is the last one
            self.cycle.keep_alive = False
            return
        answer = _problem(status, detail)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        # Closing at once would be a reset if the client still sends: it might never read the reason.
        self.transport.write_eof()
        self._await_client(LINGER)

    def _stop_timers(self) -> None:
        self._unset_keepalive_if_required()
        for timer in (self._late, self._stuck):
            if timer is not None:
                timer.cancel()
        self._late = self._stuck = None


def bounded(bounds: Bounds) -> type[BoundedProtocol]:
    """Return a protocol class with these bounds."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds})


async def _busy(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer, as an ASGI application, that the server has no room."""
    answer = _problem(503, "the server has no room for another connection; try again", {"retry-after": "1"})
    await answer.send(send)


_CODES = {400: "bad-request", 408: "request-timeout", 431: "headers-too-large", 503: "unavailable"}
"""What was wrong, for a program."""


def _problem(status: int, detail: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    return as_problem(status, detail, {"connection": "close", **headers}, code=_CODES[status])
