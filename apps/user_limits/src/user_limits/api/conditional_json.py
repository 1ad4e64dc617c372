"""Answers a request with a document and its entity tag, or with 304 if the caller has it."""

from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Struct

from user_limits.api.etag import is_known

Amounts = Literal["number", "string"]
"""How amounts are written: as JSON numbers, or as strings for those whose numbers have 53 bits."""

_encoders = {form: msgspec.json.Encoder(decimal_format=form) for form in get_args(Amounts)}

# Only the caller may cache it, and has to revalidate it before each use.
_CACHING = (b"cache-control", b"private, no-cache")
_JSON = (b"content-type", b"application/json")


class ConditionalJson:
    """An ASGI application that sends one document, its numbers exactly as stored.

    It replaces the framework's response, which takes as long as the rest of a request.

    Args:
        tag: the document's entity tag.
        make: makes the document, if the caller does not have it.
        amounts: how its amounts are written.
        next_cursor: requests the next page of the same list, to which a `Link` leads; None if there is none.
    """

    __slots__ = ("_amounts", "_make", "_next_cursor", "_tag")

    def __init__(
        self,
        tag: str,
        make: Callable[[], Struct],
        amounts: Amounts = "number",
        next_cursor: str | None = None,
    ) -> None:
        self._tag = tag
        self._make = make
        self._amounts = amounts
        self._next_cursor = next_cursor

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Send the document, or 304 if the caller has it."""
        headers = [(b"etag", self._tag.encode()), _CACHING]
        if self._next_cursor is not None:
            headers.append((b"link", _next_page(scope, self._next_cursor)))
        body, status = b"", 304
        if not is_known(self._tag, header(scope, b"if-none-match")):
            body, status = _encoders[self._amounts].encode(self._make()), 200
            headers += [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _next_page(scope: Any, cursor: str) -> bytes:
    """Return the `Link` to the next page, relative to this one.

    Source: https://www.rfc-editor.org/rfc/rfc8288#section-3
    """
    asked = parse_qsl(scope["query_string"].decode("latin-1"))
    query = urlencode([*((name, value) for name, value in asked if name != "cursor"), ("cursor", cursor)])
    return f'<?{query}>; rel="next"'.encode()


def header(scope: Any, name: bytes) -> str | None:
    """Return the value of a header, whose name is in lower case; the last value if there are several."""
    value: bytes | None = dict(scope["headers"]).get(name)
    return value.decode("latin-1") if value is not None else None
