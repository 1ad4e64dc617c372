"""Where the limits are kept: by the settings, or by a URL."""

from pathlib import Path

import pytest

from kinesis_handler import ConfigurationError
from kinesis_handler.places import DynamoDB, InMemory, SQLite, Store
from kinesis_handler.testing import invocation
from tables import Tables
from user_limits.settings import Settings
from user_limits.store import store_of
from user_limits.wiring import application, consumer


@pytest.mark.parametrize(
    ("settings", "store"),
    [
        (Settings(), InMemory()),
        (Settings(repository_type="sqlite"), SQLite("limits.db")),
        (Settings(repository_type="dynamodb"), DynamoDB("UserLimits")),
    ],
)
def test_the_settings_name_a_store(settings: Settings, store: Store) -> None:
    assert store_of(settings) == store


def test_what_a_url_leaves_out_the_settings_say() -> None:
    settings = Settings(sqlite_path="set.db", user_limit_table_name="Set", aws_region="eu-north-1")
    assert store_of(settings, "sqlite:") == SQLite("set.db")
    assert store_of(settings, "dynamodb:") == DynamoDB("Set", "eu-north-1")
    assert store_of(settings, "inmemory:") == InMemory()


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
    name = tables.table().name
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    environment = {"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": name}
    assert consumer(environment)(invocation([CREATED])) == {"batchItemFailures": []}
    item = tables.client.get_item(TableName=name, Key={"userId": {"S": "anna"}, "limitId": {"S": "bet"}})[
        "Item"
    ]
    assert item["value"] == {"N": "9800.1"}
    assert item["version"] == {"N": "1"}
    assert item["currencyCode"] == {"S": "SEK"}
    assert "expiresAt" in item
    assert item["name"] == {"NULL": True}, "or another default could change it later"


def test_a_table_that_is_missing_stops_the_start(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    said = r"USER_LIMIT_TABLE_NAME is 'Nowhere': .* does not exist; `kinesis-handler table create` makes it"
    with pytest.raises(ConfigurationError, match=said):
        consumer({"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": "Nowhere"})


def test_a_file_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SQLITE_PATH is '.*/nowhere/limits.db': .* no folder"):
        consumer({"REPOSITORY_TYPE": "sqlite", "SQLITE_PATH": str(tmp_path / "nowhere" / "limits.db")})
