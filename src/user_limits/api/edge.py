"""What every request meets first, and every answer last: bounds, CORS, security headers."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from kinesis_handler.application import ASGIApp
from kinesis_handler.deadline import within
from user_limits.api.cors import Cors
from user_limits.api.problems import METHODS, ProblemError, encoded, unavailable
from user_limits.api.rate_limit import RateLimit

MAX_URL = 8_192
MAX_BODY = 8_192
"""Bytes. Nothing here reads a body; one that is small does no harm."""

TIMEOUT = 10.0
"""Seconds within which a request is answered."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

SECURITY_HEADERS = [
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Edge:
    """Wraps the application.

    Args:
        app: what answers.
        cors: which other origins' pages may read the answers.
        rate_limit: how much one client may ask.
        timeout: seconds within which a request is answered.
        clock: seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cors: Cors,
        rate_limit: RateLimit | None = None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._cors = cors
        self._rate_limit = rate_limit
        self._timeout = timeout
        self._clock = clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; a WebSocket is refused, the lifespan is the application's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        added = [*SECURITY_HEADERS, *self._cors.headers(origin)]
        is_head = scope["method"] == "HEAD"
        begun = False

        async def answer(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *added]
            elif is_head:
                message["body"] = b""
            await send(message)

        if scope["method"] == "OPTIONS":
            allow = (b"allow", METHODS.encode())
            await _send(answer, 204, [allow, *self._cors.preflight_headers(origin)])
            return
        try:
            self._admit(scope)
            if is_head:
                scope["method"] = "GET"
            until = self._clock() + self._timeout
            with within(lambda: until - self._clock()):
                async with asyncio.timeout(self._timeout):
                    await self._app(scope, receive, answer)
        except ProblemError as error:
            await _send(answer, *encoded(error))
        except TimeoutError as error:
            if begun:
                raise
            await _send(answer, *encoded(unavailable(error)))

    def _admit(self, scope: Any) -> None:
        """Raise ProblemError at a request that is not to be answered; decode its path, once."""
        if self._rate_limit is not None:
            self._rate_limit.check(scope["client"][0] if scope.get("client") else "")
        raw = scope.get("raw_path")
        path = raw.partition(b"?")[0].decode("latin-1") if raw else scope["path"]
        if len(path) + len(scope["query_string"]) > MAX_URL:
            raise ProblemError(414, f"a URL has at most {MAX_URL} bytes")
        if int(header(scope, b"content-length") or 0) > MAX_BODY:
            raise ProblemError(413, f"a request has at most {MAX_BODY} bytes")
        # A slash that is hidden in an id would be one more step of the path, once it is decoded.
        if "%2f" in path.lower() or "%5c" in path.lower() or "\\" in path:
            raise ProblemError(400, "an id has no slash and no backslash in it")
        decoded = unquote(path)
        if any(step in {".", ".."} for step in decoded.split("/")):
            raise ProblemError(400, "an id is neither . nor ..")
        scope["path"] = decoded


def header(scope: Any, name: bytes) -> str | None:
    """Return the first header of this name, which is in lower case."""
    for each, value in scope["headers"]:
        if each == name:
            return str(value.decode("latin-1"))
    return None


async def _send(send: Any, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})
