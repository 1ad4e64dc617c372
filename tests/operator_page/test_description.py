"""The description of the operator's API is true, by schemathesis."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
import schemathesis
import schemathesis.specs.openapi.schemas  # now: Python 3.11 compiles nothing safely beside another thread
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from kinesis_handler.application import Operators, Refusal
from kinesis_handler.operator_page.routes import METHODS
from operated import Operated, served
from operator_page.asking import ask

# Something else may be under way; and of the records' parameters one or two are to be said.
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["200", "202", "400", "409"]},
            "negative_data_rejection": {"expected-statuses": ["400", "413", "415"]},
        }
    }
)


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Operated:
    made = Operated(tmp_path_factory.mktemp("described"))
    made.broken.add("anna")
    made.reasons[-1] = "below zero"
    made.move("anna", 1)
    made.move("ben", -1)
    return made


@pytest.fixture(scope="module")
def url(operated: Operated) -> Iterator[str]:
    with served(operated.page()) as address:
        yield address


@pytest.fixture(scope="module")
def schema(url: str) -> Any:
    return schemathesis.openapi.from_url(f"{url}/operator/openapi.json", config=CONFIG)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("name", ["records", "redrive", "drop"])
def test_every_answer_is_as_it_is_described(schema: Any, name: str, mode: GenerationMode) -> None:
    @given(case=schema[f"/{name}"][METHODS[name]].as_strategy(generation_mode=mode))
    @settings(
        max_examples=10,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        database=None,
        derandomize=True,
    )
    def check(case: Any) -> None:
        case.call_and_validate()

    check()


def test_the_state_and_the_records_are_as_described(url: str, schema: Any) -> None:
    for path in ("state", "records"):
        case = schema[f"/{path}"]["GET"].Case()
        with urlopen(f"{url}/operator/api/state", timeout=5) as answer:  # noqa: S310 - our own
            waiting = json.load(answer)["waiting"]
        if path == "records":
            case.query = {"group": waiting[0]["group"]}
        answered = case.call_and_validate()
        assert answered.status_code == 200
        assert answered.json()


def test_each_route_is_described_by_its_method(operated: Operated) -> None:
    paths = ask(operated.page(), "/operator/openapi.json").json["paths"]
    assert {path.strip("/"): [*of] for path, of in paths.items()} == {
        name: [method.lower()] for name, method in METHODS.items()
    }


def test_a_token_is_asked_for_where_one_is_needed(operated: Operated) -> None:
    async def identify(_token: str) -> Refusal:
        raise AssertionError

    assert "security" not in ask(operated.page(), "/operator/openapi.json").json
    operators = Operators(identify, "https://issuer.example", "page", "operate", [])
    assert ask(operated.page(operators), "/operator/openapi.json").json["security"] == [{"token": []}]
