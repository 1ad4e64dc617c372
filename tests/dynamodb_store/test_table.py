"""The table itself: what its check tells, how it is made and removed; and the client."""

import socket
from collections.abc import Callable
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.retry import Backoff
from kinesis_handler.stores.dynamodb import Connection, DynamoDBTable, dynamodb_connection
from kinesis_handler.stores.dynamodb.connection import CONNECT_TIMEOUT, CONNECTIONS, READ_TIMEOUT
from testkit.emulators.wire import (
    FOR_EVER,
    Fault,
    Wire,
    error,
    response,
    server_error,
    timeout,
    undelivered,
    unreachable,
)
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables

NUMBERS = count(1)
REGION = "us-east-1"
"""As the settings of the tests say."""

SOME_ENDPOINT = "http://127.0.0.1:1"


@pytest.fixture
def name() -> str:
    """Return a name that no other table has."""
    return f"Made-{next(NUMBERS)}"


@pytest.fixture
def table(wire: Wire, name: str) -> DynamoDBTable:
    """Return a table that does not exist yet."""
    return table_of(wire.connection, name)


def table_of(connection: Connection, name: str, **options: Any) -> DynamoDBTable:
    return DynamoDBTable(connection, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY, **options)


def complaint(check: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        check()
    return str(raised.value)


def make(tables: Tables, name: str, partition_key: str, sort_key: str, kind: Any = "S") -> None:
    tables.client.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": partition_key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": partition_key, "AttributeType": "S"},
            {"AttributeName": sort_key, "AttributeType": kind},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


