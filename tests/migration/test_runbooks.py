"""The runbooks, command by command, against SQLite, DynamoDB Local and a real stream that keeps flowing."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

import pytest

from kinesis_handler.stores.dynamodb import DynamoDBRepository
from migration.flow import USERS, Flow, stored
from migration.shell import ROOT, Shell, commands
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables
from user_limits.limit import Limit

COMMAND = str(Path(sys.executable).with_name("kinesis-handler"))
PATIENCE = 40


@pytest.fixture
def flow(kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    with Flow() as made:
        yield made


class Consumer:
    """A handler that reads the stream, in a process of its own, with the settings of the page."""

    def __init__(self, shell: Shell, stream: str, **settings: str) -> None:
        self._log = shell.folder / f"{uuid4()}.log"
        self._seen = 0
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "consume", "--stream", stream, "--from", "trim-horizon"],
                cwd=shell.folder,
                env={**shell.environment, **settings, "LOG_LEVEL": "info"},
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def wait_for(self, *messages: str) -> None:
        """Wait until these have been logged one after the other, since the last time that something was."""
        end = time.monotonic() + PATIENCE
        pattern = re.compile(".*?".join(f'"message":"{each}"' for each in messages), re.DOTALL)
        while not (found := pattern.search(self._log.read_text(), self._seen)):
            assert time.monotonic() < end, f"{messages} are not logged: {self._log.read_text()}"
            assert self.process.poll() is None, f"it ended: {self._log.read_text()}"
            time.sleep(0.05)
        self._seen = found.end()


def in_table(tables: Tables, name: str) -> DynamoDBRepository[Limit]:
    return DynamoDBRepository(tables.client, name, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY)


def wait_until_it_has(repository: DynamoDBRepository[Limit], flow: Flow) -> None:
    expected, end = flow.expected(), time.monotonic() + PATIENCE
    while stored(repository) != expected:
        assert time.monotonic() < end, "it does not come to what one clean pass leads to"
        time.sleep(0.1)


def test_the_migration_runbook_loses_nothing_while_the_stream_flows(
    flow: Flow, tables: Tables, kinesis_endpoint: str, tmp_path: Path
) -> None:
    name = f"Limits{uuid4().hex}"
    endpoints = {"AWS_ENDPOINT_URL_DYNAMODB": tables.endpoint, "AWS_ENDPOINT_URL_KINESIS": kinesis_endpoint}
    settings = {
        "REPOSITORY_TYPE": "sqlite",
        "SQLITE_PATH": "limits.db",
        "STORAGE_TTL": "0",
        "MIGRATION_TARGET": f"dynamodb://{name}",
        "MIGRATION_PHASE": f"file://{tmp_path}/phase",
    }
    page = [
        (command.replace("Limits", name), expected.replace("Limits", name))
        for command, expected in commands(ROOT / "docs" / "how-to" / "migrate.md")
    ]
    prepared = [command for command, _ in page].index("kinesis-handler migrate prepare") + 1
    with Shell(tmp_path, endpoints) as shell:
        for command, expected in page[:prepared]:
            shell.check(command, expected)
        with Consumer(shell, flow.stream, **settings) as handler:
            handler.wait_for("batch handled")
            for command, expected in page[prepared:]:
                if command.startswith("sleep"):  # "so that every handler has seen the last one"
                    handler.wait_for("phase changed", "batch handled")
                else:
                    shell.check(command, expected)
            flow.stop()
            wait_until_it_has(in_table(tables, name), flow)
        assert (tmp_path / "phase").read_text() == "target\n"
        shell.check("echo dual-read-target > phase")
        assert shell("kinesis-handler migrate verify")[0] == 1, "the source was left behind"
        shell.check("kinesis-handler migrate verify --repair", "…\n… repaired\n")
        shell.check("kinesis-handler migrate verify", f"{USERS} compared: 0 differ\n")


def test_the_rebuild_runbook_ends_with_a_table_that_has_it_all(
    flow: Flow, tables: Tables, kinesis_endpoint: str, tmp_path: Path
) -> None:
    name = f"Limits{uuid4().hex}"
    endpoints = {"AWS_ENDPOINT_URL_DYNAMODB": tables.endpoint, "AWS_ENDPOINT_URL_KINESIS": kinesis_endpoint}
    settings = {"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": name, "STORAGE_TTL": "0"}
    with Shell(tmp_path, endpoints) as shell:
        shell.check(f"kinesis-handler table create --store dynamodb://{name}")
        with Consumer(shell, flow.stream, **settings):
            for command, expected in commands(ROOT / "docs" / "how-to" / "rebuild.md"):
                if "verify" in command:  # "when it has caught up"
                    flow.stop()
                    wait_until_it_has(in_table(tables, name), flow)
                    wait_until_it_has(in_table(tables, f"{name}New"), flow)
                typed = command.replace("Limits", name).replace("--stream limits", f"--stream {flow.stream}")
                printed = shell.check(typed, expected.replace("Limits", name))
                if "verify" in command:
                    assert printed == f"{USERS} compared: 0 differ\n"
