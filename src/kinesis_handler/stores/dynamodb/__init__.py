"""The repository in a DynamoDB table: a table, a connection, and the repository itself."""

from kinesis_handler.stores.dynamodb.connection import Connection, dynamodb_connection
from kinesis_handler.stores.dynamodb.repository import DynamoDBRepository
from kinesis_handler.stores.dynamodb.table import DynamoDBTable

__all__ = ["Connection", "DynamoDBRepository", "DynamoDBTable", "dynamodb_connection"]