class TestCheck:
    def test_a_table_that_is_as_it_must_be_passes(self, table: DynamoDBTable, wire: Wire) -> None:
        table.create()
        wire.sent.clear()
        table.check()
        assert [call.operation for call in wire.sent] == ["BatchGetItem"]

    def test_a_table_that_is_missing_is_named_with_its_place_and_how_to_make_it(
        self, table: DynamoDBTable, name: str, tables: Tables
    ) -> None:
        told = complaint(table.check)
        assert all(part in told for part in (name, REGION, tables.endpoint))
        assert "does not exist; `kinesis-handler table create` makes it" in told

    @pytest.mark.parametrize("may_be_down", [False, True])
    def test_beside_another_store_one_that_is_down_passes_and_one_that_is_missing_does_not(
        self, wire: Wire, name: str, *, may_be_down: bool
    ) -> None:
        table = table_of(wire.connection, name, named_by="TARGET is 'x'", may_be_down=may_be_down)
        assert complaint(table.check).startswith("TARGET is 'x': the DynamoDB table")
        table.create()
        wire.on("BatchGetItem", unreachable)
        if may_be_down:
            table.check()
        else:
            assert complaint(table.check).startswith("TARGET is 'x': the DynamoDB table")

    @pytest.mark.parametrize(
        "schema",
        [("pk", "sk"), (PARTITION_KEY, "limit"), (SORT_KEY, PARTITION_KEY), (PARTITION_KEY, SORT_KEY, "N")],
        ids=["other names", "one other name", "the other way round", "a number"],
    )
    def test_a_table_with_other_keys_is_named_with_the_keys_it_must_have(
        self, table: DynamoDBTable, name: str, tables: Tables, schema: tuple[str, ...]
    ) -> None:
        make(tables, name, *schema)
        told = complaint(table.check)
        assert all(part in told for part in (name, REGION, tables.endpoint))
        assert f"Its keys must be {PARTITION_KEY} and {SORT_KEY}, both strings" in told

    def test_where_nothing_listens_the_region_and_the_endpoint_are_doubted(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
            with closing(dynamodb_connection("eu-north-1", endpoint)) as connection:
                told = complaint(table_of(connection, "Limits").check)
        assert all(part in told for part in ("Limits", "eu-north-1", endpoint))
        assert "is the region right, and AWS_ENDPOINT_URL_DYNAMODB if it is set?" in told

    def test_without_credentials_it_says_which_variables_to_set(
        self, tables: Tables, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with closing(dynamodb_connection(endpoint=tables.endpoint)) as connection:
            told = complaint(table_of(connection, "Limits").check)
        assert all(part in told for part in ("Limits", REGION, tables.endpoint))
        assert "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in told

    @pytest.mark.parametrize(
        "code", ["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"]
    )
    def test_a_table_that_may_not_be_read_is_named_with_the_reason(
        self, table: DynamoDBTable, wire: Wire, name: str, tables: Tables, code: str
    ) -> None:
        wire.on("BatchGetItem", error(code, message="anna may not read"))
        told = complaint(table.check)
        assert all(part in told for part in (name, REGION, tables.endpoint, "anna may not read"))

    @pytest.mark.parametrize(
        "fault",
        [
            error("ProvisionedThroughputExceededException"),
            error("ThrottlingException"),
            error("InternalServerError", 500),
            undelivered,
            timeout,
            server_error,
        ],
        ids=["throughput", "throttled", "500 before", "cut", "timeout", "500 after"],
    )
    def test_a_table_that_is_merely_slow_or_throttled_passes(
        self, table: DynamoDBTable, wire: Wire, fault: Fault
    ) -> None:
        table.create()
        wire.on("BatchGetItem", fault)
        table.check()
        assert wire.count("BatchGetItem") == 1

    @pytest.mark.parametrize("status", [200, 404])
    def test_what_answers_but_is_no_dynamodb_does_not_pass(
        self, table: DynamoDBTable, wire: Wire, name: str, status: int
    ) -> None:
        wire.on("BatchGetItem", lambda _: response(status, "<html>Welcome</html>"))
        assert name in complaint(table.check)


class TestCreate:
    def test_a_new_table_is_on_demand_with_two_keys_and_a_time_to_live(
        self, table: DynamoDBTable, name: str
    ) -> None:
        table.create()
        told = table.describe()
        assert str(told.pop("arn")).endswith(f":table/{name}")
        assert told == {
            "name": name,
            "status": "ACTIVE",
            "keys": [PARTITION_KEY, SORT_KEY],
            "billing": "PAY_PER_REQUEST",
            "deletionProtection": False,
            "timeToLive": "expiresAt",
            "items": 0,
            "bytes": 0,
        }

    def test_items_and_bytes_are_reported(self, table: DynamoDBTable, name: str, tables: Tables) -> None:
        table.create()
        tables.client.put_item(TableName=name, Item={PARTITION_KEY: {"S": "a"}, SORT_KEY: {"S": "1"}})
        told = table.describe()
        assert told["items"] == 1
        assert told["bytes"] == len(f"{PARTITION_KEY}a{SORT_KEY}1")

    def test_a_table_without_a_time_to_live_says_so(
        self, table: DynamoDBTable, name: str, tables: Tables
    ) -> None:
        make(tables, name, PARTITION_KEY, SORT_KEY)
        assert table.describe()["timeToLive"] is None

    def test_it_waits_until_the_table_can_be_used(
        self, table: DynamoDBTable, wire: Wire, pauses: list[float]
    ) -> None:
        wire.on("DescribeTable", lambda _: response(200, {"Table": {"TableStatus": "CREATING"}}), times=3)
        table.create()
        assert wire.count("DescribeTable") == 4
        assert len(pauses) == 3

    def test_a_table_is_not_made_twice(self, table: DynamoDBTable, name: str, tables: Tables) -> None:
        table.create()
        told = complaint(table.create)
        assert all(part in told for part in (name, REGION, tables.endpoint))
        assert "is there already, or is just being made or removed" in told

    def test_a_table_that_may_not_be_made_is_named(self, table: DynamoDBTable, wire: Wire, name: str) -> None:
        wire.on("CreateTable", error("AccessDeniedException", message="anna may not"))
        told = complaint(table.create)
        assert name in told
        assert "anna may not" in told

    def test_a_missing_table_is_not_described(self, table: DynamoDBTable) -> None:
        assert "does not exist; `kinesis-handler table create` makes it" in complaint(table.describe)

    @pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable", "UpdateTimeToLive"])
    @pytest.mark.parametrize("fault", [timeout, undelivered])
    def test_on_a_busy_machine_it_is_asked_for_again_until_it_is_made(
        self, wire: Wire, name: str, operation: str, fault: Fault
    ) -> None:
        table = table_of(wire.connection, name, make_backoff=lambda: Backoff(lambda _: None))
        wire.on(operation, fault)
        table.create()
        assert table.describe()["timeToLive"] == "expiresAt"
        table.check()

    def test_a_table_that_may_not_be_made_yet_is_asked_for_again(self, wire: Wire, name: str) -> None:
        table = table_of(wire.connection, name, make_backoff=lambda: Backoff(lambda _: None))
        wire.on("CreateTable", error("LimitExceededException"), times=3)
        table.create()
        assert table.exists()

    def test_a_table_of_others_is_not_taken_for_the_one_that_was_to_be_made(
        self, table: DynamoDBTable, wire: Wire
    ) -> None:
        table.create()
        wire.on("CreateTable", error("ThrottlingException"))
        patient = table_of(wire.connection, table.name, make_backoff=lambda: Backoff(lambda _: None))
        assert "is there already" in complaint(patient.create)


class TestDelete:
    def test_after_a_lost_answer_it_is_gone(self, wire: Wire, name: str) -> None:
        table = table_of(wire.connection, name, make_backoff=lambda: Backoff(lambda _: None))
        table.create()
        wire.on("DeleteTable", timeout)
        table.delete()
        assert not table.exists()

    def test_a_deleted_table_is_gone(self, table: DynamoDBTable) -> None:
        table.create()
        table.delete()
        assert "does not exist" in complaint(table.describe)

    def test_it_waits_until_the_table_is_gone(
        self, table: DynamoDBTable, wire: Wire, pauses: list[float]
    ) -> None:
        table.create()
        looks = wire.count("DescribeTable")
        wire.on("DescribeTable", lambda _: response(200, {"Table": {"TableStatus": "DELETING"}}), times=3)
        table.delete()
        assert wire.count("DescribeTable") - looks == 4
        assert len(pauses) == 3

    def test_a_wait_that_never_ends_is_given_up_with_a_sentence(
        self, table: DynamoDBTable, wire: Wire, name: str, pauses: list[float]
    ) -> None:
        table.create()
        still_there = response(200, {"Table": {"TableStatus": "DELETING"}})
        wire.on("DescribeTable", lambda _: still_there, times=FOR_EVER)
        assert name in complaint(table.delete)
        assert sum(pauses) < 180

    def test_a_protected_table_is_not_deleted(self, table: DynamoDBTable, name: str, tables: Tables) -> None:
        table.create(deletion_protection=True)
        assert table.describe()["deletionProtection"] is True
        told = complaint(table.delete)
        assert all(part in told for part in (name, REGION, tables.endpoint))
        assert "is protected against deletion: end that first" in told
        table.check()

    def test_a_missing_table_is_not_deleted(self, table: DynamoDBTable, name: str) -> None:
        told = complaint(table.delete)
        assert name in told
        assert "does not exist" in told


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long botocore's waiters would have slept."""
    slept: list[float] = []
    monkeypatch.setattr("botocore.waiter.time.sleep", slept.append)
    return slept


class TestClient:
    def test_the_endpoint_may_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", SOME_ENDPOINT)
        with closing(dynamodb_connection()) as connection:
            assert connection.endpoint == connection.client.meta.endpoint_url == SOME_ENDPOINT

    def test_the_endpoint_given_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2")
        with closing(dynamodb_connection(endpoint=SOME_ENDPOINT)) as connection:
            assert connection.endpoint == connection.client.meta.endpoint_url == SOME_ENDPOINT

    def test_it_waits_for_no_answer_longer_than_a_batch_can_bear(self, connection: Connection) -> None:
        config: Any = connection.client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT, READ_TIMEOUT)
        assert CONNECT_TIMEOUT + READ_TIMEOUT <= 5
        assert config.max_pool_connections == CONNECTIONS

    @pytest.mark.parametrize("code", ["InternalServerError", "ThrottlingException"])
    def test_it_does_not_try_again_by_itself(self, wire: Wire, code: str) -> None:
        wire.on("ListTables", error(code, 500))
        with pytest.raises(ClientError, match=code):
            wire.connection.client.list_tables()
        assert wire.count("ListTables") == 1

    def test_it_does_not_try_again_by_itself_when_a_connection_breaks(self, wire: Wire) -> None:
        wire.on("ListTables", undelivered)
        with pytest.raises(Exception, match="Connection was closed"):
            wire.connection.client.list_tables()
        assert wire.count("ListTables") == 1
