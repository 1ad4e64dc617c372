"""The lease table: it is made, it begins where `consume` has come to, and it is the store's own."""

from collections.abc import Callable
from itertools import count

import pytest

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.kcl.fleet import lease_table_name
from kinesis_handler.kcl.leases import BEHIND_ALL, LeaseTable, first_leases
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.shards import Shard
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.url import DynamoDB, InMemory, SQLite
from testkit.tables import Tables

SHARDS = [Shard("one"), Shard("two", closed=True), Shard("three", ("two",))]

_numbers = count(1)

Make = Callable[[], LeaseTable]


@pytest.fixture
def table(tables: Tables) -> LeaseTable:
    return LeaseTable(tables.client, f"leases-{next(_numbers)}")


def checkpoints() -> Checkpoints:
    return Checkpoints(MemoryRepository[Checkpoint](), "stream:1")


def where(lease: dict[str, dict[str, str]]) -> tuple[str, int]:
    return lease["checkpoint"]["S"], int(lease["checkpointSubSequenceNumber"]["N"])


def test_without_checkpoints_each_shard_begins_where_it_is_to_and_children_wait_for_their_parents() -> None:
    leases = {each["leaseKey"]["S"]: each for each in first_leases(SHARDS, {}, None)}
    assert {name: where(each) for name, each in leases.items()} == dict.fromkeys(
        ("one", "two", "three"), ("TRIM_HORIZON", 0)
    )
    assert [name for name, each in leases.items() if "parentShardId" in each] == ["three"]
    assert {where(each) for each in first_leases(SHARDS, {}, 1_700_000_000)} == {("AT_TIMESTAMP", 0)}


def test_shards_go_on_behind_what_consume_has_read() -> None:
    known = {"one": Checkpoint(after="7"), "two": Checkpoint(ended=True), "three": Checkpoint(since=5)}
    leases = list(first_leases(SHARDS, known, 1_700_000_000))
    assert [where(each) for each in leases] == [("7", BEHIND_ALL), ("TRIM_HORIZON", 0)]
    assert not any("parentShardId" in each for each in leases)


def test_the_second_worker_finds_the_leases_of_the_first(table: LeaseTable, tables: Tables) -> None:
    store = checkpoints()
    table.prepare(store, SHARDS, None, 0)
    table.prepare(store, SHARDS[:1], 5.0, 0)
    items = tables.client.scan(TableName=table.name)["Items"]
    assert {each["leaseKey"]["S"] for each in items} == {"one", "two", "three"}
    assert store.lease_table() == table.name
    assert store.load() == {}
    assert store.rows() == {}


def test_leases_of_another_application_are_refused(table: LeaseTable) -> None:
    table.prepare(checkpoints(), SHARDS, None, 0)
    with pytest.raises(ConfigurationError, match="has leases, and not those of this store") as refused:
        table.prepare(checkpoints(), SHARDS, None, 0)
    assert "--leases" in str(refused.value)
    assert f"aws dynamodb delete-table --table-name {table.name}" in str(refused.value)


def test_a_second_lease_table_for_one_store_is_refused(tables: Tables) -> None:
    store = checkpoints()
    LeaseTable(tables.client, "leases-of-all").prepare(store, SHARDS, None, 0)
    with pytest.raises(ConfigurationError, match="allowed: leases-of-all"):
        LeaseTable(tables.client, "leases-of-some").prepare(store, SHARDS, None, 0)


def test_a_table_of_another_kind_is_refused(tables: Tables) -> None:
    other = tables.table().name
    with pytest.raises(ConfigurationError, match="is no lease table: its key is userId and limitId"):
        LeaseTable(tables.client, other).prepare(checkpoints(), SHARDS, None, 0)


def test_only_the_leases_of_the_worker_are_given_up(table: LeaseTable, tables: Tables) -> None:
    table.prepare(checkpoints(), SHARDS, None, 0)
    for shard, owner in (("one", "a"), ("two", "b"), ("three", "a")):
        tables.client.update_item(
            TableName=table.name,
            Key={"leaseKey": {"S": shard}},
            UpdateExpression="SET leaseOwner = :owner",
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
    assert table.release("a") == 2
    items = tables.client.scan(TableName=table.name)["Items"]
    assert {each["leaseKey"]["S"]: each.get("leaseOwner", {}).get("S") for each in items} == {
        "one": None,
        "two": "b",
        "three": None,
    }
    assert table.release("a") == 0


def test_a_denied_permission_is_named_with_what_is_needed(tables: Tables, table: LeaseTable) -> None:
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "you are not authorized"}}

    def deny(**_: object) -> None:
        raise tables.client.exceptions.ClientError(denied, "DescribeTable")  # type: ignore[arg-type]

    events = tables.client.meta.events
    events.register("before-call.dynamodb.DescribeTable", deny)
    try:
        with pytest.raises(ConfigurationError, match="you are not authorized") as refused:
            table.prepare(checkpoints(), SHARDS, None, 0)
    finally:
        events.unregister("before-call.dynamodb.DescribeTable", deny)
    assert "A worker needs CreateTable, DeleteItem, " in str(refused.value)


def test_the_leases_are_beside_the_state() -> None:
    assert lease_table_name(None, DynamoDB("Limits"), "facts") == "Limits-facts-leases"
    assert lease_table_name(None, SQLite("/tmp/my limits.db"), "facts") == "my-limits-facts-leases"  # noqa: S108
    assert lease_table_name("Mine", DynamoDB("Limits"), "facts") == "Mine"
    with pytest.raises(ConfigurationError, match="each worker would have for itself"):
        lease_table_name(None, InMemory(), "facts")
    with pytest.raises(ConfigurationError, match="--leases is 'a b'; allowed: the name of a DynamoDB table"):
        lease_table_name("a b", DynamoDB("Limits"), "facts")
