"""Requests to the API: their paths, queries and headers, from a server or from a gateway."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from functools import cache
from re import compile as pattern
from typing import Any, TypeVar, get_args

from msgspec.structs import replace

from fuzz.targets import Target
from kinesis_handler import Aggregate
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.activity import Activity
from user_limits.api.activity import EXAMPLE as ACTIVITY
from user_limits.api.app import Options, build_api
from user_limits.api.documents import EXAMPLE
from user_limits.api.gateway import gateway_handler
from user_limits.api.problems import ProblemCode
from user_limits.limit import Limit

_NOW = 1_705_329_000.0
_STATUSES = {200, 204, 304, 400, 404, 405, 413, 414}
_CODES = set(get_args(ProblemCode)) - {
    "internal-error",
    "unavailable",
    "unreadable-limit",
    "request-timeout",
    "headers-too-large",
}
_NO_HEADER = pattern(rb"[^\t\x20-\x7e\x80-\xff]")
"""What the server's parser lets into no header."""
_NO_TARGET = pattern(rb"[^\x21-\x7e]|#.*")
"""Nor into a path or query."""

_METHODS = (b"GET ", b"HEAD ", b"OPTIONS ", b"POST ", b"DELETE ")

Result = TypeVar("Result")


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all requests."""
    return asyncio.new_event_loop()


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end."""
    return loop().run_until_complete(coroutine)


@cache
def _app() -> Any:
    limits, activities = MemoryRepository[Limit](), MemoryRepository[Activity]()
    limits.save([Change(None, EXAMPLE), *(Change(None, _limit(f"a{number}")) for number in range(30))])
    activities.save([Change(None, ACTIVITY)])
    options = Options(cors_origins=["https://shop.example"])
    return build_api(limits, options, activities=activities, clock=lambda: _NOW)


def _limit(limit_id: str) -> Aggregate[Limit]:
    state = Limit(user_id="usr_456", limit_id=limit_id, value=Decimal(10), progress=Decimal(3), active_from=0)
    return replace(EXAMPLE, key=("usr_456", limit_id), state=state)


def _parsed(data: bytes) -> tuple[str, bytes, bytes, list[tuple[bytes, bytes]]]:
    """Read an input: a method, a path and a query; on each further line a header."""
    first, *lines = data.split(b"\n")
    method = next((each for each in _METHODS if first.startswith(each)), b"GET ")
    path, _, query = _NO_TARGET.sub(b"", first.removeprefix(method)).partition(b"?")
    headers = [line.partition(b": ")[::2] for line in lines]
    return (
        method.decode().strip(),
        path if path.startswith((b"/", b"*")) else b"/" + path,
        query,
        [(name.lower(), _NO_HEADER.sub(b"", value)) for name, value in headers if name],
    )


def check_served(inputs: Sequence[bytes]) -> list[str]:
    """Ask the application as the server does."""
    return run(_ask_all(inputs))


async def _ask_all(inputs: Sequence[bytes]) -> list[str]:
    return [await _ask(each) for each in inputs]


async def _ask(data: bytes) -> str:
    method, path, query, headers = _parsed(data)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path.decode(errors="replace"), "raw_path": path, "query_string": query, "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {}, "extensions": {},
    }  # fmt: skip
    await _app()(scope, receive, send)
    start, *bodies = sent
    body = b"".join(each.get("body", b"") for each in bodies)
    names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return _judge(method, start["status"], names, body)


