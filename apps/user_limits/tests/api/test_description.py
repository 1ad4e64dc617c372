"""The API's description: true by schemathesis, and readable."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, get_args
from urllib.parse import urljoin

import msgspec
import pytest
import schemathesis
import schemathesis.specs.openapi.schemas  # now: Python 3.11 compiles nothing safely beside another thread
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from api.stored import EXAMPLE, NOW, client, limit, repository_of
from api.test_access import access, token
from api.test_activity import activities_of
from kinesis_handler.stores.cursor import encode_cursor
from testkit.serving import serving
from user_limits.api.app import Options, build_api
from user_limits.api.documents import EXAMPLE as DESCRIBED
from user_limits.api.documents import limit_response
from user_limits.api.routes import ALLOWED, PREFIX
from user_limits.events import LimitStatus
from user_limits.view import PERIOD_TYPES

EXAMPLE_ANSWER = json.loads(msgspec.json.encode(limit_response(DESCRIBED)))

USERS = ("usr_456", "anna")
IDS = ("lmt_123", "a", "b", "c")


def app(**options: Any) -> Any:
    states = [EXAMPLE, *(limit(user, each, type="BET", period="WEEK") for user in USERS for each in IDS[1:])]
    activities = activities_of(["12.50", "-2.10", "7"])
    return build_api(repository_of(*states), Options(**options), activities=activities, clock=lambda: NOW)


schemathesis.openapi.format("cursor", st.text(min_size=1, max_size=40).map(encode_cursor))
schemathesis.openapi.format("activity-cursor", st.integers(1, 10**25).map(str).map(encode_cursor))

PATHS = ("", "/active", "/{limitId}/activity", "/{limitId}")
ROUTES = [f"{PREFIX}/users/{{userId}}/limits{path}" for path in PATHS]

# What is wrong with a parameter may also be that the whole URL is too long by it.
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["400", "414"]}}}
)


@pytest.fixture(scope="module")
def schema() -> Iterator[Any]:
    with serving(app()) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json", config=CONFIG)


def budget(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        database=None,
        derandomize=True,
        **more,
    )


@pytest.mark.parametrize(
    ("path", "mode", "examples"),
    [
        *((path, GenerationMode.POSITIVE, 40) for path in [*ROUTES, "/healthz", "/readyz"]),
        # Of the last route only ids can be wrong, which takes seconds each to make up.
        *((path, GenerationMode.NEGATIVE, 15) for path in ROUTES[:3]),
    ],
)
def test_every_answer_is_as_it_is_described(
    schema: Any, path: str, mode: GenerationMode, examples: int
) -> None:
    @given(case=schema[path]["GET"].as_strategy(generation_mode=mode))
    @budget(examples)
    def check(case: Any) -> None:
        case.call_and_validate()

    check()


def test_every_answer_in_a_row_of_requests_is_as_it_is_described(schema: Any) -> None:
    schema.as_state_machine().run(settings=budget(12, stateful_step_count=6))


def test_with_tokens_the_description_says_so() -> None:
    described = TestClient(app(access=access())).get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in described["paths"].items():
        is_about_limits = path.startswith(PREFIX)
        assert ("security" in operations["get"]) is is_about_limits
        assert ({"401", "403"} <= set(operations["get"]["responses"])) is is_about_limits
    assert token()


def test_the_description_is_of_openapi_3_1_and_names_what_the_problems_name() -> None:
    described = TestClient(app()).get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    parameters = {
        each["name"]: each
        for operations in described["paths"].values()
        for each in operations["get"].get("parameters", [])
    }
    assert set(parameters) == {*ALLOWED, "If-None-Match", "X-Correlation-Id"}
    for name in ("type", "period", "amounts"):
        assert parameters[name]["schema"]["enum"] == list(ALLOWED[name])
    assert all(each["description"] for each in parameters.values())


def test_every_field_of_an_answer_is_in_its_example_and_an_amount_is_a_number_or_its_text() -> None:
    described = TestClient(app()).get("/openapi.json").json()
    responses = described["paths"]["/api/v1/users/{userId}/limits/{limitId}"]["get"]["responses"]
    [example] = responses["200"]["content"]["application/json"]["examples"].values()
    schemas = described["components"]["schemas"]
    assert set(example["value"]["data"]) == set(schemas["LimitData"]["properties"])
    assert schemas["LimitData"]["properties"]["amount"] == {
        "$ref": "#/components/schemas/Amount",
        "description": "the limit's value.",
    }
    assert schemas["Amount"]["type"] == ["number", "string"]


def test_only_what_an_answer_may_leave_out_is_optional() -> None:
    schemas = TestClient(app()).get("/openapi.json").json()["components"]["schemas"]
    optional = {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field in schema.get("properties", {}).keys() - schema.get("required", [])
    }
    assert optional == {
        "LimitMeta.waitingSince", "LimitDocument.waitingSince", "PageMeta.unreadable",
        "Problem.parameter", "Problem.allowed", "Problem.instance",
    }  # fmt: skip


def formats(schema: Any) -> set[str]:
    """Return the formats that a value may have: those of null aside."""
    return {each["format"] for each in schema.get("anyOf", [schema]) if each != {"type": "null"}}


def test_every_time_is_described_as_one() -> None:
    schemas = TestClient(app()).get("/openapi.json").json()["components"]["schemas"]
    times = {
        ("LimitData", "expiresAt"), ("LimitData", "activeFrom"), ("LimitData", "activeUntil"),
        ("LimitData", "driftedAt"), ("LastResetDocument", "at"), ("LimitMeta", "lastUpdated"),
        ("LimitDocument", "lastUpdated"), ("LimitMeta", "waitingSince"), ("LimitDocument", "waitingSince"),
    }  # fmt: skip
    for document, name in times:
        assert formats(schemas[document]["properties"][name]) == {"date-time"}
    shown = EXAMPLE_ANSWER["data"] | EXAMPLE_ANSWER["data"]["lastReset"] | EXAMPLE_ANSWER["meta"]
    looks_like_one = {name for name, value in shown.items() if re.match(r"\d{4}-\d\d-\d\dT", str(value))}
    assert looks_like_one <= {name for _, name in times}


def test_whatever_is_one_of_a_few_words_is_described_by_them() -> None:
    schemas = TestClient(app()).get("/openapi.json").json()["components"]["schemas"]
    for document in ("LimitData", "LimitDocument"):
        properties = schemas[document]["properties"]
        assert set(properties["periodType"]["anyOf"][0]["enum"]) == set(PERIOD_TYPES.values())
        assert set(properties["type"]["anyOf"][0]["enum"]) == set(ALLOWED["type"])
        assert set(properties["status"]["enum"]) == set(get_args(LimitStatus))
    assert schemas["Health"]["properties"]["status"]["enum"] == ["ok"]


def test_the_description_says_where_the_api_is() -> None:
    asked = TestClient(app())
    [server] = asked.get("/openapi.json").json()["servers"]
    assert urljoin("https://limits.example/openapi.json", server["url"]) == "https://limits.example/"


def test_to_describe_itself_it_changes_no_logging() -> None:
    import logging

    before = list(logging.getLogger().handlers)
    TestClient(app()).get("/openapi.json")
    assert logging.getLogger().handlers == before


def test_an_example_of_the_description_shows_exact_numbers() -> None:
    assert '"amount":1000.00,' in TestClient(app()).get("/openapi.json").text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_of_the_description_needs_no_script_and_nothing_from_elsewhere() -> None:
    asked = client(repository_of())
    page = asked.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    tags = Tags()
    tags.feed(page.text)
    assert not [tag for tag, _ in tags.found if tag in {"script", "style", "iframe", "img"}]
    for _, attributes in tags.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src"):
            target = attributes.get(name)
            assert target is None or target.startswith(("#", "/"))
            if target is not None and target.startswith("/"):
                assert asked.get(target).status_code == 200
    ids = {attributes["id"] for _, attributes in tags.found if "id" in attributes}
    links = set(re.findall(r'href="#([^"]+)"', page.text))
    assert links <= ids


def test_the_page_shows_every_operation_and_document() -> None:
    asked = client(repository_of())
    described = json.loads(asked.get("/openapi.json").text)
    page = asked.get("/docs").text
    for path, operations in described["paths"].items():
        assert f"<code>GET {path}</code>" in page
        assert operations["get"]["summary"] in page
    for name in described["components"]["schemas"]:
        assert f'<h3 id="{name}">' in page
    assert "9800" not in page
    assert "&quot;amount&quot;: 1000.00," in page
