"""Requests reach the function as API Gateway's HTTP API hands them over, and its answers come back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from testkit.emulators.http_api import http_api, routes_of
from testkit.emulators.runtime_api import FunctionError


class Function:
    """Remembers what it was told, and answers what a test wants."""

    def __init__(self, answer: object = None) -> None:
        self.told: list[dict[str, Any]] = []
        self.answer = answer

    def __call__(self, payload: dict[str, Any]) -> object:
        self.told.append(json.loads(json.dumps(payload)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@contextmanager
def asked(
    address: str, target: str, *, method: str = "GET", body: bytes | None = None, headers: Any = ()
) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.putrequest(method, target, skip_host="Host" in dict(headers), skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def told_of(target: str, routes: tuple[str, ...] = ("$default",), **request: Any) -> dict[str, Any]:
    function = Function()
    with http_api(function, routes) as address, asked(address, target, **request) as answer:
        assert answer.status == 200
    return function.told[0]


def answer_to(answer: object, **request: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    with http_api(Function(answer)) as address, asked(address, "/", **request) as response:
        headers = [(name, value) for name, value in response.getheaders() if name not in {"Date", "Server"}]
        return response.status, headers, response.read()


def test_the_payload_has_the_fields_of_the_format() -> None:
    headers = [
        ("Host", "limits.example"),
        ("User-Agent", "tests"),
        ("X-Thing", "1"),
        ("x-thing", "2"),
        ("Cookie", "one=1; two=2"),
        ("cookie", "three=3"),
    ]
    told = told_of("/a%20b/%C3%BC%2Fc?x=1&x=2&y=%26&z=", headers=headers)
    context = told.pop("requestContext")
    assert told == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a b/ü/c",
        "rawQueryString": "x=1&x=2&y=%26&z=",
        "cookies": ["one=1", "two=2", "three=3"],
        "headers": {
            "host": "limits.example",
            "user-agent": "tests",
            "x-thing": "1,2",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"x": "1,2", "y": "&", "z": ""},
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "GET",
        "path": "/a b/ü/c",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tests",
    }
    assert (context["stage"], context["routeKey"], context["accountId"]) == (
        "$default",
        "$default",
        "123456789012",
    )
    assert context["timeEpoch"] > 1_700_000_000_000
    assert context["domainName"] == "limits.example"


def test_what_a_request_has_not_is_left_out() -> None:
    told = told_of("/")
    assert told["rawQueryString"] == ""
    assert not told.keys() & {"cookies", "queryStringParameters", "body"}


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        ("application/json", b'{"a": "\xc3\xbc"}', ('{"a": "ü"}', False)),
        ("text/plain; charset=utf-8", b"text", ("text", False)),
        ("application/octet-stream", b"\xff\0", ("/wA=", True)),
    ],
)
def test_a_body_is_text_or_base64_by_its_type(content_type: str, body: bytes, told: tuple[str, bool]) -> None:
    found = told_of("/", method="POST", body=body, headers=[("Content-Type", content_type)])
    assert (found["body"], found["isBase64Encoded"]) == told
    assert found["requestContext"]["http"]["method"] == "POST"


@pytest.mark.parametrize(
    ("method", "target", "route", "variables"),
    [
        ("GET", "/users/1/limits", "GET /users/{id}/limits", {"id": "1"}),
        ("GET", "/users/1/limits/active", "GET /users/{id}/limits/active", {"id": "1"}),
        ("POST", "/users/1/limits", "ANY /{proxy+}", {"proxy": "users/1/limits"}),
        ("GET", "/users/1/limits/2/3", "ANY /{proxy+}", {"proxy": "users/1/limits/2/3"}),
    ],
)
def test_the_most_particular_route_takes_a_request(
    method: str, target: str, route: str, variables: dict[str, str]
) -> None:
    routes = (
        "$default",
        "ANY /{proxy+}",
        "GET /users/{id}/limits/{limit}",
        "GET /users/{id}/limits/active",
        "GET /users/{id}/limits",
    )
    told = told_of(target, routes, method=method)
    assert (told["routeKey"], told["pathParameters"]) == (route, variables)


def test_the_routes_are_those_of_the_openapi_document() -> None:
    paths = {
        "/$default": {"x-amazon-apigateway-any-method": {"isDefaultRoute": True}},
        "/healthz": {"get": {}},
        "/users/{id}": {"x-amazon-apigateway-any-method": {}},
    }
    assert routes_of({"paths": paths}) == ("$default", "GET /healthz", "ANY /users/{id}")


def test_a_request_without_a_route_never_reaches_the_function() -> None:
    function = Function()
    with (
        http_api(function, ("GET /users/{id}",)) as address,
        asked(address, "/users/1", method="POST") as answer,
    ):
        assert (answer.status, answer.read()) == (404, b'{"message":"Not Found"}')
    assert function.told == []


def test_status_headers_cookies_and_body_come_back() -> None:
    answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "etag": '"1"'},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "ü",
    }
    assert answer_to(answer) == (
        201,
        [
            ("content-type", "text/plain"),
            ("etag", '"1"'),
            ("set-cookie", "a=1; Secure"),
            ("set-cookie", "b=2"),
            ("content-length", "2"),
        ],
        "ü".encode(),
    )


def test_a_body_in_base64_comes_back_as_bytes() -> None:
    answer = {"statusCode": 200, "headers": {}, "body": "/wA=", "isBase64Encoded": True}
    assert answer_to(answer)[2] == b"\xff\0"


def test_an_answer_without_status_is_the_body() -> None:
    headers = [("content-type", "application/json"), ("content-length", "10")]
    assert answer_to({"a": [1]}) == (200, headers, b'{"a": [1]}')


@pytest.mark.parametrize(
    "answer",
    [
        FunctionError({"errorType": "Sandbox.Timedout"}),
        {"statusCode": "no number"},
        {"statusCode": 200, "body": 1, "isBase64Encoded": True},
    ],
)
def test_a_function_that_fails_is_an_error_of_the_gateway(answer: object) -> None:
    status, _, body = answer_to(answer)
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
