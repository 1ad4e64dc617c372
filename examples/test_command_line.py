"""The whole command line by `--app parcels:application`: no line of it had to be written."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app

COMMAND = Path(sys.executable).with_name("kinesis-handler")
APPLIED = "12 records: 8 applied, 1 duplicate, 2 ignored, 1 rejected"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what an owner of parcels would set."""
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setenv("KINESIS_HANDLER_APP", "parcels:application")
    monkeypatch.setenv("PARCELS_STORE", f"sqlite:///{tmp_path}/parcels.db")
    monkeypatch.setenv("QUARANTINE_URL", f"file://{tmp_path}/rejected")
    monkeypatch.setenv("LOG_LEVEL", "error")


def run(*arguments: str, status: int = 0) -> str:
    """Run a command in this process, which takes a tenth of the time; return what it prints."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status, done.output
    return done.output


def test_the_command_is_installed_with_the_package() -> None:
    done = subprocess.run([COMMAND, "run", "parcels.json"], capture_output=True, check=True, text=True)
    assert done.stdout.endswith(f"{APPLIED} · remarks: 1 seen_again\n")
    assert done.stderr == ""


def test_run_shows_where_each_parcel_is_and_what_was_rejected_waits() -> None:
    printed = run("run", "parcels.json")
    assert "parcel-1  delivered  Turin" in printed
    assert APPLIED in printed
    again = json.loads(run("run", "parcels.json", "--json"))
    assert again["outcomes"]["duplicate"] == 9
    assert again["parcels"][0] == {
        "key": ["books", "parcel-1"],
        "version": 3,
        "state": {"status": "delivered", "depot": "Turin", "scans": 2, "signedBy": "Ada", "reason": None},
    }
    # What was rejected on the way waits in the quarantine.
    assert "missing required field `depot`" in run("quarantine", "list")
    assert '"parcel": "parcel-3"' in run("quarantine", "show")
    assert "2 records: 2 rejected again" in run("redrive", "--through", "handler", status=1)


def test_a_table_is_made_used_described_and_removed() -> None:
    name = f"Parcels-{uuid4()}"
    store = ("--store", f"dynamodb://{name}")
    assert run("table", "create", *store) == f"made the table {name}\n"
    assert APPLIED in run("run", "parcels.json", *store)
    [described] = json.loads(run("table", "describe", "--json", *store))
    assert described["keys"] == ["shop", "parcel"]
    assert run("table", "delete", "--yes", *store) == f"removed the table {name}\n"


def test_a_stream_is_put_and_consumed_and_read_on_from_where_it_was() -> None:
    stream = f"parcels-{uuid4()}"
    assert run("put", "parcels.json", "--stream", stream, "--create", "1").startswith("12 records put")
    assert APPLIED in run("consume", "--stream", stream, "--until-caught-up")
    assert "0 records" in run("consume", "--stream", stream, "--until-caught-up")


def test_serve_says_that_there_is_nothing_to_show_before_it_runs_any_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bare_of_views.py").write_text(
        "from kinesis_handler import KinesisHandler\n"
        "from kinesis_handler.application import Application\n"
        "def application():\n    return Application(KinesisHandler())\n"
    )
    monkeypatch.chdir(tmp_path)
    told = run("serve", "parcels.json", "--app", "bare_of_views:application", status=2)
    assert told == "Error: --app is 'bare_of_views:application', which has neither an API nor a view\n"
