"""The API on Lambda: events in payload format 2.0, as API Gateway and a function URL send them."""

import base64
import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from api.stored import EXAMPLE, limit, repository_of
from kinesis_handler import ConfigurationError
from user_limits.api.app import build_api
from user_limits.api.gateway import gateway_handler
from user_limits.limit import Limit
from user_limits.wiring import api

LIMITS = "/api/v1/users/usr_456/limits"


def event(path: str, query: str = "", method: str = "GET", **more: Any) -> dict[str, Any]:
    headers = {"host": "limits.example", "x-forwarded-for": "192.0.2.7", **more.pop("headers", {})}
    http = {
        "method": method,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.7",
        "userAgent": "test",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": http,
            "stage": "$default",
            "requestId": "r",
            "timeEpoch": 1_705_329_000_000,
        },
        "isBase64Encoded": False,
        **more,
    }


@cache
def handler(*limits: Limit) -> Any:
    return gateway_handler(build_api(repository_of(EXAMPLE, *limits)))


def invoke(told: dict[str, Any], *limits: Limit) -> dict[str, Any]:
    answer: dict[str, Any] = handler(*limits)(told, None)
    json.dumps(answer)  # Lambda has to be able to
    return answer


def test_a_route_is_answered_as_text_with_its_headers() -> None:
    answer = invoke(event(f"{LIMITS}/lmt_123"))
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is False
    assert '"amount":9800.10,' in answer["body"]
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["cache-control"] == "private, no-cache"
    again = invoke(event(f"{LIMITS}/lmt_123", headers={"if-none-match": answer["headers"]["etag"]}))
    assert (again["statusCode"], again["body"]) == (304, "")


def test_a_query_is_read() -> None:
    answer = invoke(event(f"{LIMITS}/active", "type=DEPOSIT&period=DAILY&limit=1"))
    assert json.loads(answer["body"])["meta"]["count"] == 1
    assert invoke(event(f"{LIMITS}/active", "type=WIN"))["statusCode"] == 400


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), (f"{LIMITS}/none", 404), (f"{LIMITS}/{'l' * 257}", 400)]
)
def test_a_problem_is_a_document_here_too(path: str, status: int) -> None:
    answer = invoke(event(path))
    assert answer["statusCode"] == status
    assert answer["isBase64Encoded"] is False
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["status"] == status


@pytest.mark.parametrize(
    "path", [LIMITS, f"{LIMITS}/lmt_123", f"{LIMITS}/none", "/healthz", "/docs", "/nowhere", "/a%2Fb"]
)
def test_head_answers_as_get_without_a_body(path: str) -> None:
    head, get = (
        invoke(event(path, method=method, headers={"x-correlation-id": "a"})) for method in ("HEAD", "GET")
    )
    assert head == {**get, "body": ""}


def test_what_would_change_something_is_refused() -> None:
    assert invoke(event(LIMITS, method="DELETE"))["statusCode"] == 405


@pytest.mark.parametrize(
    ("body", "is_base64", "status"),
    [
        (base64.b64encode(b"\xff" * 100).decode(), True, 200),
        ("text", False, 200),
        (base64.b64encode(b"\0" * 9_000).decode(), True, 413),
    ],
)
def test_a_body_is_bounded_and_ignored(body: str, is_base64: bool, status: int) -> None:
    length = len(base64.b64decode(body) if is_base64 else body)
    told = event(LIMITS, body=body, isBase64Encoded=is_base64, headers={"content-length": str(length)})
    assert invoke(told)["statusCode"] == status


@pytest.mark.parametrize(
    ("path", "user_id"),
    [
        ("/api/v1/users/auth0|7/limits", "auth0|7"),  # an HTTP API has decoded it
        ("/api/v1/users/auth0%7C7/limits", "auth0|7"),  # a function URL has not
        ("/api/v1/users/anna%40x.example/limits", "anna@x.example"),
        ("/api/v1/users/ünï/limits", "ünï"),
        ("/api/v1/users/%C3%BCn%C3%AF/limits", "ünï"),
        ("/api/v1/users/a b/limits", "a b"),
        ("/api/v1/users/50%/limits", "50%"),
        ("/api/v1/users/50%25/limits", "50%"),
    ],
)
def test_an_id_is_understood_whether_or_not_the_gateway_has_decoded_it(path: str, user_id: str) -> None:
    body = json.loads(invoke(event(path), limit(user_id, "l"))["body"])
    assert [each["userId"] for each in body["data"]] == [user_id]


@pytest.mark.parametrize(
    "path", ["/api/v1/users/anna%2Flimits", "/api/v1/users/../limits", "/api/v1/users/%2e%2e/limits"]
)
def test_hidden_slashes_and_dots_are_refused_here_too(path: str) -> None:
    assert invoke(event(path))["statusCode"] == 400


def test_it_does_not_start_before_somebody_has_said_who_may_read() -> None:
    with pytest.raises(ConfigurationError, match="AUTH is not set; allowed: jwt, or none if"):
        api({})
    assert callable(api({"AUTH": "none"}))


def run_alone(program: str, **environment: str) -> str:
    """Run a program in a process of its own, which is not measured: that would load more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={**kept, **environment})
    return done.stdout


@pytest.mark.other_programs
def test_the_entry_point_answers_and_loads_nothing_that_it_does_not_need() -> None:
    program = f"""
import json, sys
import user_limits.lambda_api as door
print(json.dumps(door.handler({event(LIMITS)!r}, None)["statusCode"]))
print(*sys.modules)
"""
    status, loaded = run_alone(program, AUTH="none").splitlines()
    assert status == "200"
    modules = set(loaded.split())
    assert not modules & {"typer", "uvicorn", "kinesis_handler.cli", "kinesis_handler.local.event_source"}
    assert not modules & {"boto3", "botocore", "sqlite3", "joserfc"}, "what was not chosen costs nothing"
    assert not modules & {"user_limits.api.description", "user_limits.api.reference"}
    assert not modules & {"user_limits.demo_events"}


@pytest.mark.other_programs
def test_the_consumer_loads_nothing_of_the_api() -> None:
    loaded = set(run_alone("import sys, user_limits.lambda_consumer; print(*sys.modules)").split())
    assert not [name for name in loaded if name.startswith(("litestar", "mangum", "user_limits.api"))]


@pytest.mark.other_programs
def test_without_its_libraries_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["litestar"] = None
from user_limits.api.gateway import gateway_handler
from user_limits.wiring import api
try:
    api()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""
    said = "ConfigurationError: the API needs litestar: pip install 'kinesis-handler[api]'"
    assert run_alone(program, AUTH="none") == f"{said}\n"


@pytest.mark.parametrize("host", ["[::1]:8000", ":", "a:b", "a:"])
def test_whatever_host_a_client_names_it_is_answered(host: str) -> None:
    assert invoke(event(f"{LIMITS}/lmt_123", headers={"host": host}))["statusCode"] == 200
