"""Entity tags: whoever has the current state is told so, and nobody is told so who has not."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from api.stored import EXAMPLE, NOW, PARKED, aggregate, client, example_client, limit, repository_of, save
from user_limits.api.etag import is_known

LIMITS = "/api/v1/users/usr_456/limits"
ONE = f"{LIMITS}/lmt_123"
ACTIVE = f"{LIMITS}/active"
ROUTES = [ONE, LIMITS, ACTIVE]


@pytest.mark.parametrize("route", ROUTES)
def test_what_the_caller_has_is_not_sent_again(route: str) -> None:
    asked = example_client()
    got = asked.get(route)
    assert got.headers["cache-control"] == "private, no-cache"
    again = asked.get(route, headers={"if-none-match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == got.headers["etag"]
    assert again.headers["cache-control"] == "private, no-cache"
    assert again.headers.keys().isdisjoint({"content-type", "content-length"})


@pytest.mark.parametrize("route", ROUTES)
def test_after_an_event_the_tag_is_another(route: str) -> None:
    repository = repository_of(EXAMPLE)
    asked = client(repository)
    tag = asked.get(route).headers["etag"]
    save(repository, aggregate(replace(EXAMPLE, progress=Decimal(1)), version=2))
    assert asked.get(route, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_after_it_was_parked_or_released_the_tag_is_another_at_the_same_version(route: str) -> None:
    repository = repository_of(EXAMPLE)
    asked = client(repository)
    tag = asked.get(route).headers["etag"]
    save(repository, aggregate(EXAMPLE, parked=PARKED))
    parked = asked.get(route, headers={"if-none-match": tag})
    assert (parked.status_code, parked.headers["etag"] == tag) == (200, False)
    save(repository, aggregate(EXAMPLE))
    assert asked.get(route).headers["etag"] == tag


def test_a_limit_that_expired_and_began_again_has_another_tag_at_the_same_version() -> None:
    repository = repository_of(EXAMPLE)
    tag = client(repository).get(ONE).headers["etag"]
    repository.delete([("usr_456", "lmt_123")])
    save(repository, aggregate(EXAMPLE, updated_at=NOW * 1_000 + 1))
    assert client(repository).get(ONE).headers["etag"] != tag


def test_the_tag_of_active_limits_changes_with_time_alone() -> None:
    until = (NOW + 10) * 1_000
    repository = repository_of(EXAMPLE, limit("usr_456", "ends", active_until=until))
    tags = [client(repository, now=at).get(ACTIVE).headers["etag"] for at in (NOW, NOW + 9, NOW + 10)]
    assert tags[0] == tags[1] != tags[2]


def test_a_page_that_is_no_longer_the_last_has_another_tag() -> None:
    repository = repository_of(limit("usr_456", "a"))
    tag = client(repository).get(LIMITS, params={"limit": 1}).headers["etag"]
    save(repository, aggregate(limit("usr_456", "b")))
    assert client(repository).get(LIMITS, params={"limit": 1}).headers["etag"] != tag


def test_a_problem_has_no_tag_and_is_not_kept() -> None:
    response = client(repository_of()).get(ONE, headers={"if-none-match": "*"})
    assert response.status_code == 404
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ('W/"a"', True),
        ('"a"', True),
        ("*", True),
        (' "b", W/"a" ', True),
        ('"b","a"', True),
        ('W/"b"', False),
        ("a", False),
        ('"A"', False),
        ("", False),
        (None, False),
    ],
)
def test_tags_are_compared_weakly(told: str | None, known: bool) -> None:
    assert is_known('W/"a"', told) is known
