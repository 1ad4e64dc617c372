"""The command line with an application whose events come in another envelope."""

import json
from itertools import count
from pathlib import Path

import pytest

from command_line import call
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.reader import StreamReader

APPLICATION = """
import os
from msgspec import Struct
from kinesis_handler import KinesisHandler, Projection, open_quarantine, open_store
from kinesis_handler.application import Application, plain_view
from kinesis_handler.envelopes import CloudEvents

class Deposited(Struct):
    cents: int

class Account(Struct, frozen=True):
    cents: int

class Accounts(Projection[Account, Deposited]):
    event_types = {"DEPOSITED": Deposited}

    def key(self, event):
        return "accounts", event.aggregate_id

    def apply(self, account, event):
        return Account((account.cents if account else 0) + event.payload.cents)

def build(store=None):
    opened = open_store(store or "sqlite:///accounts.db")
    accounts = opened.repository(Account)
    quarantine = open_quarantine(os.environ.get("QUARANTINE_URL", ""))
    envelope = CloudEvents(documents="lines")
    handler = KinesisHandler([Accounts(accounts)], envelope=envelope, quarantine=quarantine)
    return Application(handler, [plain_view("accounts", accounts, Account)], opened, quarantine)
"""

STREAMS = (f"envelopes-{number}" for number in count())


def deposited(event_id: int, account: str, cents: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/bank",
        "type": "DEPOSITED",
        "time": "2025-11-22T08:26:40Z",
        "subject": account,
        "data": {"cents": cents},
    }


EVENTS = [deposited(1, "a", 1), deposited(2, "b", 20), deposited(3, "a", 300), deposited(4, "b", "none")]
SUMS = {"a": 301, "b": 20}


@pytest.fixture(params=["array", "lines"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with such an application, and a file of its events."""
    module = f"cloud_accounts_{request.param}_{abs(hash(tmp_path))}"  # each test imports a module of its own
    (tmp_path / f"{module}.py").write_text(APPLICATION)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.kinesis-handler]\napp = "{module}:build"\nevents = "events.json"\n'
    )
    lines = "\n".join(map(json.dumps, EVENTS))
    (tmp_path / "events.json").write_text(json.dumps(EVENTS) if request.param == "array" else lines)
    monkeypatch.setenv("QUARANTINE_URL", f"file://{tmp_path}/rejected")
    monkeypatch.setenv("LOG_LEVEL", "error")
    monkeypatch.delenv("KINESIS_HANDLER_APP", raising=False)
    return tmp_path


def sums(printed: str) -> dict[str, int]:
    return {each["key"][1]: each["state"]["cents"] for each in json.loads(printed)["accounts"]}


def test_run_quarantine_and_redrive_read_it(folder: Path) -> None:
    done = call("run", "--json", folder=folder)
    assert (done.returncode, sums(done.stdout)) == (0, SUMS), done.stderr

    listed = call("quarantine", "list", folder=folder)
    assert "Expected `int`, got `str` - at `$.data.cents`" in " ".join(listed.stdout.split())
    again = call("redrive", "--through", "handler", folder=folder)
    assert (again.returncode, again.stdout.splitlines()[0]) == (1, "1 record: 1 rejected again")


def test_put_and_consume_take_the_subject_for_the_partition_key(
    folder: Path, kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    stream = next(STREAMS)
    put = call("put", "--stream", stream, "--create", "1", folder=folder)
    assert (put.returncode, put.stdout) == (0, f"4 records put onto {stream}\n"), put.stderr
    reader = StreamReader(kinesis_client(), stream)
    [shard] = reader.shards()
    records = reader.shard(shard.id, Checkpoint()).read().records
    assert [each["kinesis"]["partitionKey"] for each in records] == ["a", "b", "a", "b"]

    consumed = call("consume", "--stream", stream, "--until-caught-up", folder=folder)
    assert consumed.returncode == 0, consumed.stderr
    again = call("run", "--json", folder=folder).stdout
    assert (sums(again), json.loads(again)["outcomes"]["duplicate"]) == (SUMS, 3)  # by their ids


def test_put_without_an_application_takes_the_native_envelope(
    tmp_path: Path, kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.delenv("KINESIS_HANDLER_APP", raising=False)
    stream = next(STREAMS)
    events = [{"aggregateId": "a"}, {"aggregateId": 3}, {"aggregateId": None}, {}, []]
    put = call(
        "put", "--stream", stream, "--create", "1", "-", stdin=json.dumps(events).encode(), folder=tmp_path
    )
    assert put.returncode == 0, put.stderr
    reader = StreamReader(kinesis_client(), stream)
    [shard] = reader.shards()
    records = reader.shard(shard.id, Checkpoint()).read().records
    assert [each["kinesis"]["partitionKey"] for each in records] == ["a", "3", "-", "-", "-"]
