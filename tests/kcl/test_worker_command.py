"""`kinesis-handler worker`: what it refuses, in a sentence that says what to do."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.kcl.daemon import daemon_command, write_properties
from kinesis_handler.kcl.fleet import Fleet
from stream.real_stream import Stream
from testkit.tables import Tables


@pytest.fixture
def refused(
    make_stream: Callable[[int], Stream],
    kinesis_endpoint: str,
    tables: Tables,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., str]:
    """Return what calls the command with further options, and returns what it says as it refuses."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    monkeypatch.setenv("STORAGE_TTL", "0")
    stream = make_stream(1)

    def call(*arguments: str, name: str = stream.name, store: str = f"sqlite:///{tmp_path}/limits.db") -> str:
        done = CliRunner().invoke(app, ["worker", "--stream", name, "--store", store, *arguments])
        assert done.exit_code == 2, done.output
        return " ".join(done.stderr.split())

    return call


def test_a_store_that_each_worker_would_have_for_itself(refused: Callable[..., str]) -> None:
    assert "the store is 'inmemory:', which each worker would have for itself" in refused(store="inmemory:")


def test_a_stream_that_does_not_exist(refused: Callable[..., str]) -> None:
    assert "the stream 'nowhere': it does not exist: are its name and the region right?" in refused(
        name="nowhere"
    )


def test_a_table_that_holds_no_leases(refused: Callable[..., str], tables: Tables) -> None:
    table = tables.table().name
    assert f"the table '{table}' is no lease table: its key is userId and limitId" in refused(
        "--leases", table
    )


@pytest.mark.parametrize("grace", ["1s", "1h", "soon"])
def test_a_grace_period_that_is_none(refused: Callable[..., str], grace: str) -> None:
    assert f"--grace is '{grace}'; allowed: from 5s to 10m, such as 25s" in refused("--grace", grace)


def test_the_daemon_without_java(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused("--daemon")
    assert "--daemon is given, and there is no `java` on the PATH" in said
    assert "Install a JRE; or leave --daemon out" in said


def test_the_daemon_without_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("kinesis_handler.kcl.daemon.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pip install 'kinesis-handler"):
        daemon_command(tmp_path)


def test_the_settings_of_the_daemon_say_where_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    fleet = Fleet("facts", "eu-north-1", "Limits-facts-leases", 1_700_000_000.5, "host:1:a")
    path = write_properties(fleet, ["python", "-m", "it"], 25)
    try:
        settings = dict(line.split(" = ") for line in path.read_text().splitlines())
    finally:
        shutil.rmtree(path.parent)
    assert settings["executableName"] == "python -m it"
    assert settings["streamName"] == "facts"
    assert settings["applicationName"] == "Limits-facts-leases"
    assert settings["regionName"] == "eu-north-1"
    assert settings["initialPositionInStreamExtended"] == "1700000000"
    assert settings["kinesisEndpoint"] == "http://127.0.0.1:1"
    assert settings["shutdownGraceMillis"] == "25000"
    assert "dynamoDBEndpoint" not in settings
    with pytest.raises(ConfigurationError, match="has a space in it"):
        write_properties(fleet, [os.sep + "my programs" + os.sep + "python"], 25)