def _judge(method: str, status: int, headers: dict[str, str], body: bytes) -> str:
    assert status in _STATUSES, f"the status is {status}"
    assert headers["x-correlation-id"], "the answer has no id"
    assert not any("\n" in each or "\r" in each for each in headers.values()), "a header has several lines"
    if method == "HEAD" or status in {204, 304}:
        assert not body, "there is a body where none may be"
        return f"{method} {status}"
    if headers["content-type"].startswith("text/"):
        return f"{method} {status} page"
    if headers.get("content-encoding") == "gzip":
        return f"{method} {status} gzip"
    document = json.loads(body)
    if status == 200:  # noqa: PLR2004
        return f"{method} {status} {sorted(document)} {bool(document.get('data'))} {'link' in headers}"
    assert headers["content-type"] == "application/problem+json", "a problem is no problem document"
    assert document["status"] == status
    assert document["code"] in _CODES, f"the code is {document['code']}"
    return (
        f"{method} {status} {document['code']} {document.get('parameter', '')[:10]} {document['detail'][:60]}"
    )


@cache
def _gateway() -> Any:
    return gateway_handler(_app())


def check_gateway(inputs: Sequence[bytes]) -> list[str]:
    """Ask the function as a gateway does."""
    asyncio.set_event_loop(loop())  # the adapter takes the current one
    try:
        return [_invoke(each) for each in inputs]
    finally:
        asyncio.set_event_loop(None)


def _invoke(data: bytes) -> str:
    method, path, query, headers = _parsed(data)
    asked = path.decode("latin-1")
    event = {
        "version": "2.0", "routeKey": "$default", "rawPath": asked, "rawQueryString": query.decode("latin-1"),
        "headers": {name.decode("latin-1"): value.decode("latin-1") for name, value in headers},
        "requestContext": {
            "http": {"method": method, "path": asked, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
            "stage": "$default", "requestId": "r", "timeEpoch": 1_705_329_000_000,
        },
        "isBase64Encoded": False,
    }  # fmt: skip
    answer = _gateway()(event, None)
    json.dumps(answer)  # Lambda has to be able to
    if answer["isBase64Encoded"]:
        return f"{method} {answer['statusCode']} base64"
    return _judge(method, answer["statusCode"], answer["headers"], answer["body"].encode())


_LIMITS = b"/api/v1/users/usr_456/limits"
_SEEDS = [
    _LIMITS, _LIMITS + b"?limit=2&cursor=YTE=&amounts=string", _LIMITS + b"/active?type=DEPOSIT&period=DAILY&limit=1",
    _LIMITS + b"/lmt_123?amounts=number", _LIMITS + b"/lmt_123/activity?limit=1&cursor=NQ==", b"/healthz", b"/readyz", b"/docs",
    b"HEAD " + _LIMITS + b"\nif-none-match: W/\"1\", *\norigin: https://shop.example", b"OPTIONS " + _LIMITS, b"POST " + _LIMITS,
    _LIMITS + b"/lmt_123\nx-correlation-id: shop-7\naccept-encoding: gzip\ncontent-length: 9\nhost: localhost",
]  # fmt: skip
_WORDS = [
    b"limit", b"cursor", b"type", b"period", b"amounts", b"string", b"DEPOSIT", b"CALENDAR_DAY", b"active", b"activity", b"&", b"=",
    b"?", b"/", b"%2f", b"%00", b"%", b"%ff", b"%41", b"%E2%82%AC", b"..", b"%2e%2e", b"\\", b";", b"+", b"0", b"100", b"101", b"1e1",
    b"5.0", b"-1", b"\xd9\xa1", b"99999999999999999999", b"Nw==", b"////", b"W/\"", b"*", b"\"", b",", b"\nif-none-match: ", b"null",
    b"\norigin: ", b"\nx-correlation-id: ", b"\naccept-encoding: ", b"\ncontent-length: ", b"\ncontent-type: ", b"\ncookie: ", b"a" * 513,
    b"/api/v1/users/", b"\xff", b"\xc3\xa4", b"HEAD ", b"OPTIONS ", b"\ntransfer-encoding: chunked", b"\nhost: ", b"#", b"@", b":",
]  # fmt: skip

TARGETS = {
    "HTTP: served": Target(check_served, _SEEDS, _WORDS, share=5, at_once=50),
    "HTTP: gateway": Target(check_gateway, _SEEDS, _WORDS, share=1, at_once=20),
}
