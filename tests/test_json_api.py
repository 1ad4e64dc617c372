"""The API of JSON that any application has: what is stored under a key, and in a partition."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import Event, Key, KinesisHandler, Projection
from kinesis_handler.application import plain_view
from kinesis_handler.json_api import JsonApi
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FaultyRepository, invocation
from testkit.coroutines import run


class Scanned(Struct):
    shop: str
    parcel: str
    depot: str


class Parcel(Struct, frozen=True):
    depot: str


class Parcels(Projection[Parcel, Scanned]):
    event_types = {"SCANNED": Scanned}

    def key(self, event: Event[Scanned]) -> Key:
        return event.payload.shop, event.payload.parcel

    def apply(self, state: Parcel | None, event: Event[Scanned]) -> Parcel:
        del state
        return Parcel(event.payload.depot)


LYON = {"key": ["books & co", "p/1"], "version": 1, "state": {"depot": "Lyon"}}


@pytest.fixture
def repository() -> MemoryRepository[Parcel]:
    stored: MemoryRepository[Parcel] = MemoryRepository()
    events = [
        {
            "eventId": f"e{number}",
            "type": "SCANNED",
            "createdAt": 1,
            "payload": {"shop": "books & co", "parcel": f"p/{number}", "depot": "Lyon"},
        }
        for number in (1, 2, 3)
    ]
    KinesisHandler([Parcels(stored)])(invocation(events))
    return stored


@pytest.fixture
def api(repository: MemoryRepository[Parcel]) -> JsonApi:
    return JsonApi([plain_view("parcels", repository, Parcel)])


def got(api: JsonApi, path: str, query: str = "", method: str = "GET") -> tuple[int, Any]:
    answer = api.answer(method, path, query)
    return int(answer.status), json.loads(answer.body)


def test_a_key_has_its_document_whatever_characters_are_in_it(api: JsonApi) -> None:
    assert got(api, "/parcels/books%20%26%20co/p%2F1") == (200, {"data": LYON})


def test_a_partition_is_read_page_by_page(api: JsonApi) -> None:
    status, first = got(api, "/parcels/books%20%26%20co", "limit=2")
    assert (status, len(first["data"])) == (200, 2)
    assert first["data"][0] == LYON
    status, second = got(api, "/parcels/books%20%26%20co", f"limit=2&cursor={first['cursor']}")
    assert ([each["key"][1] for each in second["data"]], second["cursor"]) == (["p/3"], None)


def test_a_deleted_key_is_neither_found_nor_listed(
    api: JsonApi, repository: MemoryRepository[Parcel]
) -> None:
    gone = repository.load([("books & co", "p/2")]).found["books & co", "p/2"]
    repository.save([Change(gone, replace(gone, state=None, version=2))])
    assert got(api, "/parcels/books%20%26%20co/p%2F2")[0] == 404
    _, page = got(api, "/parcels/books%20%26%20co")
    assert [each["key"][1] for each in page["data"]] == ["p/1", "p/3"]


def test_an_empty_partition_is_an_empty_list(api: JsonApi) -> None:
    assert got(api, "/parcels/none") == (200, {"data": [], "cursor": None})


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/parcels/books/none", "", 404),
        ("/shops/books", "", 404),
        ("/parcels", "", 404),
        ("/", "", 404),
        ("/parcels/a/b/c", "", 404),
        ("/parcels/books", "limit=0", 400),
        ("/parcels/books", "limit=1001", 400),
        ("/parcels/books", "limit=ten", 400),
        ("/parcels/books", "limit=" + "9" * 5_000, 400),
        ("/parcels/books", "limit=\u0664", 400),
        ("/parcels/books", "cursor=never", 400),
    ],
)
def test_a_wrong_request_has_a_problem_for_an_answer(
    api: JsonApi, path: str, query: str, status: int
) -> None:
    answer = api.answer("GET", path, query)
    problem = json.loads(answer.body)
    assert int(answer.status) == problem["status"] == status
    assert problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_can_be_written(api: JsonApi) -> None:
    answer = api.answer("DELETE", "/parcels/books%20%26%20co/p%2F1", "")
    assert (int(answer.status), answer.headers["allow"]) == (405, "GET")


def test_a_store_that_does_not_answer_is_unavailable_and_not_empty(
    repository: MemoryRepository[Parcel],
) -> None:
    faulty = FaultyRepository(repository, Random(0), rate=1)
    for path in ("/parcels/books", "/parcels/books/p1"):
        status, problem = got(JsonApi([plain_view("parcels", faulty, Parcel)]), path)
        assert status == 503
        assert problem["detail"].startswith("the store: injected")


def test_on_lambda_it_answers_in_the_format_of_an_http_api(api: JsonApi) -> None:
    request = {
        "version": "2.0",
        "rawPath": "/parcels/books%20%26%20co/p%2F1",
        "rawQueryString": "",
        "requestContext": {"http": {"method": "GET"}},
    }
    answer = api.on_lambda(request)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"data": LYON})
    assert answer["headers"] == {"content-type": "application/json", "cache-control": "no-store"}


def test_under_an_asgi_server_it_answers_the_same(api: JsonApi) -> None:
    sent: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/parcels/books & co/p/1",
        "raw_path": b"/parcels/books%20%26%20co/p%2F1",
        "query_string": b"",
    }

    async def serve() -> None:
        await api.for_command_line().build(local=True)(scope, None, send)

    run(serve())
    start, body = sent
    assert (start["status"], json.loads(body["body"])) == (200, {"data": LYON})
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_the_command_line_shows_a_path_that_is_there(api: JsonApi) -> None:
    shown = api.for_command_line()
    assert shown.path("books & co") == "/parcels/books%20%26%20co"
    assert shown.is_open
    assert got(api, shown.path("books & co"))[0] == 200
