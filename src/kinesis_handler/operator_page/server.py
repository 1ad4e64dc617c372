"""Serves the page and its API, as an application of ASGI, before that of the application."""

import hashlib
import time
from asyncio import to_thread
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from kinesis_handler.application import Application, ASGIApp, Operators
from kinesis_handler.errors import KinesisHandlerError
from kinesis_handler.http_answer import Answer, as_problem
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.operator_page.description import describe
from kinesis_handler.operator_page.guard import RefusedError, check_host, check_origin, operator_of
from kinesis_handler.operator_page.routes import METHODS, Routes
from kinesis_handler.page_parts import INDEX, read_page

FOLDER = Path(__file__).parent / "files"

PREFIX = "/operator"
API = f"{PREFIX}/api/"

MAX_BODY = 32_768
"""Largest body, in bytes: a key has at most 2 KB, in JSON at most six times as many."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class OperatorPage:
    """The page under `/operator`, and an application that answers all other requests.

    Args:
        application: is watched, and operated.
        inner: answers all other requests.
        operators: who may operate; None: whoever is on this machine, as `user`.
        minutes: the outcomes of this process; None if it processes nothing.
        user: the name of who is on this machine.
        clock: seconds since epoch.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        application: Application,
        inner: ASGIApp,
        *,
        operators: Operators | None = None,
        minutes: Minutes | None = None,
        user: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inner = inner
        self._operators = operators
        self._user = user
        self._routes = Routes(application, minutes, clock, shows_operator=operators is not None)
        self._files = page_files(operators)
        connect = " ".join(["'self'", *(operators.origins if operators is not None else ())])
        self._headers = {
            "content-security-policy": POLICY.format(connect=connect),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
        }

    def close(self) -> None:
        """End the job that runs, if one does, where nothing is half done."""
        self._routes.jobs.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request of an ASGI server: https://asgi.readthedocs.io/en/latest/specs/www.html."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path != PREFIX and not path.startswith(f"{PREFIX}/"):
            await self._inner(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, path, receive)
        except RefusedError as error:
            answer = as_problem(error.status, str(error), error.headers)
        except KinesisHandlerError as error:
            answer = as_problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        answer = answer._replace(headers={**self._headers, **answer.headers})
        await answer.send(send, with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Any, path: str, receive: Any) -> Answer:
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
        if self._operators is None:
            check_host(headers)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        name = path.removeprefix(API) if path.startswith(API) else ""
        if name not in METHODS and path not in self._files:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing at this path")
        if method != (allowed := METHODS.get(name, "GET")):
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is allowed", {"allow": allowed}
            )
        if path in self._files:
            file = self._files[path]
            is_known = file.headers["etag"] in headers.get("if-none-match", "")
            return file._replace(status=HTTPStatus.NOT_MODIFIED, body=b"") if is_known else file
        operator = self._user if self._operators is None else await operator_of(headers, self._operators)
        if method == "GET":
            return await to_thread(self._routes.read, name, scope["query_string"].decode("latin-1"), operator)
        check_origin(headers)
        return self._routes.begin(name, await _body(receive), operator)


async def _body(receive: Any) -> bytes:
    """Return the body of a request. Raises RefusedError if it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            detail = f"a request has at most {MAX_BODY:,} bytes"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        if not message.get("more_body"):
            return body


def page_files(operators: Operators | None) -> Mapping[str, Answer]:
    """Return the files by their paths; the page itself is at the prefix, and where an issuer sends back to.

    Args:
        operators: where an operator signs in; None if nobody has to.
    """
    files = {name: _file(*each) for name, each in read_page(FOLDER, _options(operators)).items()}
    page = files.pop(INDEX)
    paths = {f"{PREFIX}/{name}": file for name, file in files.items()}
    description = msgspec.json.encode(describe(with_tokens=operators is not None))
    paths[f"{PREFIX}/openapi.json"] = _file(description, "application/json")
    return {**paths, PREFIX: page, f"{PREFIX}/": page, f"{PREFIX}/signed-in": page}


def _file(content: bytes, content_type: str) -> Answer:
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "no-cache", "content-type": content_type}
    return Answer(HTTPStatus.OK, content, headers)


def _options(operators: Operators | None) -> Mapping[str, str]:
    if operators is None:
        return {}
    return {
        "oidc-issuer": operators.issuer,
        "oidc-client-id": operators.client_id,
        "oidc-scope": operators.scope,
    }
