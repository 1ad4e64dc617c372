"""The repository in a DynamoDB table: a table, a client, and the repository itself."""

from kinesis_handler.stores.dynamodb.client import dynamodb_client
from kinesis_handler.stores.dynamodb.repository import DynamoDBRepository
from kinesis_handler.stores.dynamodb.table import DynamoDBTable

__all__ = ["DynamoDBRepository", "DynamoDBTable", "dynamodb_client"]
