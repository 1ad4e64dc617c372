"""API Gateway's HTTP API in front of a Lambda function: HTTP requests in, payloads of format 2.0 out.

It implements the documented format, and the gateway's answers to invalid responses of a function. It has no
authorizer, no throttling, no CORS and no access log: those are settings of the gateway, which the function
does not see. On AWS, a function sees other values for two things: the gateway's host name, and its caller's
address.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from testkit.emulators.lambda_environment import ACCOUNT
from testkit.emulators.runtime_api import FunctionError

API_ID = "local"
STAGE = "$default"

_NOT_HANDED_ON = {"connection", "cookie", "keep-alive", "transfer-encoding", "upgrade"}
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_ANY, _ANY_METHOD = "ANY", "x-amazon-apigateway-any-method"
_GREEDY = "+}"
_FAILED = {"message": "Internal Server Error"}

Function = Callable[[dict[str, Any]], Any]


@contextmanager
def http_api(function: Function, routes: tuple[str, ...] = (STAGE,)) -> Iterator[str]:
    """Serve a function on 127.0.0.1, and yield the address.

    Args:
        function: accepts a payload, and returns the function's answer. Raises FunctionError if it fails.
        routes: the keys of the routes, such as `GET /limits/{id}`, `ANY /{proxy+}` or `$default`.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.function = function
    server.routes = routes
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def payload(  # noqa: PLR0913 - a request has that many parts
    *,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes = b"",
    source_ip: str = "127.0.0.1",
    route: str = STAGE,
) -> dict[str, Any]:
    """Return the payload for a request, in format 2.0.

    Args:
        method: method of the request.
        target: its path and query, unchanged.
        headers: its headers, unchanged, in their order.
        body: its body, unchanged.
        source_ip: the caller's address.
        route: the key of its route.
    """
    url = urlsplit(target)
    path = unquote(url.path)  # an HTTP API decodes it
    by_name: dict[str, str] = {}
    for name, value in headers:
        if name.lower() not in _NOT_HANDED_ON:
            known = by_name.get(name.lower())
            by_name[name.lower()] = value if known is None else f"{known},{value}"
    host = by_name.get("host", "")
    by_name |= {"x-forwarded-for": source_ip, "x-forwarded-port": "443", "x-forwarded-proto": "https"}
    query: dict[str, str] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    cookies = [
        each.strip()
        for name, value in headers
        if name.lower() == "cookie"
        for each in value.split(";")
        if each.strip()
    ]
    is_text = not body or by_name.get("content-type", "").startswith(_TEXT)
    now = time.time()
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": url.query,
        **({"cookies": cookies} if cookies else {}),
        "headers": by_name,
        **({"queryStringParameters": query} if query else {}),
        **({"pathParameters": variables} if (variables := _variables(path, route)) else {}),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": by_name.get("user-agent", ""),
            },
            "requestId": uuid4().hex,
            "routeKey": route,
            "stage": STAGE,
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1_000),
        },
        **(
            {"body": body.decode(errors="replace") if is_text else base64.b64encode(body).decode()}
            if body
            else {}
        ),
        "isBase64Encoded": not is_text,
    }


def response(answer: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body for a function's answer, of format 2.0 or any other."""
    if not isinstance(answer, Mapping) or "statusCode" not in answer:
        return HTTPStatus.OK, [("content-type", "application/json")], json.dumps(answer).encode()
    body = answer.get("body") or ""
    headers = [(str(name).lower(), str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", each) for each in answer.get("cookies") or ()]
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
    return int(answer["statusCode"]), headers, content


def routes_of(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the route keys of an API that an OpenAPI document defines."""
    return tuple(
        STAGE
        if operation.get("isDefaultRoute")
        else f"{_ANY if method == _ANY_METHOD else method.upper()} {path}"
        for path, methods in definition["paths"].items()
        for method, operation in methods.items()
    )


def route_of(method: str, path: str, routes: tuple[str, ...]) -> str | None:
    """Return the key of the most specific route that matches a request; None if none does."""
    fitting = [each for each in routes if each != STAGE and _fits(method, path, each)]
    if fitting:
        return min(fitting, key=lambda each: (_GREEDY in each, each.count("{"), each.startswith(_ANY)))
    return STAGE if STAGE in routes else None


def _fits(method: str, path: str, route: str) -> bool:
    wanted, _, pattern = route.partition(" ")
    if wanted not in {method, _ANY}:
        return False
    parts, patterns = path.strip("/").split("/"), pattern.strip("/").split("/")
    if patterns[-1].endswith(_GREEDY):
        return len(parts) >= len(patterns) and _same(parts, patterns[:-1])
    return len(parts) == len(patterns) and _same(parts, patterns)


def _variables(path: str, route: str) -> dict[str, str]:
    """Return the path parameters of a request, by the names in its route."""
    parts, patterns = path.strip("/").split("/"), route.partition(" ")[2].strip("/").split("/")
    return {
        pattern.strip("{+}"): "/".join(parts[at:] if pattern.endswith(_GREEDY) else parts[at : at + 1])
        for at, pattern in enumerate(patterns)
        if pattern.startswith("{")
    }


def _same(parts: list[str], patterns: list[str]) -> bool:
    return all(
        pattern.startswith("{") or part == pattern for part, pattern in zip(parts, patterns, strict=False)
    )


class _Server(ThreadingHTTPServer):
    function: Function
    routes: tuple[str, ...]
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route = route_of(self.command, unquote(urlsplit(self.path).path), self.server.routes)
        if route is None:
            self._send(HTTPStatus.NOT_FOUND, [], b'{"message":"Not Found"}')
            return
        event = payload(
            method=self.command,
            target=self.path,
            headers=list(self.headers.items()),
            body=body,
            source_ip=self.client_address[0],
            route=route,
        )
        try:
            self._send(*response(self.server.function(event)))
        except (FunctionError, TypeError, ValueError):
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, [], json.dumps(_FAILED).encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        sent = {name for name, _ in headers}
        if "content-type" not in sent:
            headers = [*headers, ("content-type", "application/json")]
        for name, value in headers:
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
