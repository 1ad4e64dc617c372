"""An aggregate as an item of DynamoDB, and back. Pure.

The fields of the state are attributes beside those of the engine, so that whoever looks at the table can read
them, and an update can set one without the others:

    userId  limitId | version  updatedAt  recentEventIds  decimals  expiresAt … | value  progress  status …
    the key         | what the engine needs                                     | the state

Source of the types and their limits:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConfigurationError, UnreadableStateError
from kinesis_handler.repository.dynamodb.zeros import lost_decimals, with_decimals

State = TypeVar("State")

AttributeValue = Mapping[str, Any]
"""A value with its type, as it is on the wire: `{"S": "text"}`, `{"N": "12.50"}`, `{"L": […]}`."""

Item = Mapping[str, AttributeValue]

VERSION = "version"
EXPIRES_AT = "expiresAt"
DECIMALS = "decimals"

MAX_PARTITION_KEY = 2_048
MAX_SORT_KEY = 1_024

_ENGINE = {each.encode_name: each for each in fields(Aggregate) if each.name not in {"key", "state"}}


class ItemCodec(Generic[State]):
    """Turns aggregates into the attributes of items, and items into aggregates.

    Args:
        state_type: of the states, a msgspec.Struct.
        partition_key: name of the attribute with the key's first part.
        sort_key: name of the attribute with its second part.

    Raises ConfigurationError if the state is no Struct, or names of attributes collide.
    """

    def __init__(self, state_type: type[State], partition_key: str, sort_key: str) -> None:
        if not issubclass(state_type, Struct):
            raise ConfigurationError(f"a state kept in DynamoDB is a msgspec.Struct; {state_type!r} is none")
        state_fields = {each.encode_name: each for each in fields(state_type)}
        taken = ({partition_key, sort_key} | state_fields.keys()) & {*_ENGINE, EXPIRES_AT, DECIMALS}
        if taken or partition_key == sort_key:
            names = ", ".join(sorted(taken)) or partition_key
            raise ConfigurationError(f"two attributes of one name: {names}. Rename the key or the field")
        self.partition_key = partition_key
        self.sort_key = sort_key
        self._state_names = state_fields.keys()
        self._state_name = state_type.__name__
        self._type = Aggregate[state_type]  # type: ignore[valid-type]
        # These come back from nothing: where they are null, the item need not say so.
        self._null_by_default = {
            name for name, each in {**_ENGINE, **state_fields}.items() if each.default is None
        }

    def key(self, key: Key) -> dict[str, AttributeValue]:
        """Return the attributes that an item is found by."""
        return {self.partition_key: {"S": key[0]}, self.sort_key: {"S": key[1]}}

    def key_of(self, item: Item) -> Key:
        """Return the key of an item."""
        return item[self.partition_key]["S"], item[self.sort_key]["S"]

    def attributes(self, aggregate: Aggregate[State]) -> dict[str, Any]:
        """Return the attributes beside the key, by name, their values as Python has them."""
        row: dict[str, Any] = msgspec.to_builtins(aggregate, builtin_types=(Decimal,), str_keys=True)
        key, state = row.pop("key"), row.pop("state")
        for name, part in zip((self.partition_key, self.sort_key), key, strict=True):
            if state.pop(name, part) != part:
                raise ValueError(f"the field {name} of the state is not what the key says")
        row |= state
        nulls = [name for name, value in row.items() if value is None and name in self._null_by_default]
        for name in nulls:
            del row[name]
        if (lost := lost_decimals(state)) is not None:
            row[DECIMALS] = lost
        return row

    def stored_attributes(self, item: Item) -> dict[str, Any]:
        """Return the attributes of an item beside the key, whatever they are."""
        key_names = {self.partition_key, self.sort_key}
        return {name: to_python(value) for name, value in item.items() if name not in key_names}

    def has_expired(self, item: Item, now: float) -> bool:
        """Tell whether an item has expired: DynamoDB removes it some time after that.

        Raises UnreadableStateError if its expiry is no number.
        """
        if EXPIRES_AT not in item:
            return False
        if "N" not in item[EXPIRES_AT]:
            raise UnreadableStateError(
                f"what is stored is no {self._state_name}: its {EXPIRES_AT} is no number"
            )
        return bool(to_python(item[EXPIRES_AT]) <= now)

    def aggregate(self, item: Item) -> Aggregate[State]:
        """Return the aggregate of an item.

        Raises UnreadableStateError if it is none of this type.
        """
        row = {name: to_python(value) for name, value in item.items()}
        state = {name: value for name, value in row.items() if name in self._state_names}
        try:
            aggregate: Aggregate[State] = msgspec.convert(
                {
                    **row,
                    "key": (row[self.partition_key], row[self.sort_key]),
                    "state": with_decimals(state, row.get(DECIMALS)),
                },
                self._type,
                str_keys=True,
            )
        except (msgspec.ValidationError, TypeError, ValueError, ArithmeticError) as error:
            raise UnreadableStateError(f"what is stored is no {self._state_name}: {error}") from error
        return aggregate


def key_problem(key: Key) -> str | None:
    """Say why DynamoDB takes no such key, if it does not."""
    for part, name, limit in zip(key, ("partition", "sort"), (MAX_PARTITION_KEY, MAX_SORT_KEY), strict=True):
        if not 0 < (size := len(part.encode())) <= limit:
            return f"the {name} key has {size:,} bytes; DynamoDB takes from 1 to {limit:,}"
    return None


def to_attribute(value: Any) -> AttributeValue:
    """Return a value, as `msgspec.to_builtins` leaves it, with its DynamoDB type."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case list() | tuple():
            return {"L": [to_attribute(each) for each in value]}
        case dict():
            return {"M": {name: to_attribute(each) for name, each in value.items()}}
    raise TypeError(f"{type(value).__name__} has no DynamoDB type")


def to_python(attribute: AttributeValue) -> Any:
    """Return the value of an attribute: whole numbers as int, all others as Decimal, exact."""
    [(kind, value)] = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value) if value.lstrip("-").isdigit() else Decimal(value)
        case "NULL":
            return None
        case "L":
            return [to_python(each) for each in value]
        case "M":
            return {name: to_python(each) for name, each in value.items()}
    return value  # binary and sets: nothing here writes them, another program may
