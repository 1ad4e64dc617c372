"""Tables in DynamoDB Local, a new one for each repository."""

from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from kinesis_handler.stores.dynamodb import Connection, DynamoDBRepository, DynamoDBTable, dynamodb_connection

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

State = TypeVar("State")

PARTITION_KEY, SORT_KEY = "userId", "limitId"


class Tables:
    """Creates tables at an endpoint of DynamoDB."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.connection = dynamodb_connection(endpoint=endpoint)
        self._numbers = count(1)

    @property
    def client(self) -> "DynamoDBClient":
        """The client of botocore."""
        return self.connection.client

    def table(self, connection: Connection | None = None) -> DynamoDBTable:
        """Create a table with a unique name."""
        table = DynamoDBTable(
            connection or self.connection,
            f"Table-{next(self._numbers)}",
            partition_key=PARTITION_KEY,
            sort_key=SORT_KEY,
        )
        table.create()
        return table

    def repository(
        self, state_type: type[State], connection: Connection | None = None, **options: Any
    ) -> DynamoDBRepository[State]:
        """Create a repository in a table of its own."""
        name = self.table().name
        return DynamoDBRepository(
            connection or self.connection,
            name,
            state_type,
            partition_key=PARTITION_KEY,
            sort_key=SORT_KEY,
            **options,
        )
