"""Answers over HTTP: JSON, problem details (RFC 9457), and how an ASGI server is sent them."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode

NO_HEADERS: Mapping[str, str] = {}


class Answer(NamedTuple):
    """An answer: its status, its body, and its own headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = NO_HEADERS

    async def send(self, send: Callable[..., Awaitable[None]], *, with_body: bool = True) -> None:
        """Send it by an ASGI server: https://asgi.readthedocs.io/en/latest/specs/www.html.

        An answer 304 says no length: it would have to be that of the answer in its place (RFC 9110, 8.6).
        """
        is_known = self.status == HTTPStatus.NOT_MODIFIED
        sent = {**({} if is_known else {"content-length": str(len(self.body))}), **self.headers}
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": int(self.status), "headers": headers})
        await send({"type": "http.response.body", "body": self.body if with_body else b""})


def as_json(document: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """Answer with a document. What is stored may be personal, and changes with each event."""
    always = {"content-type": "application/json", "cache-control": "no-store"}
    return Answer(status, _encode(document), {**always, **headers})


def as_problem(status: int, detail: str, headers: Mapping[str, str] = NO_HEADERS, **more: str) -> Answer:
    """Answer with why a request is refused."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": int(status), **more, "detail": detail}
    return as_json(document, status, {"content-type": "application/problem+json", **headers})
