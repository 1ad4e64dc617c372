"""A read-only HTTP API of an application's views, as JSON: on Lambda, and for any ASGI server.

    GET /{view}/{partition}         what is stored in a partition: {"data": […], "cursor": …}
    GET /{view}/{partition}/{sort}  what is stored under a key: {"data": …}

A list takes `limit`, from 1 to 1,000, and the `cursor` of the page before it. Errors are problem details
(RFC 9457). Whoever reaches it may read everything: the gateway in front of it decides who that is.
"""

from asyncio import to_thread
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from kinesis_handler.application import Api, ASGIApp, View
from kinesis_handler.errors import InvalidCursorError, RepositoryError, UnreadableError
from kinesis_handler.http_answer import Answer, as_json, as_problem

__all__ = ["JsonApi"]

DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000


class JsonApi:
    """The API of some views. An instance is itself an application of ASGI.

    Args:
        views: what is shown, each under its name.
    """

    def __init__(self, views: Sequence[View[Any]]) -> None:
        self._views = {view.name: view for view in views}

    def on_lambda(self, request: Mapping[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG002
        """Answer a request of API Gateway's HTTP APIs, or of a function URL, in their format 2.0.

        Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
        """
        method = request["requestContext"]["http"]["method"]
        answer = self.answer(method, request["rawPath"], request.get("rawQueryString", ""))
        return {
            "statusCode": int(answer.status),
            "headers": dict(answer.headers),
            "body": answer.body.decode(),
        }

    async def __call__(
        self, scope: Mapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        """Answer a request of an ASGI server: https://asgi.readthedocs.io/en/latest/specs/www.html."""
        if scope["type"] != "http":
            raise ValueError(f"a connection of type {scope['type']!r} is none of HTTP")
        del receive  # a GET has no body
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        answer = await to_thread(self.answer, scope["method"], path, query)
        await answer.send(send)

    def for_command_line(self) -> Api:
        """Return what `kinesis-handler serve` serves."""
        name = next(iter(self._views), "")

        def build(*, local: bool) -> ASGIApp:
            del local  # there is nothing to write, and no page that a browser could be misled by
            return self

        return Api(build, is_open=True, path=lambda partition: f"/{name}/{quote(partition, safe='')}")

    def answer(self, method: str, path: str, query: str) -> Answer:
        """Answer a request. `path` and `query` are as they were sent: in percent-encoding."""
        if method not in {"GET", "HEAD"}:
            return as_problem(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is allowed", {"allow": "GET"})
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] not in self._views or not 2 <= len(parts) <= 3:  # noqa: PLR2004 - see the module
            names = ", ".join(f"/{name}/…" for name in self._views)
            return as_problem(HTTPStatus.NOT_FOUND, f"there is nothing here; there is {names}")
        view, partition, *rest = self._views[parts[0]], *parts[1:]
        try:
            return _one(view, partition, rest[0]) if rest else _page(view, partition, query)
        except InvalidCursorError as error:
            return as_problem(HTTPStatus.BAD_REQUEST, str(error))
        except RepositoryError as error:
            return as_problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the store: {error}")


def _one(view: View[Any], partition: str, sort: str) -> Answer:
    key = (partition, sort)
    loaded = view.repository.load([key])
    if (found := loaded.found.get(key)) is not None:
        return as_json({"data": view.document(found)})
    error = loaded.failed.get(key)
    if isinstance(error, UnreadableError):
        return as_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "what is stored there cannot be read")
    if isinstance(error, RepositoryError):
        raise error
    return as_problem(HTTPStatus.NOT_FOUND, "nothing is stored under this key")


def _page(view: View[Any], partition: str, query: str) -> Answer:
    options = dict(parse_qsl(query))
    limit = options.get("limit", str(DEFAULT_LIMIT))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit[:9]) <= MAX_LIMIT:
        return as_problem(HTTPStatus.BAD_REQUEST, f"limit is a whole number from 1 to {MAX_LIMIT:,}")
    page = view.repository.find(partition, limit=int(limit), cursor=options.get("cursor"))
    documents = [view.document(each) for each in page.aggregates]
    return as_json({"data": documents, "cursor": page.cursor})
