"""The table in which the workers of one stream and one store lease its shards: the KCL's own format.

It must belong to the store: leases say how far the shards have been read, into that store. With the leases of
another application, or those of a store that has been removed, records would be skipped in silence.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinesis_handler.aws import aws_client, explain
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.shards import Shard

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEY, OWNER = "leaseKey", "leaseOwner"
_WAIT: Any = {"Delay": 1, "MaxAttempts": 60}

ACTIONS = ("CreateTable", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""What a worker does with its leases. `UpdateTable` is for an index, which the KCL adds once."""


def dynamodb_client(region: str) -> "DynamoDBClient":
    """Return a client with the SDK's settings: those that the KCL uses too."""
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
    return cast("DynamoDBClient", aws_client("dynamodb", config, region=region))


class LeaseTable:
    """The table of the leases.

    Args:
        client: see `dynamodb_client`.
        name: the table's.
    """

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.name = name
        self._client = client

    def prepare(
        self, checkpoints: Checkpoints, shards: Sequence[Shard], since: float | None, at: float
    ) -> None:
        """Make the table and the first leases if there are none, and see that they are the store's.

        Args:
            checkpoints: the store's: a row there says which table its leases are in.
            shards: the stream's.
            since: where to begin a shard without a checkpoint: see `Fleet`.
            at: seconds since epoch.

        Raises ConfigurationError, which says what to do, if the table cannot be used, or is not the store's;
        and RepositoryError if the store does not answer.
        """
        with self._errors():
            has_leases = self._make() and bool(
                self._client.scan(TableName=self.name, Limit=1, ConsistentRead=True)["Items"]
            )
            self._may_write()
        own = checkpoints.lease_table()  # after the leases: another worker may be starting, in that order
        if own is None and has_leases:
            raise ConfigurationError(
                f"the lease table {self.name!r} has leases, and not those of this store: it is another "
                "application's, or the store is new. Choose another name with --leases; or delete that table "
                f"(`aws dynamodb delete-table --table-name {self.name}`), and the stream is read into this "
                "store from --from on"
            )
        if own not in {None, self.name}:
            raise ConfigurationError(
                f"--leases is {self.name!r}, but the workers of this stream and this store have theirs in "
                f"{own!r}: shards would be read twice; allowed: {own}"
            )
        if own is None:
            checkpoints.name_lease_table(self.name, at)
        if not has_leases:
            with self._errors():
                for lease in first_leases(shards, checkpoints.load(), since):
                    self._add(lease)

    def _add(self, lease: dict[str, Any]) -> None:
        """Add a lease, unless another worker has."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(
                TableName=self.name, Item=lease, ConditionExpression=f"attribute_not_exists({KEY})"
            )

    def release(self, worker: str) -> int:
        """Give up the leases that a worker still has, so that others need not wait until they expire.

        Return how many there were. Call it when the worker has ended.
        """
        released = 0
        with self._errors():
            for page in self._client.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True):
                for lease in page["Items"]:
                    if lease.get(OWNER, {}).get("S") == worker:
                        released += self._release(lease[KEY], worker)
        return released

    def _release(self, key: Any, worker: str) -> bool:
        try:
            self._client.update_item(
                TableName=self.name,
                Key={KEY: key},
                UpdateExpression=f"REMOVE {OWNER} ADD leaseCounter :one",
                ConditionExpression=f"{OWNER} = :worker",
                ExpressionAttributeValues={":one": {"N": "1"}, ":worker": {"S": worker}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:  # somebody has it by now
            return False
        return True

    def _make(self) -> bool:
        """Make the table if there is none; return whether there was one."""
        try:
            table = self._client.describe_table(TableName=self.name)["Table"]
        except self._client.exceptions.ResourceNotFoundException:
            with suppress(self._client.exceptions.ResourceInUseException):  # another worker is starting
                self._client.create_table(
                    TableName=self.name,
                    KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            self._client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=_WAIT)
            return False
        keys = [each["AttributeName"] for each in table["KeySchema"]]
        if keys != [KEY]:
            raise ConfigurationError(
                f"the table {self.name!r} is no lease table: its key is {' and '.join(keys)}, and a lease "
                f"table's is {KEY}; choose another name with --leases"
            )
        return True

    def _may_write(self) -> None:
        """Try an update that changes nothing. Raises ClientError if it is not allowed."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self.name,
                Key={KEY: {"S": "-"}},
                UpdateExpression=f"REMOVE {OWNER}",
                ConditionExpression=f"attribute_exists({KEY})",
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise ConfigurationError for an error of the SDK."""
        try:
            yield
        except ClientError as error:
            detail = error.response.get("Error", {})
            said = detail.get("Message") or detail.get("Code") or str(error)
            denied = detail.get("Code") == "AccessDeniedException"
            advice = f". A worker needs {', '.join(ACTIONS)} and UpdateTable on it" if denied else ""
            raise ConfigurationError(
                f"the lease table {self.name!r} cannot be used: {said}{advice}"
            ) from error
        except BotoCoreError as error:
            what = explain(error, "dynamodb")
            raise ConfigurationError(f"the lease table {self.name!r} cannot be used: {what}") from error


BEHIND_ALL = 2**31 - 1
"""A sub-sequence number that no KPL record reaches: a checkpoint at it is behind the whole record."""


def first_leases(
    shards: Collection[Shard], checkpoints: Mapping[str, Checkpoint], since: float | None
) -> Iterator[dict[str, Any]]:
    """Yield an item of the lease table for each shard still to be read, from where `consume` has come to.

    Without them the KCL makes its own: each worker waits for up to half a minute whether another does so, and
    all begin with the oldest record, also in a store into which `consume` has read.

    Args:
        shards: those of the stream.
        checkpoints: by shard, how far they have been read into the store.
        since: where to begin a shard without one: see `Fleet`.
    """
    ended = {shard for shard, checkpoint in checkpoints.items() if checkpoint.ended}
    listed = {shard.id for shard in shards}
    for shard in shards:
        if shard.id in ended:
            continue
        known = checkpoints.get(shard.id)
        if known is not None and known.after is not None:
            checkpoint, last = known.after, BEHIND_ALL
        else:
            checkpoint, last = "TRIM_HORIZON" if since is None or known else "AT_TIMESTAMP", 0
        item: dict[str, Any] = {
            "leaseKey": {"S": shard.id},
            "entityType": {"S": "LEASE"},
            "checkpoint": {"S": checkpoint},
            "checkpointSubSequenceNumber": {"N": str(last)},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
        }
        if parents := [each for each in shard.parents if each in listed and each not in ended]:
            item["parentShardId"] = {"SS": parents}
        yield item
