"""The table itself: is it there and as it must be; and for development, how it is made and removed."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.repository.dynamodb.answer import problem_of_answer, problem_of_request
from kinesis_handler.repository.dynamodb.item import EXPIRES_AT, MAX_SORT_KEY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import WaiterConfigTypeDef

_WAIT: "WaiterConfigTypeDef" = {"Delay": 1, "MaxAttempts": 120}
"""Seconds between two looks at a table that is being made or removed, and how many."""

_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_ENDPOINT = "is the region right, and AWS_ENDPOINT_URL_DYNAMODB if it is set? Does a VPC let it through?"
_UNREACHABLE = (EndpointConnectionError, ConnectTimeoutError)


class DynamoDBTable:
    """A table that aggregates are kept in: on demand, two keys that are strings, TTL on `expiresAt`.

    Args:
        client: botocore's: see `dynamodb_client`.
        name: of the table.
        partition_key: name of its partition key.
        sort_key: name of its sort key.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        partition_key: str,
        sort_key: str,
    ) -> None:
        self.name = name
        self._client = client
        self._keys = (partition_key, sort_key)

    def check(self) -> None:
        """Read a key that does not exist, as cheaply as can be: can the table be used?

        It takes no other permission than reading does. A table that is merely slow passes.

        Raises ConfigurationError that says what to do if the table is missing, has other keys, may not be
        read, or does not answer at all.
        """
        partition_key, sort_key = self._keys
        # Longer than a sort key may be: were they the other way round, it would be refused.
        probe = {partition_key: {"S": "-" * (MAX_SORT_KEY + 1)}, sort_key: {"S": "-"}}
        try:
            answer = self._client.batch_get_item(RequestItems={self.name: {"Keys": [probe]}})
            if problem := problem_of_answer("batch_get_item", answer):
                raise ConfigurationError(f"{self._place()} is no DynamoDB table: {problem}")
        except (ClientError, BotoCoreError) as error:
            if not problem_of_request(error).may_pass or isinstance(error, _UNREACHABLE):
                raise self._error(error) from error

    def create(self, *, deletion_protection: bool = False) -> None:
        """Make the table, and wait until it can be used.

        Raises ConfigurationError if there is one of this name, or it may not be made.
        """
        partition_key, sort_key = self._keys
        try:
            self._client.create_table(
                TableName=self.name,
                KeySchema=[
                    {"AttributeName": partition_key, "KeyType": "HASH"},
                    {"AttributeName": sort_key, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in self._keys],
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=deletion_protection,
            )
            self._client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=_WAIT)
            self._client.update_time_to_live(
                TableName=self.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT},
            )
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error

    def exists(self) -> bool:
        """Tell whether there is a table of this name. Raises ConfigurationError if that may not be asked."""
        try:
            self._client.describe_table(TableName=self.name)
        except (ClientError, BotoCoreError) as error:
            if problem_of_request(error).code == "ResourceNotFoundException":
                return False
            raise self._error(error) from error
        return True

    def describe(self) -> dict[str, object]:
        """Return what the table is like: status, keys, billing, protection, time to live, size.

        Raises ConfigurationError if there is none of this name, or it may not be described.
        """
        try:
            table = self._client.describe_table(TableName=self.name)["Table"]
            ttl = self._client.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error
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
            self._client.delete_table(TableName=self.name)
            self._client.get_waiter("table_not_exists").wait(TableName=self.name, WaiterConfig=_WAIT)
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error

    def _place(self) -> str:
        meta = self._client.meta
        return f"the DynamoDB table {self.name!r} in {meta.region_name} ({meta.endpoint_url})"

    def _error(self, error: ClientError | BotoCoreError) -> ConfigurationError:
        """Say what is wrong, where, and what to do."""
        problem = problem_of_request(error)
        table = self._place()
        match problem.code:
            case "ResourceNotFoundException":
                text = f"{table} does not exist; `kinesis-handler table create` makes it"
            case "ResourceInUseException":
                text = f"{table} is there already, or is just being made or removed"
            case "ValidationException" if "protect" in problem.detail:
                text = f"{table} is protected against deletion: end that first"
            case "ValidationException":
                keys = " and ".join(self._keys)
                text = f"{table} cannot be used: {problem.detail}. Its keys must be {keys}, both strings"
            case "AccessDeniedException":
                text = f"{table} may not be used: {problem.detail}"
            case "NoCredentialsError" | "PartialCredentialsError":
                text = f"{table} needs credentials, and none were found: {_CREDENTIALS}"
            case "EndpointConnectionError" | "ConnectTimeoutError":
                text = f"{table} does not answer: {_ENDPOINT}"
            case _:
                text = f"{table} cannot be used: {problem}"
        return ConfigurationError(text)
