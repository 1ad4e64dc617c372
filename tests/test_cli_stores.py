"""`run --store` and `table`: the command line on stores that outlive it, against the real ones."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from uuid import uuid4

import pytest

from command_line import EVENTS, ROOT, call, run
from testkit.tables import Tables

UNTABLED = """
from kinesis_handler import KinesisHandler
from kinesis_handler.application import Application

def application():
    return Application(KinesisHandler([]))
"""


class CommandLine:
    """Calls commands with the settings that it has been given."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._settings = {"LOG_LEVEL": "error", **settings}

    def set(self, **settings: str) -> None:
        """Set further settings."""
        self._settings |= settings

    def __call__(self, *arguments: str) -> CompletedProcess[str]:
        return call(*arguments, folder=self._folder, settings=self._settings)

    def run(self, *arguments: str) -> CompletedProcess[str]:
        """Do the same by a process of its own."""
        return run(*arguments, folder=self._folder, settings=self._settings)


@pytest.fixture
def command(tables: Tables, tmp_path: Path) -> CommandLine:
    name = f"limits-{uuid4()}"  # a table of its own
    return CommandLine(
        tmp_path,
        AWS_ENDPOINT_URL_DYNAMODB=tables.endpoint,
        REPOSITORY_TYPE="dynamodb",
        USER_LIMIT_TABLE_NAME=name,
    )


@pytest.mark.parametrize("store", ["sqlite:///limits.db", "dynamodb:"])
def test_a_second_run_on_a_store_finds_what_the_first_has_kept(command: CommandLine, store: str) -> None:
    if store == "dynamodb:":
        assert command("table", "create").returncode == 0
    events = str(EVENTS)
    first = json.loads(command("run", events, "--store", store, "--json").stdout)
    second = json.loads(command("run", events, "--store", store, "--json").stdout)
    assert first["outcomes"]["applied"] == 63
    assert (second["outcomes"]["applied"], second["outcomes"]["duplicate"]) == (0, 64)
    assert second["limits"] == first["limits"]


def test_all_stores_show_the_same(command: CommandLine) -> None:
    assert command("table", "create").returncode == 0
    events = str(EVENTS)
    shown = [
        command("run", events, "--store", store, "--json").stdout
        for store in ("inmemory:", "sqlite:///limits.db", "dynamodb:")
    ]
    assert shown[0].startswith('{"outcomes":{"applied":63')
    assert shown[1:] == shown[:1] * 2


def test_a_table_is_made_described_and_removed(command: CommandLine, tables: Tables) -> None:
    made = command("table", "create")
    assert (made.returncode, made.stdout.partition(" limits-")[0]) == (0, "made the table")
    name = made.stdout.split()[3]
    names = [name, f"{name}-activity"]
    assert made.stdout.splitlines() == [f"made the table {each}" for each in names]
    described = json.loads(command("table", "describe", "--json").stdout)
    assert [each["name"] for each in described] == names
    for each in described:
        assert (each["keys"], each["timeToLive"]) == (["userId", "limitId"], "expiresAt")
    assert "PAY_PER_REQUEST" in command("table", "describe").stdout
    removed = command("table", "delete", "--yes").stdout
    assert removed.splitlines() == [f"removed the table {each}" for each in names]
    assert not set(names) & set(tables.client.list_tables()["TableNames"])


def test_only_a_table_that_is_missing_is_made(command: CommandLine, tables: Tables) -> None:
    """As after an update that needs one more."""
    [_, name] = [line.split()[3] for line in command("table", "create").stdout.splitlines()]
    tables.client.delete_table(TableName=name)
    assert command("table", "create").stdout == f"made the table {name}\n"
    again = command("table", "create")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is there already" in again.stderr


def test_a_table_is_not_removed_without_yes(command: CommandLine) -> None:
    command("table", "create")
    refused = command("table", "delete")
    assert refused.returncode == 2
    assert refused.stderr.endswith("with all that is in it, for good: say --yes\n")
    assert command("table", "describe").returncode == 0


def test_a_protected_table_is_not_removed_even_with_yes(command: CommandLine) -> None:
    command("table", "create", "--deletion-protection")
    refused = command("table", "delete", "--yes")
    assert refused.returncode == 2
    assert "is protected against deletion" in refused.stderr


def test_a_table_that_is_missing_is_reported_before_anything_is_run(command: CommandLine) -> None:
    done = command("run", str(EVENTS), "--store", "dynamodb://Nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'Nowhere'" in done.stderr
    assert "`kinesis-handler table create` makes it" in done.stderr


@pytest.mark.parametrize("arguments", [("run", "-"), ("table", "create"), ("table", "describe")])
def test_a_url_that_names_no_store_is_reported(command: CommandLine, arguments: tuple[str, ...]) -> None:
    done = command(*arguments, "--store", "oracle://limits")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: the store is 'oracle://limits'; allowed: inmemory:, sqlite:///FILE")


def test_a_store_without_tables_is_reported(command: CommandLine) -> None:
    done = command("table", "create", "--store", "sqlite:")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "Error: the application's store has no tables that could be made: say --store"
    )


@pytest.mark.parametrize("store", ["", " "])
@pytest.mark.parametrize("arguments", [("run", "-"), ("table", "delete", "--yes")])
def test_a_store_that_is_said_and_is_nothing_is_not_the_one_of_the_settings(
    command: CommandLine, arguments: tuple[str, ...], store: str
) -> None:
    done = command(*arguments, "--store", store)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: --store is {store!r}; allowed: inmemory:, sqlite:///FILE")


def test_the_table_commands_take_the_tables_that_every_other_command_takes(
    tables: Tables, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "examples" / "parcels.py", tmp_path)
    events = str(ROOT / "examples" / "parcels.json")
    own, others = f"Own-{uuid4()}", f"Parcels-{uuid4()}"
    command = CommandLine(
        tmp_path,
        AWS_ENDPOINT_URL_DYNAMODB=tables.endpoint,
        KINESIS_HANDLER_APP="parcels:application",
        PARCELS_STORE=f"dynamodb://{own}",
    )
    assert command("table", "create", "--store", f"dynamodb://{others}").returncode == 0
    assert f"'{own}'" in command("run", events).stderr
    assert command("table", "create").stdout == f"made the table {own}\n"
    assert command("run", events).returncode == 0
    assert [each["name"] for each in json.loads(command("table", "describe", "--json").stdout)] == [own]
    assert command("table", "delete", "--yes").stdout == f"removed the table {own}\n"
    assert others in tables.client.list_tables()["TableNames"]


@pytest.mark.parametrize("arguments", [("create",), ("delete", "--yes")])
def test_while_there_is_a_move_it_has_to_be_said_whose_tables_are_meant(
    command: CommandLine, arguments: tuple[str, ...]
) -> None:
    command.set(MIGRATION_PHASE="source", MIGRATION_TARGET="dynamodb://Elsewhere")
    done = command("table", *arguments)
    assert done.returncode == 2
    assert "a move is under way, so there are two stores: name one by --store" in done.stderr
    assert command("table", "create", "--store", "dynamodb:").returncode == 0


def test_an_application_that_takes_no_store_is_reported(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "untabled.py").write_text(UNTABLED)
    done = command.run("run", "-", "--app", "untabled:application", "--store", "sqlite:")
    assert done.returncode == 2
    assert "which cannot be called with a store" in done.stderr


@pytest.mark.parametrize("name", ["create", "describe", "delete"])
def test_each_command_shows_how_it_is_used(command: CommandLine, name: str) -> None:
    assert "--store" in command("table", name, "--help").stdout
