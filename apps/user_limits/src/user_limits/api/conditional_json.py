"""Answers a request with a document and its entity tag, or with 304 if the caller has it."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from user_limits.api.etag import is_known

_encoder = msgspec.json.Encoder(decimal_format="number")

# Only the caller may cache it, and has to revalidate it before each use.
_CACHING = (b"cache-control", b"private, no-cache")
_JSON = (b"content-type", b"application/json")


class ConditionalJson:
    """An ASGI application that sends one document, its numbers exactly as stored.

    It replaces the framework's response, which takes as long as the rest of a request.

    Args:
        tag: the document's entity tag.
        make: makes the document, if the caller does not have it.
    """

    __slots__ = ("_make", "_tag")

    def __init__(self, tag: str, make: Callable[[], Struct]) -> None:
        self._tag = tag
        self._make = make

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Send the document, or 304 if the caller has it."""
        headers = [(b"etag", self._tag.encode()), _CACHING]
        body, status = b"", 304
        if not is_known(self._tag, header(scope, b"if-none-match")):
            body, status = _encoder.encode(self._make()), 200
            headers += [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def header(scope: Any, name: bytes) -> str | None:
    """Return the value of a header, whose name is in lower case; the last value if there are several."""
    value: bytes | None = dict(scope["headers"]).get(name)
    return value.decode("latin-1") if value is not None else None
