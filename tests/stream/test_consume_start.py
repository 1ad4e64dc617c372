"""What `kinesis-handler consume` looks at before it reads, and what it waits for then."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app
from stream.fake_kinesis import ARN, fake_kinesis
from stream.processes import Command
from stream.real_stream import Stream

if TYPE_CHECKING:
    from typer.testing import Result

IN_ANY_ORDER = """
from kinesis_handler import KinesisHandler, open_store
from kinesis_handler.application import Application

def build():
    return Application(KinesisHandler(), store=open_store("inmemory:"), any_order={any_order})
"""


def consume(folder: Path, monkeypatch: pytest.MonkeyPatch, *, any_order: bool, **summary: str) -> "Result":
    name = f"application_{any_order}"
    (folder / f"{name}.py").write_text(IN_ANY_ORDER.format(any_order=any_order))
    monkeypatch.syspath_prepend(folder)
    with fake_kinesis(summary) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", endpoint)
        arguments = ["--stream", "facts", "--app", f"{name}:build", "--until-caught-up"]
        return CliRunner().invoke(app, ["consume", *arguments])


def test_a_stream_that_keeps_no_order_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = consume(tmp_path, monkeypatch, any_order=False, RecordDistributionStrategy="AUTO")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: the stream 'facts': its RecordDistributionStrategy is AUTO: ")
    assert f"--stream-arn {ARN} " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("any_order", "strategy"), [(False, "USER_PARTITION_KEY"), (True, "AUTO"), (False, None)]
)
def test_a_stream_that_keeps_it_is_read_and_so_is_any_by_an_application_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, any_order: bool, strategy: str | None
) -> None:
    summary = {"RecordDistributionStrategy": strategy} if strategy else {}
    result = consume(tmp_path, monkeypatch, any_order=any_order, **summary)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "0 records"


def test_a_table_that_does_not_answer_at_the_start_is_waited_for_until_it_is_stopped(
    stream: Stream, kinesis_endpoint: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = f"http://127.0.0.1:{port}"
    command = Command(stream, kinesis_endpoint, f"dynamodb://Nowhere?endpoint={nowhere}", LOG_LEVEL="warn")
    with command.running() as process:
        assert process.stderr
        line = process.stderr.readline()
        process.terminate()
        printed, _ = process.communicate(timeout=20)
    assert '"the store is down: waiting for it"' in line
    assert "the DynamoDB table 'Nowhere'" in line
    assert "does not answer" in line
    assert (process.returncode, printed) == (0, "0 records\n")
