"""`history` folds the events of one key from nothing, and says where what is stored differs."""

import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = ("books", "parcel-1")


def call(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, kinesis_endpoint: str) -> str:
    """Return a stream with the parcels of the example on it."""
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    monkeypatch.setenv("KINESIS_HANDLER_APP", "parcels:application")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("LOG_LEVEL", "critical")
    name = f"history-{uuid4()}"
    call("put", "parcels.json", "--stream", name, "--create", "2")
    return name


@pytest.fixture
def store(stream: str, tmp_path: Path) -> str:
    """Return a store that the stream has been read into."""
    url = f"sqlite:///{tmp_path}/parcels.db"
    done = json.loads(call("consume", "--stream", stream, "--until-caught-up", "--json", "--store", url))
    assert done["outcomes"]["applied"] == 8
    assert len(done["parcels"]) == 3
    return url


def test_each_event_is_shown_with_its_outcome_and_the_fold_gives_what_is_stored(
    stream: str, store: str
) -> None:
    told = call("history", *KEY, "--stream", stream, "--store", store)
    lines = told.splitlines()
    assert lines[0] == "parcels books parcel-1: 4 events on the stream"
    assert [line.split()[3:5] for line in lines[2:6]] == [
        ["applied", "1"],
        ["applied", "2"],
        ["applied", "3"],
        ["duplicate", "3"],
    ]
    assert lines[-1] == "a fold of them from nothing gives what is stored"


def test_a_program_gets_the_events_both_states_and_no_difference(stream: str, store: str) -> None:
    told = json.loads(call("history", *KEY, "--stream", stream, "--store", store, "--json"))
    assert [each["outcome"] for each in told["events"]] == ["applied"] * 3 + ["duplicate"]
    assert told["stored"] == told["folded"]
    assert told["stored"]["version"] == 3
    assert told["differences"] == []


def test_an_event_that_the_store_has_not_seen_shows_as_a_difference(
    stream: str, store: str, tmp_path: Path
) -> None:
    late = {
        "eventId": "late",
        "type": "PARCEL_RETURNED",
        "createdAt": 1795100000000,
        "aggregateId": "parcel-1",
        "sequenceNumber": 99,
        "payload": {"shop": "books", "parcel": "parcel-1", "reason": "damaged"},
    }
    (tmp_path / "late.json").write_text(json.dumps([late]))
    call("put", str(tmp_path / "late.json"), "--stream", stream)
    told = call("history", *KEY, "--stream", stream, "--store", store, status=1)
    assert "\nversion: stored is 3, the fold gives 4\n" in told
    assert "\nstatus: stored is delivered, the fold gives returned\n" in told


def test_nothing_is_written_while_it_reads(stream: str, store: str) -> None:
    before = call("get", *KEY, "--store", store)
    call("history", *KEY, "--stream", stream, "--store", store)
    assert call("get", *KEY, "--store", store) == before


def test_a_key_without_events_or_state_differs_in_nothing(stream: str, store: str) -> None:
    told = call("history", "books", "none", "--stream", stream, "--store", store)
    assert told.startswith("parcels books none: 0 events on the stream\n")


def test_a_stream_that_is_not_there_is_named(store: str) -> None:
    assert "the stream 'none'" in call("history", *KEY, "--stream", "none", "--store", store, status=2)
