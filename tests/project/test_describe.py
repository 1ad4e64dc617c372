"""What `describe` prints, for a person and for a program."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Struct
from typer.testing import CliRunner

from described import described
from kinesis_handler import Event, KinesisHandler, Projection, open_store
from kinesis_handler.application import Application
from kinesis_handler.cli.commands import app
from kinesis_handler.environment import read_text
from kinesis_handler.project.needs import needs_of
from kinesis_handler.project.new import Choices, make_project
from kinesis_handler.project.variables import recorded_variables
from project.conftest import contents

PARCELS = "parcels:application"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_the_tables_are_those_of_the_store_that_is_named() -> None:
    needs = described(PARCELS, "Parcels")
    assert needs["tables"] == [
        {"name": "Parcels", "partitionKey": "shop", "sortKey": "parcel", "timeToLive": "expiresAt"}
    ]
    assert needs["eventTypes"] == ["PARCEL_DELIVERED", "PARCEL_RETURNED", "PARCEL_SCANNED"]
    assert needs["apiPermissions"][0]["actions"] == ["dynamodb:BatchGetItem", "dynamodb:Query"]


def test_a_person_reads_each_need_with_its_reason() -> None:
    store = ("--store", "dynamodb://Parcels?region=eu-north-1")
    printed = CliRunner().invoke(app, ["describe", "--app", PARCELS, *store]).output
    assert "  Parcels: keys shop and parcel, strings; time to live by expiresAt\n" in printed
    assert "  PARCELS_STORE: is not set\n" in printed
    assert "table/Parcels: to load and save what is stored\n" in printed
    assert "MaximumRetryAttempts: 10 " in printed
    assert "missing: it has no quarantine" in printed


def test_a_person_reads_what_must_be_watched() -> None:
    printed = CliRunner().invoke(app, ["describe", "--app", PARCELS]).output
    assert "  Behind: the state is five minutes out of date\n" in printed
    assert "    AWS/Lambda IteratorAge (Maximum) ≥ 300000, in 3 of 5 minutes\n" in printed
    assert "    KinesisHandler Rejected ≥ 1, in any minute\n" in printed
    assert "  Given up: OnFailureDestinationDeliveredEventCount, DroppedEventCount\n" in printed


def test_no_region_is_needed_since_nothing_is_asked_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    command = ["describe", "--app", PARCELS, "--store", "dynamodb://Parcels"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert "\n  Parcels: keys shop and parcel" in done.output
    assert "AWS_REGION" not in os.environ
    assert "AWS_REGION" not in done.output


def test_to_describe_it_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project("noted", tmp_path, Choices("sqlite"))
    before = contents(tmp_path).keys()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    needs = described("noted.application:application", "Accounts")
    assert {"QUARANTINE_URL", "STORE_URL"} <= {each["name"] for each in needs["environment"]}
    assert contents(tmp_path).keys() == before


def test_what_is_missing_on_lambda_is_said_first() -> None:
    printed = CliRunner().invoke(app, ["describe", "--app", PARCELS]).output.splitlines()
    assert printed[1].startswith("missing: its store is 'inmemory:', which is none for Lambda")
    assert printed[2].startswith("missing: it has no quarantine")


def test_an_application_that_names_no_store_is_refused() -> None:
    needs = needs_of(Application(KinesisHandler()), "a:b")
    assert any("names no store" in each for each in needs.missing)
    assert needs.api_permissions == []


class Opened(Struct, frozen=True):
    id: str


class Opens(Projection[Opened, Opened]):
    event_types = {"OPENED": Opened}

    def key(self, event: Event[Opened]) -> tuple[str, str]:
        return "all", event.payload.id

    def apply(self, state: Opened | None, event: Event[Opened]) -> Opened:
        return state or event.payload


def test_two_projections_on_one_store_need_a_table_each() -> None:
    store = open_store("dynamodb://Things?region=eu-north-1")
    handler = KinesisHandler([Opens(store.repository(Opened, name="one"))])
    store.repository(Opened, name="two")
    needs = needs_of(Application(handler, store=store), "a:b")
    assert [each.name for each in needs.tables] == ["Things-one", "Things-two"]
    assert len([each for each in needs.permissions if ":table/" in each.resource]) == 2


class TestVariables:
    """Which variables are recorded: those that the application's own code asks for."""

    def read(self, environment: Mapping[str, str] = os.environ) -> None:
        assert "ASKED_FOR" not in environment
        read_text(environment, "BY_OUR_READER")
        os.getenv("HOME")
        os.environ.get("AWS_LAMBDA_FUNCTION_NAME")

    def test_they_are_recorded_whether_they_are_set_or_not(self) -> None:
        with recorded_variables("project") as found:
            self.read()
        assert {name: each.is_set for name, each in found.items()} == {
            "ASKED_FOR": False,
            "BY_OUR_READER": False,
            "HOME": True,
        }

    def test_those_that_others_ask_for_are_not(self) -> None:
        with recorded_variables("parcels") as found:
            os.getenv("HOME")
        assert not found

    def test_afterwards_nothing_is_recorded(self) -> None:
        with recorded_variables("project") as found:
            pass
        os.getenv("HOME")
        assert not found
