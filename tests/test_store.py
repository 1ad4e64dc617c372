"""Where the limits are kept: by the settings, or by a URL."""

from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from kinesis_handler import ConfigurationError
from kinesis_handler.stores.url import Address, DynamoDB, InMemory, SQLite
from kinesis_handler.testing import invocation
from testkit.tables import Tables
from user_limits.wiring import application, consumer

SET = {"SQLITE_PATH": "set.db", "USER_LIMIT_TABLE_NAME": "Set", "AWS_REGION": "eu-north-1"}


@pytest.mark.parametrize(
    ("environment", "url", "address"),
    [
        ({}, None, InMemory()),
        ({"REPOSITORY_TYPE": "sqlite"}, None, SQLite("limits.db")),
        ({"REPOSITORY_TYPE": "dynamodb"}, None, DynamoDB("UserLimits")),
        (SET, "inmemory:", InMemory()),
        (SET, "sqlite:", SQLite("set.db")),
        (SET, "dynamodb:", DynamoDB("Set", "eu-north-1")),
    ],
)
def test_the_settings_name_a_store_and_say_what_a_url_leaves_out(
    environment: dict[str, str],
    url: str | None,
    address: Address,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = application(environment, url).store
    assert store is not None
    assert store.address == address


CREATED = {
    "eventId": "e",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1,
    "payload": {"userId": "anna", "userLimitId": "bet", "value": "9800.10", "currencyCode": "SEK"},
}


def test_what_one_process_has_kept_in_a_file_another_one_finds(tmp_path: Path) -> None:
    environment = {"REPOSITORY_TYPE": "sqlite", "SQLITE_PATH": str(tmp_path / "limits.db")}
    assert consumer(environment)(invocation([CREATED])) == {"batchItemFailures": []}
    [view] = application(environment).views
    [limit] = view.repository.scan()
    assert str(limit.state.value) == "9800.10"


def test_what_the_consumer_has_kept_in_a_table_is_read_as_the_domain_says(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    name = f"Limits{uuid4().hex}"
    environment = {"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": name}
    for table in application(environment).tables:
        table.create()
    assert consumer(environment)(invocation([CREATED])) == {"batchItemFailures": []}
    key = {"userId": {"S": "anna"}, "limitId": {"S": "bet"}}
    item = tables.client.get_item(TableName=name, Key=key)["Item"]
    assert item["value"] == {"N": "9800.1"}
    assert item["version"] == {"N": "1"}
    assert item["currencyCode"] == {"S": "SEK"}
    assert "expiresAt" in item
    assert item["name"] == {"NULL": True}, "or another default could change it later"
    activity = tables.client.get_item(TableName=f"{name}-activity", Key=key)["Item"]
    [change] = activity["changes"]["L"]
    _, kind, amount, progress, _ = change["L"]
    assert (kind, Decimal(amount["N"]), progress) == ({"S": "CREATED"}, Decimal("9800.1"), {"N": "0"})
    assert activity["currencyCode"] == {"S": "SEK"}
    assert "expiresAt" in activity


def test_a_table_that_is_missing_stops_the_start(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    said = r"USER_LIMIT_TABLE_NAME is 'Nowhere': .* does not exist; `kinesis-handler table create` makes it"
    with pytest.raises(ConfigurationError, match=said):
        consumer({"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": "Nowhere"})


def test_a_file_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SQLITE_PATH is '.*/nowhere/limits.db': .* no folder"):
        consumer({"REPOSITORY_TYPE": "sqlite", "SQLITE_PATH": str(tmp_path / "nowhere" / "limits.db")})
