"""What DynamoDB would bill: requests, read and write units, and the sizes of items.

DynamoDB Local reports the units of every operation except PartiQL's, which the handler writes by. Therefore
writes are measured afterwards: each item is read back and put, by an operation that does report units, into a
second table with the same previous item. A write costs the larger of the two sizes, whichever operation does
it. A key that BatchGetItem does not find costs a unit too, which DynamoDB Local leaves out and is added here.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.dynamodb import Connection, DynamoDBRepository
from testkit.emulators.wire import Answer, Call
from user_limits.limit import Limit

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_dynamodb import DynamoDBClient

PARTITION_KEY, SORT_KEY = "userId", "limitId"

_READS = {"GetItem", "BatchGetItem"}
_PUTS_PER_REQUEST = 25


@dataclass
class Bill:
    """Requests of a client, and what they would cost."""

    requests: float
    reads: float
    writes: float

    def __sub__(self, other: "Bill") -> "Bill":
        return Bill(self.requests - other.requests, self.reads - other.reads, self.writes - other.writes)

    def times(self, factor: float) -> "Bill":
        return Bill(self.requests * factor, self.reads * factor, self.writes * factor)


class Meter:
    """Listens to what is sent, and has it answered at more length: do not use it where time is measured."""

    def __init__(self) -> None:
        # Lists, because threads can append to them concurrently.
        self._sent: list[str] = []
        self._units: list[tuple[str, float]] = []
        self._absent: list[int] = []

    def meet(self, call: Call) -> Answer:
        """Count a request of the handler's, and what its answer reports."""
        self._sent.append(call.operation)
        units = {} if call.operation == "BatchExecuteStatement" else {"ReturnConsumedCapacity": "TOTAL"}
        answer = call.send(call.body | units)
        self.add(call.operation, answer)
        if call.operation == "BatchGetItem":
            [asked], [found] = call.body["RequestItems"].values(), answer["Responses"].values()
            self._absent.append(len(asked["Keys"]) - len(found))
        return answer

    def listen(self, client: "DynamoDBClient") -> None:
        events = client.meta.events
        events.register("before-send.dynamodb", self._on_request)
        events.register("before-parameter-build.dynamodb", self._ask_for_units)
        events.register("after-call.dynamodb", self._on_answer)

    def add(self, operation: str, answer: Mapping[str, Any]) -> None:
        """Add the units that an answer reports."""
        consumed = answer.get("ConsumedCapacity", [])
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self._units.append((operation, each.get("CapacityUnits", 0)))

    def bill(self) -> Bill:
        reads = sum(units for operation, units in self._units if operation in _READS)
        writes = sum(units for operation, units in self._units if operation not in _READS)
        return Bill(len(self._sent), reads + sum(self._absent), writes)

    def _on_request(self, *, event_name: str, **_: object) -> None:
        self._sent.append(event_name)

    def _ask_for_units(self, *, params: dict[str, Any], model: "OperationModel", **_: object) -> None:
        if model.input_shape and "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def _on_answer(self, *, parsed: Mapping[str, Any], model: "OperationModel", **_: object) -> None:
        self.add(model.name, parsed)


class WeighedRepository(DynamoDBRepository[Limit]):
    """Reports the cost of each write to a meter.

    Args:
        connection: the handler's.
        table: the table's name.
        meter: receives the units.
        weigher: a connection without a meter.
        scale: name of an empty table with the same keys.
    """

    def __init__(
        self, connection: Connection, table: str, meter: Meter, weigher: Connection, scale: str
    ) -> None:
        super().__init__(connection, table, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY)
        self._read_from = table
        self._meter = meter
        self._weigher = weigher.client
        self._scale = scale

    def save(self, changes: Sequence[Change[Limit]]) -> Saved:
        saved = super().save(changes)
        if saved.conflicts or saved.failed:
            sys.exit(f"{len(saved.conflicts) + len(saved.failed)} writes were not done: nothing was measured")
        for start in range(0, len(changes), _PUTS_PER_REQUEST):
            self._weigh(changes[start : start + _PUTS_PER_REQUEST])
        return saved

    def _weigh(self, changes: Sequence[Change[Limit]]) -> None:
        keys = [{PARTITION_KEY: {"S": each.key[0]}, SORT_KEY: {"S": each.key[1]}} for each in changes]
        answer = self._weigher.batch_get_item(
            RequestItems={self._read_from: {"Keys": keys, "ConsistentRead": True}}
        )
        puts: Any = [{"PutRequest": {"Item": item}} for item in answer["Responses"][self._read_from]]
        weighed = self._weigher.batch_write_item(
            RequestItems={self._scale: puts}, ReturnConsumedCapacity="TOTAL"
        )
        self._meter.add("BatchWriteItem", weighed)


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size of an item as DynamoDB counts it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(attribute: Mapping[str, Any]) -> int:
    [(kind, value)] = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            digits = Decimal(value).normalize().as_tuple().digits
            return (len(digits) + 1) // 2 + 1
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in value)
        case "M":
            return 3 + len(value) + item_bytes(value)
    return 1
