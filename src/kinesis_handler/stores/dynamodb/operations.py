"""The operations that a batch needs, each with the shape of its answer. Pure.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from kinesis_handler.stores.dynamodb.answer import Meaning, Problem, StatementError
from kinesis_handler.stores.dynamodb.attributes import Item

Answer = TypeVar("Answer")


class Operation(Generic[Answer]):
    """An operation by DynamoDB's name, and the type that its answer is decoded into."""

    def __init__(self, name: str, answer: type[Answer]) -> None:
        self.name = name
        self._decode = msgspec.json.Decoder(answer).decode

    def decode(self, content: bytes) -> Answer | Problem:
        """Return an answer, or the problem of one that is not whole."""
        try:
            return self._decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Problem(Meaning.UNSURE, "IncompleteAnswer", str(error))


class Keys(Struct):
    """Keys of a table that were not read."""

    keys: list[Item] = field(name="Keys")


class Read(Struct):
    """The items that were found, by table, and the keys that were not read."""

    responses: dict[str, list[Raw]] = field(name="Responses")
    unprocessed: dict[str, Keys] = field(name="UnprocessedKeys", default_factory=dict)


class StatementAnswer(Struct):
    """The answer to one statement of a batch."""

    error: StatementError | None = field(name="Error", default=None)


class Executed(Struct):
    """The answers to the statements of a batch, in their order."""

    responses: list[StatementAnswer] = field(name="Responses")


class Found(Struct):
    """A page of items, and the key of the last one if there may be more behind it."""

    items: list[Raw] = field(name="Items")
    last_key: Item | None = field(name="LastEvaluatedKey", default=None)


class Written(Struct):
    """The writes that were not done, by table."""

    unprocessed: dict[str, list[Any]] = field(name="UnprocessedItems")


BATCH_GET_ITEM = Operation("BatchGetItem", Read)
BATCH_EXECUTE_STATEMENT = Operation("BatchExecuteStatement", Executed)
BATCH_WRITE_ITEM = Operation("BatchWriteItem", Written)
QUERY = Operation("Query", Found)
SCAN = Operation("Scan", Found)
