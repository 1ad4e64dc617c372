"""The three routes: what they answer, in which order, and how exactly."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.stored import (
    DAY,
    EXAMPLE,
    NOW,
    PARKED,
    aggregate,
    client,
    example_client,
    limit,
    repository_of,
    save,
)
from kinesis_handler import KinesisHandler
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import invocation
from user_limits.api.app import Options
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.view import PERIOD_TYPES

LIMITS = "/api/v1/users/usr_456/limits"
ONE = f"{LIMITS}/lmt_123"
ACTIVE = f"{LIMITS}/active"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["limitId"] for each in response.json()["data"]]


def test_one_limit_is_reported_as_the_domain_says() -> None:
    response = example_client().get(ONE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.text, parse_float=Decimal) == {
        "data": {
            "limitId": "lmt_123",
            "userId": "usr_456",
            "type": "DEPOSIT",
            "amount": Decimal("9800.10"),
            "progress": Decimal("7350.075"),
            "percentage": 75,
            "remainingAmount": Decimal("2450.025"),
            "status": "ACTIVE",
            "periodType": "DAILY",
            "expiresAt": "2024-01-15T23:59:59Z",
            "name": None,
            "brandId": None,
            "currencyCode": "EUR",
            "previousAmount": None,
            "activeFrom": "2024-01-14T14:30:00Z",
            "activeUntil": None,
            "lastReset": {
                "at": "2024-01-14T23:59:59Z",
                "amount": Decimal("320.50"),
                "percentage": Decimal("32.05"),
            },
            "rebuilt": False,
            "driftedAt": None,
        },
        "meta": {"version": 1, "lastUpdated": "2024-01-15T14:30:00Z"},
    }


@pytest.mark.parametrize(
    "amount", ["9800.10", "0.1", "12345678901234567890123456789012345678", "1E-30", "0.00"]
)
def test_a_number_on_the_wire_is_the_one_that_is_stored_to_the_last_zero(amount: str) -> None:
    stored = limit("u", "l", value=Decimal(amount), progress=Decimal(0))
    assert f'"amount":{amount},' in client(repository_of(stored)).get("/api/v1/users/u/limits/l").text


def test_a_list_shows_of_each_limit_its_own_version_and_time() -> None:
    repository = repository_of()
    save(
        repository,
        aggregate(limit("u", "b"), version=7, updated_at=NOW * 1_000 + 5),
        aggregate(limit("u", "a"), version=2),
    )
    document = client(repository).get("/api/v1/users/u/limits").json()
    assert [(each["limitId"], each["version"], each["lastUpdated"]) for each in document["data"]] == [
        ("a", 2, "2024-01-15T14:30:00Z"),
        ("b", 7, "2024-01-15T14:30:00.005Z"),
    ]
    assert document["meta"] == {"count": 2, "nextCursor": None}


def test_a_parked_limit_says_since_when_later_events_wait() -> None:
    repository = repository_of()
    save(repository, aggregate(EXAMPLE, parked=PARKED), aggregate(limit("usr_456", "other")))
    asked = client(repository)
    assert asked.get(ONE).json()["meta"] == {
        "version": 1,
        "lastUpdated": "2024-01-15T14:30:00Z",
        "waitingSince": "2024-01-15T14:31:00Z",
    }
    for route in (LIMITS, ACTIVE):
        assert [each.get("waitingSince") for each in asked.get(route).json()["data"]] == [
            "2024-01-15T14:31:00Z",
            None,
        ]
        assert "waitingSince" not in asked.get(route).json()["data"][1]


def test_a_limit_that_was_parked_before_it_was_known_is_not_shown(tmp_path: Path) -> None:
    events = [
        {
            "eventId": f"e{number}",
            "type": "USER_LIMIT_PROGRESS_CHANGED",
            "createdAt": number,
            "payload": {"userId": "usr_456", "userLimitId": "lmt_123", "amount": "1"},
        }
        for number in range(2)
    ]
    repository: MemoryRepository[Limit] = MemoryRepository()
    processor = UserLimitEventProcessor(repository, park_after=0)
    handler = KinesisHandler([processor], quarantine=DirectoryQuarantine(tmp_path))
    assert handler.handle(invocation(events)).counts()[Status.PARKED] == 2
    asked = client(repository)
    assert (ids(asked.get(LIMITS)), ids(asked.get(ACTIVE))) == ([], [])
    assert asked.get(ONE).status_code == 404


def test_a_user_without_limits_has_an_empty_list() -> None:
    response = example_client().get("/api/v1/users/nobody/limits")
    assert response.status_code == 200
    assert response.json() == {"data": [], "meta": {"count": 0, "nextCursor": None}}


def test_a_user_sees_no_other_users_limits() -> None:
    asked = client(repository_of(limit("ann", "a"), limit("anna", "b")))
    assert ids(asked.get("/api/v1/users/ann/limits")) == ["a"]
    assert asked.get("/api/v1/users/ann/limits/b").status_code == 404


@pytest.mark.parametrize("route", [LIMITS, ACTIVE])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_pages_of_any_size_hold_each_limit_once_in_their_order(route: str, size: int) -> None:
    asked = client(repository_of(*(limit("usr_456", f"l{n}") for n in range(7))))
    found: list[str] = []
    parameters: dict[str, Any] = {"limit": size}
    while True:
        page = asked.get(route, params=parameters)
        found += ids(page)
        meta = page.json()["meta"]
        assert meta["count"] == len(page.json()["data"]) <= size
        if meta["nextCursor"] is None:
            break
        assert meta["count"] == size
        parameters["cursor"] = meta["nextCursor"]
    assert found == [f"l{n}" for n in range(7)]


def test_a_page_of_active_limits_is_full_however_many_others_lie_between() -> None:
    states = [
        limit("usr_456", f"l{n:03}", status="ACTIVE" if n % 60 == 59 else "CANCELED") for n in range(300)
    ]
    asked = client(repository_of(*states))
    first = asked.get(ACTIVE, params={"limit": 2})
    assert ids(first) == ["l059", "l119"]
    rest = asked.get(ACTIVE, params={"limit": 100, "cursor": first.json()["meta"]["nextCursor"]})
    assert ids(rest) == ["l179", "l239", "l299"]
    assert rest.json()["meta"]["nextCursor"] is None


@pytest.mark.parametrize(
    ("fields", "is_active"),
    [
        ({}, True),
        ({"status": "CANCELED"}, False),
        ({"status": "FUTURE"}, False),
        ({"status": "IN_COOLDOWN"}, False),
        ({"active_from": NOW * 1_000}, True),
        ({"active_from": NOW * 1_000 + 1}, False),
        ({"active_until": NOW * 1_000}, False),
        ({"active_until": NOW * 1_000 + 1}, True),
    ],
)
def test_active_is_what_has_that_status_from_its_beginning_until_before_its_end(
    fields: dict[str, Any], is_active: bool
) -> None:
    asked = client(repository_of(limit("usr_456", "lmt_123", **fields)))
    assert ids(asked.get(ACTIVE)) == (["lmt_123"] if is_active else [])
    assert ids(asked.get(LIMITS)) == ["lmt_123"]


def test_a_limit_becomes_active_and_ceases_to_be_as_time_goes_by() -> None:
    repository = repository_of(
        limit("usr_456", "l", active_from=NOW * 1_000, active_until=(NOW + DAY) * 1_000)
    )
    assert [ids(client(repository, now=NOW + at).get(ACTIVE)) for at in (-1, 0, DAY - 1, DAY)] == [
        [],
        ["l"],
        ["l"],
        [],
    ]


@pytest.mark.parametrize(("period", "shown"), PERIOD_TYPES.items())
def test_a_period_is_found_in_both_spellings(period: str, shown: str) -> None:
    asked = client(repository_of(*(limit("usr_456", each, period=each) for each in PERIOD_TYPES)))
    for spelling in (period, shown):
        assert ids(asked.get(ACTIVE, params={"period": spelling})) == [period]


def test_filters_hold_together() -> None:
    states = [
        limit("usr_456", f"{kind} {period}", type=kind, period=period)
        for kind in ("BET", "LOSS")
        for period in ("DAY", "WEEK")
    ]
    asked = client(repository_of(*states, limit("usr_456", "untyped")))
    assert ids(asked.get(ACTIVE, params={"type": "BET"})) == ["BET DAY", "BET WEEK"]
    assert ids(asked.get(ACTIVE, params={"type": "BET", "period": "WEEKLY"})) == ["BET WEEK"]
    assert ids(asked.get(ACTIVE, params={"type": "SESSION"})) == []


@pytest.mark.parametrize(
    "name", ["anna@x.example", "auth0|7", "a b", "ünï", "50%", "a+b", "a?b#c", "%61", "a;b"]
)
def test_an_id_may_have_any_characters_but_slashes(name: str) -> None:
    from urllib.parse import quote

    asked = client(repository_of(limit(name, name), limit("a", "a")))
    path = quote(name, safe="")
    assert asked.get(f"/api/v1/users/{path}/limits/{path}").json()["data"]["limitId"] == name


def test_head_shows_what_get_would_without_the_body() -> None:
    asked = example_client()
    for path in (ONE, LIMITS, ACTIVE, "/healthz", "/api/v1/users/usr_456/limits/none"):
        headers = {"x-correlation-id": "a"}
        got, head = asked.get(path, headers=headers), asked.head(path, headers=headers)
        assert head.content == b""
        assert (head.status_code, dict(head.headers)) == (got.status_code, dict(got.headers))


def test_a_store_that_waits_is_read_in_threads_and_answers_the_same() -> None:
    repository: SQLiteRepository[Limit] = SQLiteRepository(":memory:", Limit)
    repository.save([])
    save(repository, aggregate(EXAMPLE))  # type: ignore[arg-type]
    asked = client(repository, Options(in_threads=True, timeout=5))
    assert asked.get(ONE).text == example_client().get(ONE).text
    assert ids(asked.get(ACTIVE)) == ids(asked.get(LIMITS)) == ["lmt_123"]
