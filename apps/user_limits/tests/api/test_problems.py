"""Whatever is not answered as it was asked for is answered with a problem document."""

import io
import json
from collections.abc import Collection
from typing import Any

import pytest

from api.stored import client, example_client, limit, repository_of
from kinesis_handler import Key, RepositoryError, configure_logging
from kinesis_handler.stores import Loaded, Page
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.limit import Limit

LIMITS = "/api/v1/users/usr_456/limits"
ACTIVE = f"{LIMITS}/active"
TYPES = ["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"]


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    document: dict[str, Any] = response.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


WRONG = {
    "a page of nothing": (f"{LIMITS}?limit=0", "limit", ["a whole number from 1 to 100"]),
    "too large a page": (f"{LIMITS}?limit=101", "limit", ["a whole number from 1 to 100"]),
    "a page of a word": (f"{LIMITS}?limit=ten", "limit", ["a whole number from 1 to 100"]),
    "a page of five with a point": (f"{LIMITS}?limit=5.0", "limit", ["a whole number from 1 to 100"]),
    "a page of ten with an exponent": (f"{ACTIVE}?limit=1e1", "limit", ["a whole number from 1 to 100"]),
    "a page of a half": (f"{ACTIVE}?limit=1.5", "limit", ["a whole number from 1 to 100"]),
    "a page of nothing told": (f"{LIMITS}?limit=", "limit", ["a whole number from 1 to 100"]),
    "a cursor of one's own": (f"{LIMITS}?cursor=next", "cursor", ["the nextCursor of the page before"]),
    "an empty cursor": (f"{ACTIVE}?cursor=", "cursor", ["the nextCursor of the page before"]),
    "too long a cursor": (f"{LIMITS}?cursor={'a' * 1501}", "cursor", ["the nextCursor of the page before"]),
    "a type that there is not": (f"{ACTIVE}?type=WIN", "type", TYPES),
    "a type in small letters": (f"{ACTIVE}?type=bet", "type", TYPES),
    "no type": (f"{ACTIVE}?type=", "type", TYPES),
    "a misspelt parameter": (f"{ACTIVE}?typ=BET", "typ", ["type", "period", "limit", "cursor", "amounts"]),
    "a filter where there is none": (f"{LIMITS}?type=BET", "type", ["limit", "cursor", "amounts"]),
    "a parameter where there is none": (f"{LIMITS}/lmt_123?limit=1", "limit", ["amounts"]),
    "a parameter twice": (f"{ACTIVE}?type=BET&type=LOSS", "type", TYPES),
    "too long a user's id": (f"/api/v1/users/{'u' * 513}/limits", "userId", ["1 to 512 characters"]),
    "too long a limit's id": (f"{LIMITS}/{'l' * 257}", "limitId", ["1 to 256 characters"]),
}


@pytest.mark.parametrize(("path", "parameter", "allowed"), WRONG.values(), ids=WRONG)
def test_a_wrong_parameter_is_named_with_what_is_allowed(
    path: str, parameter: str, allowed: list[str]
) -> None:
    told = problem(example_client().get(path), 400)
    assert (told["parameter"], told["allowed"]) == (parameter, allowed)


def test_a_wrong_period_is_answered_with_all_spellings() -> None:
    told = problem(client(repository_of()).get(f"{ACTIVE}?period=YEARLY"), 400)
    assert told["parameter"] == "period"
    assert {"DAY", "DAILY", "CALENDAR_MONTHLY", "INSTANCE"} <= set(told["allowed"])


def test_ids_of_the_longest_are_allowed() -> None:
    user, name = "u" * 512, "l" * 256
    asked = client(repository_of(limit(user, name)))
    assert asked.get(f"/api/v1/users/{user}/limits/{name}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/v1/users",
        "/api/v1/users//limits",
        f"{LIMITS}/lmt_123/more",
        "/api/v2/users/u/limits",
    ],
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    problem(example_client().get(path), 404)


def test_an_unknown_limit_is_not_found_and_its_id_is_not_repeated() -> None:
    response = example_client().get(f"{LIMITS}/<script>alert(1)<")
    problem(response, 404)
    assert "script" not in response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [LIMITS, ACTIVE, f"{LIMITS}/lmt_123", "/healthz"])
def test_nothing_can_be_changed(method: str, path: str) -> None:
    response = example_client().request(method, path)
    problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


class Broken(MemoryRepository[Limit]):
    """A store that cannot be read, for whatever reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def load(self, keys: Collection[Key]) -> Loaded[Limit]:
        if isinstance(self._error, RepositoryError):
            return Loaded({}, dict.fromkeys(keys, self._error))
        raise self._error

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[Limit]:  # noqa: ARG002
        raise self._error


@pytest.mark.parametrize("path", [LIMITS, ACTIVE, f"{LIMITS}/lmt_123"])
def test_an_error_within_is_reported_by_an_id_that_is_in_the_log_and_by_nothing_else(
    path: str, log_lines: io.StringIO
) -> None:
    response = client(Broken(KeyError("the secret of the house"))).get(path)
    told = problem(response, 500)
    assert told["instance"].startswith("urn:uuid:")
    assert "secret" not in response.text
    assert "KeyError" not in response.text
    line = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (line["level"], line["instance"]) == ("error", told["instance"])
    assert "KeyError raised at test_problems.py" in line["reason"]
    assert "secret" not in line["reason"]


def test_the_debug_log_has_the_traceback() -> None:
    lines = io.StringIO()
    configure_logging("tests", "debug", lines)
    client(Broken(KeyError("the secret"))).get(LIMITS)
    assert "KeyError: 'the secret'" in json.loads(lines.getvalue().splitlines()[-1])["exception"]


@pytest.mark.parametrize("path", [LIMITS, ACTIVE, f"{LIMITS}/lmt_123", "/readyz"])
def test_a_store_that_does_not_answer_is_a_reason_to_come_again(path: str, log_lines: io.StringIO) -> None:
    response = client(Broken(RepositoryError("DynamoDB: throttled"))).get(path)
    told = problem(response, 503)
    assert response.headers["retry-after"] == "1"
    assert "DynamoDB" not in response.text
    line = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (line["instance"], line["reason"]) == (told["instance"], "DynamoDB: throttled")


def test_health_is_of_the_process_and_readiness_of_the_store() -> None:
    broken = client(Broken(OSError("disk")))
    assert broken.get("/healthz").json() == {"status": "ok"}
    assert problem(broken.get("/readyz"), 503)
    assert client(repository_of()).get("/readyz").json() == {"status": "ok"}
