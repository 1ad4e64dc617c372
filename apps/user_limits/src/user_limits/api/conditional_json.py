"""What a route answers: a document with its entity tag, or that it has not changed."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from user_limits.api.etag import is_known

_encoder = msgspec.json.Encoder(decimal_format="number")

# Only the caller may keep it, and has to ask whether it still holds before it is shown again.
_CACHING = (b"cache-control", b"private, no-cache")
_JSON = (b"content-type", b"application/json")


class Answer:
    """An ASGI application that sends one document, its numbers exactly as they are stored.

    It takes the place of the framework's response, which takes as long as all the rest together.

    Args:
        tag: the document's entity tag.
        make: makes it, if the caller does not have it.
    """

    __slots__ = ("_make", "_tag")

    def __init__(self, tag: str, make: Callable[[], Struct]) -> None:
        self._tag = tag
        self._make = make

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Send the document, or that the one which the caller has still holds."""
        headers = [(b"etag", self._tag.encode()), _CACHING]
        body, status = b"", 304
        if not is_known(self._tag, header(scope, b"if-none-match")):
            body, status = _encoder.encode(self._make()), 200
            headers += [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def header(scope: Any, name: bytes) -> str | None:
    """Return the value of a header, whose name is in lower case; the last one, if there are several."""
    value: bytes | None = dict(scope["headers"]).get(name)
    return value.decode("latin-1") if value is not None else None
