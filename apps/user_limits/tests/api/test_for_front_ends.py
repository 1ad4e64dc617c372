"""What makes a front end easy to write: amounts as strings, links, codes, ids, compression."""

import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from api.stored import EXAMPLE, client, example_client, limit, repository_of
from api.test_activity import PATH as ACTIVITY
from api.test_activity import activities_of
from api.test_activity import client as activity_client
from kinesis_handler import configure_logging
from kinesis_handler.errors import RepositoryError
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.api.app import Options
from user_limits.limit import Limit

LIMITS = "/api/v1/users/usr_456/limits"
BEYOND_DOUBLES = Decimal("9007199254740993.01")


@pytest.mark.parametrize("path", [LIMITS, f"{LIMITS}/active", f"{LIMITS}/lmt_123"])
def test_amounts_are_strings_for_those_whose_numbers_are_doubles(path: str) -> None:
    asked = example_client()
    as_numbers, as_strings = (asked.get(f"{path}?amounts={form}").text for form in ("number", "string"))
    assert as_numbers == asked.get(path).text
    amount = r'"(amount|progress|percentage|remainingAmount)":(-?[0-9.]+)'
    assert '"amount":9800.10' in as_numbers
    assert as_strings == re.sub(amount, r'"\1":"\2"', as_numbers)


def test_a_string_has_the_digits_that_a_double_has_not() -> None:
    stored = limit("usr_456", "lmt_123", value=BEYOND_DOUBLES, progress=Decimal(0))
    document = client(repository_of(stored)).get(f"{LIMITS}/lmt_123?amounts=string").json()
    assert document["data"]["amount"] == str(BEYOND_DOUBLES)
    assert Decimal(float(BEYOND_DOUBLES)) != BEYOND_DOUBLES


def test_amounts_of_changes_are_strings_too() -> None:
    answer = activity_client(activities_of(["12.50"])).get(f"{ACTIVITY}?amounts=string").json()
    assert answer["data"]["changes"][0]["amount"] == "12.50"
    assert answer["data"]["periods"][0]["limitAmount"] == "9800.10"


def test_other_words_for_amounts_are_refused() -> None:
    answer = example_client().get(f"{LIMITS}?amounts=text")
    assert (answer.status_code, answer.json()["allowed"]) == (400, ["number", "string"])


def test_a_link_leads_to_the_next_page_with_the_same_parameters() -> None:
    asked = client(repository_of(*(limit("usr_456", f"{n:04}") for n in range(1_000))))
    path, found = f"{LIMITS}?limit=100&amounts=string", []
    for _ in range(10):
        answer = asked.get(path)
        found += [each["limitId"] for each in answer.json()["data"]]
        assert all(each["amount"] == "1000" for each in answer.json()["data"])
        following = answer.links.get("next", {}).get("url")
        if following is None:
            break
        path = LIMITS + following
    assert found == [f"{n:04}" for n in range(1_000)]
    assert following is None


def test_each_page_of_changes_links_to_the_next() -> None:
    asked = activity_client(activities_of(["1"] * 3))
    first = asked.get(f"{ACTIVITY}?limit=3")
    last = asked.get(ACTIVITY + first.links["next"]["url"])
    assert [each["number"] for each in last.json()["data"]["changes"]] == [1]
    assert "link" not in last.headers


def test_a_page_that_is_known_says_where_the_next_one_is_too() -> None:
    asked = client(repository_of(limit("usr_456", "a"), limit("usr_456", "b")))
    first = asked.get(f"{LIMITS}?limit=1")
    again = asked.get(f"{LIMITS}?limit=1", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.headers["link"]) == (304, first.headers["link"])


class Down(MemoryRepository[Limit]):
    def load(self, keys: Any) -> Any:
        raise RepositoryError(f"{len(keys)} keys cannot be read")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{LIMITS}?limit=0", 400, "wrong-parameter"),
        (f"{LIMITS}?wrong=1", 400, "wrong-parameter"),
        (f"{LIMITS}/none", 404, "no-such-limit"),
        ("/nowhere", 404, "not-found"),
        (f"{LIMITS}/%2e%2e", 400, "bad-request"),
        (f"/{'a' * 9_000}", 414, "url-too-long"),
    ],
)
def test_a_problem_has_a_code_for_programs(path: str, status: int, code: str) -> None:
    answer = example_client().get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_code_of_a_store_that_is_down_and_of_a_wrong_method() -> None:
    assert client(Down()).get(f"{LIMITS}/a").json()["code"] == "unavailable"
    assert client(repository_of()).delete(LIMITS).json()["code"] == "method-not-allowed"


@pytest.mark.parametrize("path", [LIMITS, f"{LIMITS}/none", "/healthz", "/openapi.json"])
def test_the_callers_id_comes_back(path: str) -> None:
    answer = example_client().get(path, headers={"x-correlation-id": "shop-7"})
    assert answer.headers["x-correlation-id"] == "shop-7"


@pytest.mark.parametrize("given", [None, "", "a b", "a" * 129, "a\x7f"])
def test_a_request_without_an_id_that_can_be_written_down_gets_one(given: str | None) -> None:
    headers = {} if given is None else {"x-correlation-id": given}
    asked = example_client()
    first, second = (asked.get(LIMITS, headers=headers).headers["x-correlation-id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_the_log_has_the_id_of_the_request() -> None:
    written = io.StringIO()
    configure_logging("api", "info", stream=written)
    client(Down()).get(f"{LIMITS}/a", headers={"x-correlation-id": "shop-7"})
    [line] = [json.loads(each) for each in written.getvalue().splitlines()]
    assert (line["message"], line["correlation_id"]) == ("store not available", "shop-7")


def test_a_long_answer_is_compressed_for_those_that_take_it() -> None:
    asked = client(repository_of(*(limit("usr_456", f"{n:03}") for n in range(100))))
    plain = asked.get(LIMITS, headers={"accept-encoding": "identity"})
    packed = asked.get(LIMITS, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 10
    assert packed.headers["etag"].startswith("W/")


def test_a_page_of_another_origin_may_read_the_links_and_the_id() -> None:
    asked = client(repository_of(EXAMPLE), Options(cors_origins=["https://shop.example"]))
    exposed = asked.get(LIMITS, headers={"origin": "https://shop.example"}).headers
    assert {"Link", "X-Correlation-Id"} <= set(exposed["access-control-expose-headers"].split(", "))
