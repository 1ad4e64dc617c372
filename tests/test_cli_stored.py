"""`get` and `list` show what is stored, for any application and store; and what every command has."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from command_line import COMMAND
from kinesis_handler.cli.commands import app
from kinesis_handler.version import __version__

EXAMPLES = Path(__file__).parents[1] / "examples"

DELIVERED = {
    "key": ["books", "parcel-1"],
    "version": 3,
    "state": {"status": "delivered", "depot": "Turin", "scans": 2, "signedBy": "Ada", "reason": None},
}

Parcels = Callable[..., str]
"""Calls a command on a store with the example's parcels in it; returns what it prints."""


def call(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture(autouse=True)
def in_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    monkeypatch.setenv("KINESIS_HANDLER_APP", "parcels:application")
    monkeypatch.setenv("LOG_LEVEL", "critical")


@pytest.fixture(params=["sqlite:///{folder}/parcels.db", "dynamodb://Parcels-{name}?endpoint={endpoint}"])
def parcels(request: pytest.FixtureRequest, tmp_path: Path, dynamodb_endpoint: str) -> Parcels:
    form: str = request.param
    store = ("--store", form.format(folder=tmp_path, name=uuid4(), endpoint=dynamodb_endpoint))
    if form.startswith("dynamodb"):
        call("table", "create", *store)
    call("run", "parcels.json", *store)
    return lambda *arguments, status=0: call(*arguments, *store, status=status)


class TestGet:
    def test_a_person_sees_the_fields_the_version_and_the_last_event(self, parcels: Parcels) -> None:
        lines = parcels("get", "books", "parcel-1").splitlines()
        assert lines[0] == "parcels books parcel-1"
        assert "  signed by  Ada      " in lines
        assert lines[-1].startswith("  version 3, last event of 2026-")

    def test_a_program_gets_the_document(self, parcels: Parcels) -> None:
        assert json.loads(parcels("get", "books", "parcel-1", "--json")) == DELIVERED

    def test_a_key_without_anything_is_status_1_and_names_the_store(self, parcels: Parcels) -> None:
        told = parcels("get", "books", "none", status=1)
        assert told.startswith("parcels books none: nothing is stored in ")
        assert parcels("get", "books", "none", "--json", status=1).startswith("null\n")


class TestList:
    def test_a_partition_is_shown_in_the_order_of_its_sort_keys(self, parcels: Parcels) -> None:
        heading, *rows = parcels("list", "books").splitlines()
        assert heading.split()[0] == "status"
        assert [row.split()[0] for row in rows] == ["parcel-1", "parcel-2"]

    def test_a_program_gets_an_array(self, parcels: Parcels) -> None:
        first, second = json.loads(parcels("list", "books", "--json"))
        assert (first, second["key"]) == (DELIVERED, ["books", "parcel-2"])

    def test_more_than_the_limit_is_said_to_be_there(self, parcels: Parcels) -> None:
        told = parcels("list", "books", "--limit", "1")
        assert "parcel-2" not in told
        assert "… and more than these 1: --limit N shows them\n" in told
        assert "more than" not in parcels("list", "books", "--limit", "2")

    def test_an_empty_partition_is_no_error(self, parcels: Parcels) -> None:
        assert parcels("list", "toys").startswith("no parcels of toys in ")
        assert parcels("list", "toys", "--json") == "[]\n"


class TestRefused:
    def test_a_file_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        file = tmp_path / "none.db"
        told = call("get", "a", "b", "--store", f"sqlite:///{file}", status=2)
        assert told == f"Error: --store is 'sqlite:///{file}'; there is no file '{file}'\n"
        assert not file.exists()

    def test_a_table_that_is_not_there_is_named(self, dynamodb_endpoint: str) -> None:
        url = f"dynamodb://None-{uuid4()}?endpoint={dynamodb_endpoint}"
        assert "does not exist; `kinesis-handler table create` makes it" in call(
            "list", "a", "--store", url, status=2
        )

    def test_memory_is_empty_when_a_command_begins(self) -> None:
        assert "the store is 'inmemory:', which is empty" in call("list", "a", status=2)

    def test_a_url_of_no_store_is_quoted(self) -> None:
        assert "the store is 'mysql:'; allowed: inmemory:, sqlite:///FILE" in call(
            "list", "a", "--store", "mysql:", status=2
        )

    def test_a_view_that_is_not_there_is_refused_with_those_that_are(self, tmp_path: Path) -> None:
        store = ("--store", f"sqlite:///{tmp_path}/parcels.db")
        call("run", "parcels.json", *store)
        told = call("list", "a", *store, "--view", "shops", status=2)
        assert told == "Error: --view is 'shops'; allowed: parcels\n"

    def test_an_application_without_a_view_has_nothing_to_show(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "bare.py").write_text(
            "from kinesis_handler import KinesisHandler\n"
            "from kinesis_handler.application import Application\n"
            "def application():\n    return Application(KinesisHandler())\n"
        )
        assert "has no view" in call("list", "a", "--app", "bare:application", status=2)


class TestEveryCommand:
    def test_the_version_is_that_of_the_package(self) -> None:
        assert call("--version") == f"kinesis-handler {__version__}\n"

    @pytest.mark.other_programs
    def test_a_shell_completes_the_names_of_commands(self) -> None:
        asked = {
            "_KINESIS_HANDLER_COMPLETE": "complete_bash",
            "COMP_WORDS": "kinesis-handler des",
            "COMP_CWORD": "1",
        }
        done = subprocess.run(
            [COMMAND], env={**os.environ, **asked}, capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == ["describe"]

    def test_what_a_redrive_did_and_what_it_would_do_are_json_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUARANTINE_URL", f"file://{tmp_path}/rejected")
        monkeypatch.setenv("PARCELS_STORE", f"sqlite:///{tmp_path}/parcels.db")
        call("run", "parcels.json")
        redrive = ("redrive", "--through", "handler", "--json")
        [group] = json.loads(call(*redrive, "--dry-run"))["wouldSend"]
        assert (group["records"], group["error"]) == (1, "InvalidEventError")
        done = json.loads(call(*redrive, status=1))
        assert done["results"]["rejected again"] == 1
        assert [each["records"] for each in done["left"]] == [1]
        assert (done["notFetched"], done["undated"], done["removedObjects"]) == ([], 0, 0)

    def test_each_that_prints_a_table_prints_json_too(self) -> None:
        printers = [
            *("run", "consume", "redrive", "get", "list", "history", "describe", "build"),
            *("table describe", "checkpoints show", "quarantine list", "quarantine show"),
        ]
        command = typer.main.get_command(app)
        for each in printers:
            found = command
            for name in each.split():
                found = found.commands[name]  # type: ignore[attr-defined]
            assert any("--json" in option.opts for option in found.params), each
