"""Wraps the API: bounds and CORS for every request, security headers for every answer."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from structlog.contextvars import bound_contextvars

from kinesis_handler.application import ASGIApp
from kinesis_handler.deadline import current_deadline, within
from kinesis_handler.hosts import is_this_machine
from user_limits.api.conditional_json import header
from user_limits.api.correlation import HEADER, correlation_id
from user_limits.api.cors import Cors, Headers
from user_limits.api.problems import METHODS, ProblemError, encoded, unavailable

MAX_URL = 8_192
MAX_BODY = 8_192
"""Longest URL, and largest body, in bytes. Nothing reads a body; a small one does no harm."""

MAX_DIGITS = 20

DOTS = {".", ".."}
HIDDEN_SLASH = re.compile("%2f|%5c", re.IGNORECASE)

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

ROUTE = "user_limits.route"
"""Name of an extension of the scope: a dictionary that gets `template`, the route's path with parameters."""

SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class HttpGuard:
    """Wraps an application with bounds and headers.

    The server reads its scope again to send the answer, so the application gets a copy.
    Source: https://asgi.readthedocs.io/en/latest/specs/main.html#middleware

    Args:
        app: the application.
        cors: decides which other origins' pages may read the answers.
        timeout: seconds within which a request is answered; None if nothing blocks.
        local: refuse requests for any host but this machine.
        connect: origins that the page may ask besides its own.
        clock: seconds.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        app: ASGIApp,
        *,
        cors: Cors,
        timeout: float | None = None,
        local: bool = False,
        connect: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._cors = cors
        self._timeout = timeout
        self._local = local
        policy = PAGE_POLICY.replace("connect-src 'self'", " ".join(["connect-src 'self'", *connect]))
        self._headers = [(b"content-security-policy", policy.encode()), *SECURITY_HEADERS]
        self._clock = clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer an HTTP request; pass any other scope, such as the lifespan, to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        identifier = correlation_id(header(scope, HEADER))
        headers = [*self._headers, *self._cors.headers(origin), (HEADER, identifier.encode())]
        answer = _Sender(send, headers, without_body=scope["method"] == "HEAD")
        with bound_contextvars(correlation_id=identifier):  # on every line of the log
            await self._answer(scope, receive, answer, origin)

    async def _answer(self, scope: Any, receive: Any, answer: "_Sender", origin: str | None) -> None:
        try:
            path = self._admit(scope)
            if scope["method"] == "OPTIONS":
                allow = (b"allow", METHODS.encode())
                await answer.whole(204, [allow, *self._cors.preflight_headers(origin)])
            else:
                method = "GET" if scope["method"] == "HEAD" else scope["method"]
                # The framework makes a URL of the Host, and fails where it is none. No answer needs one.
                headers = [each for each in scope["headers"] if each[0] != b"host"]
                inner = {**scope, "method": method, "path": path, "headers": headers, "server": None}
                await self._run(inner, receive, answer)
                if (route := (scope.get("extensions") or {}).get(ROUTE)) is not None:
                    route["template"] = inner.get("path_template")
        except ProblemError as error:
            await answer.whole(*encoded(error))
        except TimeoutError as error:
            if answer.begun:
                raise
            await answer.whole(*encoded(unavailable(error)))

    async def _run(self, scope: Any, receive: Any, answer: "_Sender") -> None:
        if self._timeout is None:
            await self._app(scope, receive, answer)
            return
        with within(current_deadline().or_sooner(self._timeout, self._clock)):
            async with asyncio.timeout(self._timeout):
                await self._app(scope, receive, answer)

    def _admit(self, scope: Any) -> str:
        """Return the path, decoded once. Raises ProblemError at a request that must be refused."""
        # A page of another host could point its name to this machine, and read what the browser may.
        if self._local and not is_this_machine(header(scope, b"host") or ""):
            raise ProblemError(421, "this is served to this machine only, by its own name or address")
        path = scope["raw_path"].partition(b"?")[0].decode(errors="replace")
        if len(path) + len(scope["query_string"]) > MAX_URL:
            raise ProblemError(414, f"a URL has at most {MAX_URL} bytes")
        if (length := header(scope, b"content-length")) and not _is_small(length):
            raise ProblemError(413, f"a request has at most {MAX_BODY} bytes")
        # An encoded slash in an id would add a segment to the path, once it is decoded.
        if "\\" in path or ("%" in path and HIDDEN_SLASH.search(path)):
            raise ProblemError(400, "an id has no slash and no backslash in it")
        decoded = unquote(path)
        if "." in decoded and not DOTS.isdisjoint(decoded.split("/")):
            raise ProblemError(400, "an id is neither . nor ..")
        return decoded


def _is_small(length: str) -> bool:
    return length.isascii() and length.isdigit() and int(length[:MAX_DIGITS]) <= MAX_BODY


class _Sender:
    """Sends an answer with the headers of every answer."""

    def __init__(self, send: Any, headers: Headers, *, without_body: bool) -> None:
        self.begun = False
        self._send = send
        self._headers = headers
        self._without_body = without_body

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message["headers"], *self._headers]}
        elif self._without_body:
            message = {**message, "body": b""}
        await self._send(message)

    async def whole(self, status: int, headers: Headers, body: bytes = b"") -> None:
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body, "more_body": False})
