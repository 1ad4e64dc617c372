"""The route of a limit's activity: newest first, in pages, exact."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from litestar.testing import TestClient

from api.stored import EXAMPLE, NOW, repository_of
from kinesis_handler import KinesisHandler
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits.activity import MAX_CHANGES, Activity
from user_limits.api.app import build_api
from user_limits.processor import ActivityProcessor

USER, LIMIT = EXAMPLE.user_id, EXAMPLE.limit_id
PATH = f"/api/v1/users/{USER}/limits/{LIMIT}/activity"


def events(amounts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the creation of a limit, and a change of its progress by each of the amounts, a second apart."""
    ids = {"userId": USER, "userLimitId": LIMIT, "currencyCode": "EUR"}
    payloads = [{"value": "9800.10"}, *({"amount": each} for each in amounts)]
    return [
        {
            "eventId": f"e{number}",
            "type": "USER_LIMIT_PROGRESS_CHANGED" if number else "USER_LIMIT_CREATED",
            "createdAt": (NOW + number) * 1_000,
            "payload": ids | payload,
        }
        for number, payload in enumerate(payloads)
    ]


def activities_of(amounts: Sequence[str]) -> MemoryRepository[Activity]:
    repository: MemoryRepository[Activity] = MemoryRepository()
    handled = KinesisHandler([ActivityProcessor(repository)])(invocation(events(amounts)))
    assert handled == {"batchItemFailures": []}
    return repository


def client(activities: Any, *limits: Any) -> TestClient[Any]:
    app: Any = build_api(repository_of(*limits), activities=activities, clock=lambda: NOW)
    return TestClient(app, raise_server_exceptions=False)


def read(answer: Any) -> Any:
    """Read an answer, its numbers exactly."""
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)


def test_the_changes_are_newest_first_and_their_amounts_exact() -> None:
    answer = client(activities_of(["12.50", "-2.10"])).get(PATH)
    assert b'"amount":-2.10,"progress":10.40,"limitAmount":9800.10' in answer.content
    assert read(answer) == {
        "data": {
            "limitId": LIMIT,
            "userId": USER,
            "currencyCode": "EUR",
            "changes": [
                {
                    "number": 3,
                    "at": "2024-01-15T14:30:02Z",
                    "kind": "PROGRESS",
                    "amount": Decimal("-2.10"),
                    "progress": Decimal("10.40"),
                    "limitAmount": Decimal("9800.10"),
                },
                {
                    "number": 2,
                    "at": "2024-01-15T14:30:01Z",
                    "kind": "PROGRESS",
                    "amount": Decimal("12.50"),
                    "progress": Decimal("12.50"),
                    "limitAmount": Decimal("9800.10"),
                },
                {
                    "number": 1,
                    "at": "2024-01-15T14:30:00Z",
                    "kind": "CREATED",
                    "amount": Decimal("9800.10"),
                    "progress": 0,
                    "limitAmount": Decimal("9800.10"),
                },
            ],
            "periods": [
                {
                    "startedAt": "2024-01-15T14:30:00Z",
                    "endedAt": None,
                    "progress": Decimal("10.40"),
                    "limitAmount": Decimal("9800.10"),
                    "changes": 2,
                }
            ],
        },
        "meta": {"version": 3, "lastUpdated": "2024-01-15T14:30:02Z", "count": 3, "nextCursor": None},
    }


def pages(asked: TestClient[Any], size: int) -> list[list[int]]:
    found, cursor = [], ""
    while True:
        page = read(asked.get(f"{PATH}?limit={size}{cursor}"))
        assert page["meta"]["count"] == len(page["data"]["changes"])
        found.append([each["number"] for each in page["data"]["changes"]])
        if page["meta"]["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['meta']['nextCursor']}"


def test_all_changes_are_read_page_by_page_each_once() -> None:
    asked = client(activities_of(["1"] * 8))
    assert pages(asked, 4) == [[9, 8, 7, 6], [5, 4, 3, 2], [1]]
    assert pages(asked, 3) == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]
    assert pages(asked, 100) == [[9, 8, 7, 6, 5, 4, 3, 2, 1]]


def test_a_change_that_comes_between_two_pages_moves_none_to_another_page() -> None:
    activities = activities_of(["1"] * 3)
    asked = client(activities)
    cursor = read(asked.get(f"{PATH}?limit=2"))["meta"]["nextCursor"]
    [before] = activities.scan()
    [after] = activities_of(["1"] * 4).scan()
    assert not activities.save([Change(before, after)]).conflicts
    page = read(asked.get(f"{PATH}?limit=2&cursor={cursor}"))
    assert [each["number"] for each in page["data"]["changes"]] == [2, 1]


def test_only_the_last_changes_are_stored_and_their_numbers_say_how_many_there_were() -> None:
    numbers = [number for page in pages(client(activities_of(["1"] * 59)), 20) for number in page]
    assert numbers == list(range(60, 60 - MAX_CHANGES, -1))


def test_an_answer_that_is_known_is_not_sent_again() -> None:
    asked = client(activities_of(["1"]))
    tag = asked.get(PATH).headers["etag"]
    assert asked.get(PATH, headers={"if-none-match": tag}).status_code == 304


def test_a_limit_that_is_older_than_its_activity_has_none() -> None:
    answer = read(client(MemoryRepository(), EXAMPLE).get(PATH))
    assert (answer["data"]["changes"], answer["data"]["periods"]) == ([], [])
    assert answer["meta"] == {"version": 0, "lastUpdated": None, "count": 0, "nextCursor": None}


def test_a_limit_that_does_not_exist_has_no_activity_either() -> None:
    answer = client(MemoryRepository()).get(PATH)
    assert (answer.status_code, answer.json()["detail"]) == (404, "this user has no limit of this id")


def test_a_cursor_of_another_list_is_refused() -> None:
    asked = client(activities_of([]), EXAMPLE)
    for cursor in ("bG10XzE=", "!", ""):
        answer = asked.get(f"{PATH}?cursor={cursor}")
        assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_an_activity_that_cannot_be_read_is_an_error_and_not_an_empty_list() -> None:
    class Damaged(MemoryRepository[Activity]):
        def load(self, keys: Any) -> Any:
            loaded = super().load(keys)
            loaded.failed[USER, LIMIT] = UnreadableError("damaged")
            return loaded

    assert client(Damaged(), EXAMPLE).get(PATH).status_code == 500
