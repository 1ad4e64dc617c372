"""Asks the page as an ASGI server does."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from kinesis_handler.operator_page.server import OperatorPage
from testkit.coroutines import run

LOCAL = {"host": "127.0.0.1:8000"}
JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.body)


def ask(  # noqa: PLR0913 - a request has as many parts
    page: OperatorPage,
    path: str,
    document: object = None,
    *,
    method: str = "",
    headers: Mapping[str, str] = {},
    body: bytes | None = None,
) -> Answer:
    """Ask; with a document by POST."""
    path, _, query = path.partition("?")
    content = json.dumps(document).encode() if body is None else body
    is_post = document is not None or body is not None
    sent = {**LOCAL, **(JSON if is_post else {}), **headers}
    scope = {
        "type": "http",
        "method": method or ("POST" if is_post else "GET"),
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), text.encode()) for name, text in sent.items() if text],
    }
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content}

    async def send(message: Any) -> None:
        messages.append(message)

    run(page(scope, receive, send))
    start, end = messages
    answered = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], answered, end["body"])


def state(page: OperatorPage, **headers: str) -> Any:
    """Return what the page shows."""
    answer = ask(page, "/operator/api/state", headers=headers)
    assert answer.status == 200, answer.body
    return answer.json


def finished(page: OperatorPage, kind: str, document: object) -> Any:
    """Begin something, wait until it has ended, and return what is said of it."""
    begun = ask(page, f"/operator/api/{kind}", document)
    assert begun.status == 202, begun.body
    page._routes.jobs.wait()
    return next(job for job in state(page)["jobs"] if job["id"] == begun.json["id"])
