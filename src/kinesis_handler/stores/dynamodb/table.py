"""The table itself: is it there and as it must be; and for development, how it is made and removed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from kinesis_handler.aws import explain
from kinesis_handler.errors import ConfigurationError, StoreUnavailableError
from kinesis_handler.retry import Backoff
from kinesis_handler.storable import MAX_SORT_KEY
from kinesis_handler.stores.dynamodb.answer import Meaning, Problem, problem_of_exception
from kinesis_handler.stores.dynamodb.attributes import EXPIRES_AT
from kinesis_handler.stores.dynamodb.connection import SERVICE, Connection
from kinesis_handler.stores.dynamodb.operations import BATCH_GET_ITEM

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import WaiterConfigTypeDef

_WAIT: "WaiterConfigTypeDef" = {"Delay": 1, "MaxAttempts": 120}
"""Seconds between two looks at a table that is being made or removed, and how many."""

T = TypeVar("T")

_UNREACHABLE = (EndpointConnectionError, ConnectTimeoutError)


class DynamoDBTable:
    """A table for aggregates: on demand, two keys that are strings, TTL on `expiresAt`.

    Args:
        connection: see `dynamodb_connection`.
        name: of the table.
        partition_key: name of its partition key.
        sort_key: name of its sort key.
        made_by: the command that makes it.
        named_by: the setting that names it, to stand before what is wrong with it.
        may_be_down: whether one that does not answer passes the check, for there is another store.
        make_backoff: how long a request for the table itself is repeated.
    """

    def __init__(  # noqa: PLR0913 - what it is, and how it is asked
        self,
        connection: Connection,
        name: str,
        *,
        partition_key: str,
        sort_key: str,
        made_by: str = "table create",
        named_by: str = "",
        may_be_down: bool = False,
        make_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self.name = name
        self.keys = (partition_key, sort_key)
        self.expires_by = EXPIRES_AT
        self._connection = connection
        self._made_by = made_by
        self._named_by = f"{named_by}: " if named_by else ""
        self._may_be_down = may_be_down
        self._make_patience = make_backoff

    def check(self) -> None:
        """Read a key that does not exist, as cheaply as can be: can the table be used?

        It takes no other permission than reading does. A table that is merely slow passes.

        Raises ConfigurationError that says what to do if the table is missing, has other keys, may not be
        read, or does not answer at all.
        """
        partition_key, sort_key = self.keys
        # Longer than a sort key may be: were they the other way round, it would be refused.
        probe = {partition_key: {"S": "-" * (MAX_SORT_KEY + 1)}, sort_key: {"S": "-"}}
        keys = {"RequestItems": {self.name: {"Keys": [probe]}}}
        answer = self._connection.post(BATCH_GET_ITEM.name, msgspec.json.encode(keys))
        if not isinstance(answer, Problem):
            if isinstance(problem := BATCH_GET_ITEM.decode(answer), Problem):
                raise ConfigurationError(f"{self._named_by}{self._place()} is no DynamoDB table: {problem}")
        elif not (self._may_be_down if _is_down(answer) else answer.may_pass):
            raise self._error(answer) from answer.error

    def create(self, *, deletion_protection: bool = False) -> None:
        """Make the table, and wait until it can be used.

        Raises ConfigurationError if there is one of this name, or it may not be made.
        """
        partition_key, sort_key = self.keys
        try:
            client = self._connection.client
            self._change(
                lambda: client.create_table(
                    TableName=self.name,
                    KeySchema=[
                        {"AttributeName": partition_key, "KeyType": "HASH"},
                        {"AttributeName": sort_key, "KeyType": "RANGE"},
                    ],
                    AttributeDefinitions=[
                        {"AttributeName": name, "AttributeType": "S"} for name in self.keys
                    ],
                    BillingMode="PAY_PER_REQUEST",
                    DeletionProtectionEnabled=deletion_protection,
                ),
                done="ResourceInUseException",
            )
            waiter = client.get_waiter("table_exists")
            self._insist(lambda: waiter.wait(TableName=self.name, WaiterConfig=_WAIT))
            self._change(
                lambda: client.update_time_to_live(
                    TableName=self.name,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": self.expires_by},
                ),
                done="ValidationException",
            )
        except (ClientError, BotoCoreError) as error:
            raise self._error(problem_of_exception(error)) from error

    def exists(self) -> bool:
        """Tell whether there is a table of this name. Raises ConfigurationError if that may not be asked."""
        try:
            self._insist(lambda: self._connection.client.describe_table(TableName=self.name))
        except (ClientError, BotoCoreError) as error:
            if problem_of_exception(error).code == "ResourceNotFoundException":
                return False
            raise self._error(problem_of_exception(error)) from error
        return True

    def describe(self) -> dict[str, object]:
        """Return what the table is like: status, keys, billing, protection, time to live, size.

        Raises ConfigurationError if there is none of this name, or it may not be described.
        """
        try:
            client = self._connection.client
            table = self._insist(lambda: client.describe_table(TableName=self.name)["Table"])
            described = self._insist(lambda: client.describe_time_to_live(TableName=self.name))
            ttl = described["TimeToLiveDescription"]
        except (ClientError, BotoCoreError) as error:
            raise self._error(problem_of_exception(error)) from error
        return {
            "name": self.name,
            "arn": table["TableArn"],
            "status": table["TableStatus"],
            "keys": [key["AttributeName"] for key in table["KeySchema"]],
            "billing": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "deletionProtection": table.get("DeletionProtectionEnabled", False),
            "timeToLive": ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") == "ENABLED" else None,
            "items": table["ItemCount"],
            "bytes": table["TableSizeBytes"],
        }

    def delete(self) -> None:
        """Remove the table with all that is in it, and wait until it is gone.

        Raises ConfigurationError if there is none of this name, or it is protected.
        """
        try:
            self._change(
                lambda: self._connection.client.delete_table(TableName=self.name),
                done="ResourceNotFoundException",
            )
            waiter = self._connection.client.get_waiter("table_not_exists")
            self._insist(lambda: waiter.wait(TableName=self.name, WaiterConfig=_WAIT))
        except (ClientError, BotoCoreError) as error:
            raise self._error(problem_of_exception(error)) from error

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer: a person who makes a table has more time than a batch of records."""
        backoff = self._make_patience()
        while True:
            try:
                return ask()
            except (ClientError, BotoCoreError) as error:
                problem = problem_of_exception(error)
                if not problem.may_pass or _is_down(problem) or not backoff.wait():
                    raise

    def _change(self, ask: Callable[[], object], done: str) -> None:
        """Insist on what can be done but once: after a lost answer, an error of code `done` says it is."""
        lost = False

        def once() -> None:
            nonlocal lost
            try:
                ask()
            except (ClientError, BotoCoreError) as error:
                problem = problem_of_exception(error)
                if not lost or problem.code != done:
                    lost = lost or problem.meaning is Meaning.UNSURE
                    raise

        self._insist(once)

    def _place(self) -> str:
        return f"the DynamoDB table {self.name!r} in {self._connection.region} ({self._connection.endpoint})"

    def _error(self, problem: Problem) -> ConfigurationError:
        """Say what is wrong, where, and what to do."""
        table = self._place()
        match problem.code:
            case "ResourceNotFoundException":
                text = f"{table} does not exist; `kinesis-handler {self._made_by}` makes it"
            case "ResourceInUseException":
                text = f"{table} is there already, or is just being made or removed"
            case "ValidationException" if "protect" in problem.detail:
                text = f"{table} is protected against deletion: end that first"
            case "ValidationException":
                keys = " and ".join(self.keys)
                text = f"{table} cannot be used: {problem.detail}. Its keys must be {keys}, both strings"
            case "AccessDeniedException":
                text = f"{table} may not be used: {problem.detail}"
            case _ if problem.error is not None:
                text = f"{table}: {explain(problem.error, SERVICE)}"
            case _:
                text = f"{table} cannot be used: {problem}"
        is_down = _is_down(problem) or problem.may_pass
        return (StoreUnavailableError if is_down else ConfigurationError)(self._named_by + text)


def _is_down(problem: Problem) -> bool:
    """Tell whether nothing answers at the endpoint."""
    return isinstance(problem.error, _UNREACHABLE)
