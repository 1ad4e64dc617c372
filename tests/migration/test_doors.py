"""The doors while there is a move: what the handler writes, what the API shows, what stops the start."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from api.stored import EXAMPLE, aggregate, limit
from api.test_lambda import LIMITS, event

from kinesis_handler import ConfigurationError
from kinesis_handler.moving import switch
from kinesis_handler.moving.phase import Phase
from kinesis_handler.stores import Change
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import invocation
from testkit.tables import Tables
from user_limits.api.gateway import gateway_handler
from user_limits.limit import Limit
from user_limits.wiring import api, application, consumer


class Files:
    """A move from one file to another, with a switch in a third."""

    def __init__(self, folder: Path) -> None:
        self.switch = folder / "phase"
        self.source, self.target = (
            SQLiteRepository(folder / f"{side}.db", Limit) for side in ("source", "target")
        )
        self.environment = {
            "REPOSITORY_TYPE": "sqlite",
            "SQLITE_PATH": str(folder / "source.db"),
            "STORAGE_TTL": "0",
            "MIGRATION_TARGET": f"sqlite:///{folder}/target.db",
            "MIGRATION_PHASE": f"file://{self.switch}",
        }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(switch, "FILE_EVERY", 0)
    return Files(tmp_path)


def test_the_api_shows_the_side_of_the_phase_and_repairs_nothing(files: Files) -> None:
    old, new = aggregate(EXAMPLE, 3), aggregate(limit("usr_456", "lmt_123"), 7)
    files.source.save([Change(None, old)])
    files.target.save([Change(None, new), Change(None, aggregate(limit("usr_456", "other")))])
    handler: Any = gateway_handler(api({**files.environment, "AUTH": "none"}))
    versions = {}
    for phase in Phase:
        files.switch.write_text(phase)
        one = json.loads(handler(event(f"{LIMITS}/lmt_123"), None)["body"])
        listed = json.loads(handler(event(LIMITS), None)["body"])
        versions[phase] = (one["meta"]["version"], listed["meta"]["count"])
    assert list(versions.values()) == [(3, 1), (3, 1), (7, 2), (7, 2)]
    assert list(files.source.scan()) == [old]
    assert files.target.load([new.key]).found == {new.key: new}


def test_an_api_that_cannot_know_the_phase_says_that_it_cannot_answer_now(files: Files) -> None:
    handler: Any = gateway_handler(api({**files.environment, "AUTH": "none"}))
    assert handler(event(f"{LIMITS}/lmt_123"), None)["statusCode"] == 503
    assert handler(event("/readyz"), None)["statusCode"] == 503
    files.switch.write_text("source")
    assert handler(event("/readyz"), None)["statusCode"] == 200


def test_the_handler_writes_as_the_phase_says(files: Files) -> None:
    handler = consumer(files.environment)
    created = {"userId": "anna", "userLimitId": "bet", "value": "10"}
    body = {"eventId": "1", "type": "USER_LIMIT_CREATED", "createdAt": 1, "payload": created}
    assert len(handler(invocation([body]))["batchItemFailures"]) == 1, "nothing is guessed"
    files.switch.write_text("dual-read-source")
    assert handler(invocation([body])) == {"batchItemFailures": []}
    [one], [other] = files.source.scan(), files.target.scan()
    assert one == other


@pytest.fixture
def moving(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the settings of a move from a table to another, of which nothing is there yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    return {
        "REPOSITORY_TYPE": "dynamodb",
        "USER_LIMIT_TABLE_NAME": f"Old{uuid4().hex}",
        "MIGRATION_TARGET": f"dynamodb://New{uuid4().hex}",
        "MIGRATION_PHASE": "source",
        "AUTH": "none",
    }


def test_each_table_that_is_missing_is_told_with_the_setting_that_names_it(moving: dict[str, str]) -> None:
    told = []
    for table in application(moving).tables:
        with pytest.raises(ConfigurationError) as raised:
            table.check()
        told.append(str(raised.value))
    old, new = moving["USER_LIMIT_TABLE_NAME"], moving["MIGRATION_TARGET"].removeprefix("dynamodb://")
    for text, setting, name, command in zip(
        told,
        [*["USER_LIMIT_TABLE_NAME"] * 2, *["MIGRATION_TARGET"] * 3],
        [old, f"{old}-repairs", new, f"{new}-repairs", f"{new}-migration"],
        ["table create", *["migrate prepare"] * 4],
        strict=True,
    ):
        assert text.startswith(f"{setting} is '{moving[setting]}': the DynamoDB table '{name}'")
        assert f"does not exist; `kinesis-handler {command}` makes it" in text


def test_what_is_missing_stops_the_start_and_a_store_that_is_down_does_not(moving: dict[str, str]) -> None:
    source, repairs, target, *notes = application(moving).tables
    for door in (consumer, api):
        with pytest.raises(ConfigurationError, match="USER_LIMIT_TABLE_NAME is"):
            door(moving)
    source.create()
    with pytest.raises(ConfigurationError, match="-repairs' in"):
        consumer(moving)
    repairs.create()
    for door in (consumer, api):
        with pytest.raises(ConfigurationError, match="MIGRATION_TARGET is"):
            door(moving)
    api({**moving, "MIGRATION_TARGET": f"{moving['MIGRATION_TARGET']}?endpoint=http://127.0.0.1:1"})
    target.create()
    api(moving)  # it writes no notes
    with pytest.raises(ConfigurationError, match="-repairs' in"):
        consumer(moving)
    for each in notes:
        each.create()
    consumer(moving)
