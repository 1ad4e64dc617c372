"""An aggregate as an item of DynamoDB, and back. Pure.

The fields of the state are attributes beside those of the engine, so that people can read them in the table,
and an update can set one without the others:

    userId  limitId | version  updatedAt  recentEventIds  decimals  expiresAt … | value  progress  status …
    the key         | what the engine needs                                     | the state

An aggregate that is vacant has none of the last, and `vacant: true`.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConfigurationError, UnreadableError, UnstorableError
from kinesis_handler.ingest.schema import CODEC_ERRORS, not_readable_again
from kinesis_handler.results import classes_of
from kinesis_handler.stores.dynamodb.attributes import (
    DECIMALS,
    EXPIRES_AT,
    VACANT,
    AttributeValue,
    Item,
    decode_item,
    to_python,
)
from kinesis_handler.stores.dynamodb.trailing_zeros import lost_decimals, with_decimals
from kinesis_handler.stores.dynamodb.typed_items import TypedItems
from kinesis_handler.stores.state_type import check_state_type, name_of
from kinesis_handler.stores.unreadable import unreadable
from kinesis_handler.stores.upgrade import Upgrade, check_upgrade, reading_upgraded, upgraded

State = TypeVar("State")

_ENGINE = {each.encode_name: each for each in fields(Aggregate) if each.name not in {"key", "state"}}
_NULL_BY_DEFAULT = {name for name, each in _ENGINE.items() if each.default is None}
"""Attributes of the engine that come back from nothing: their defaults do not change."""

_RESERVED = {*_ENGINE, EXPIRES_AT, DECIMALS, VACANT}


class ItemCodec(Generic[State]):
    """Turns aggregates into the attributes of items, and items into aggregates.

    Args:
        state_type: of the states, a msgspec.Struct.
        partition_key: name of the attribute with the key's first part.
        sort_key: name of the attribute with its second part.
        table: the table's name, for errors.
        upgrade: turns a state of an older shape into one that can be read.

    Raises ConfigurationError if the state is no Struct whose fields have names, if it leaves out defaults, if
    msgspec cannot write it and read it again, or if names of attributes collide.
    """

    def __init__(
        self,
        state_type: type[State],
        partition_key: str,
        sort_key: str,
        table: str = "",
        upgrade: Upgrade | None = None,
    ) -> None:
        state_fields = {each.encode_name: each for each in fields(_checked(state_type))}
        check_state_type(state_type)
        named = state_fields.keys() | _tag_of(state_type)
        for name in sorted(named & {partition_key, sort_key}):
            each = state_fields.get(name)
            if (
                each is None
                or not each.required
                or not all(issubclass(c, str) for c in classes_of(each.type))
            ):
                raise ConfigurationError(
                    f"the field {name} of {state_type.__name__} has the name of a key, so it has to say "
                    "what the key says: make it a str without a default, or rename it or the key"
                )
        taken = ({partition_key, sort_key} | named) & _RESERVED
        if taken or partition_key == sort_key:
            names = ", ".join(sorted(taken)) or partition_key
            raise ConfigurationError(f"two attributes of one name: {names}. Rename the key or the field")
        self.partition_key = partition_key
        self.sort_key = sort_key
        self._state_names = named
        self._state_name = state_type.__name__
        self._state_type = state_type
        self._table = table
        check_upgrade(upgrade, self._state_name)
        self._upgrade = upgrade
        self._typed = TypedItems(state_type, partition_key, sort_key)
        self._type = Aggregate[state_type | None]  # type: ignore[valid-type]
        # What an item of this type may lack. It has all of the state, but for a field that is UNSET: what it
        # left to a default would change with the default.
        self._optional = {EXPIRES_AT, DECIMALS, VACANT, *_NULL_BY_DEFAULT, *self._state_names} - {
            partition_key,
            sort_key,
        }

    def key(self, key: Key) -> dict[str, AttributeValue]:
        """Return the attributes that an item is found by."""
        return {self.partition_key: {"S": key[0]}, self.sort_key: {"S": key[1]}}

    def key_attributes(self, key: Key) -> dict[str, str]:
        """Return the same attributes, their values as Python has them."""
        return {self.partition_key: key[0], self.sort_key: key[1]}

    def key_of(self, item: Item) -> Key:
        """Return the key of an item."""
        return item[self.partition_key]["S"], item[self.sort_key]["S"]

    def attributes(self, aggregate: Aggregate[State | None]) -> dict[str, Any]:
        """Return the attributes beside the key, by name, their values as Python has them.

        Raises UnstorableError if they could not be read again.
        """
        try:
            row: dict[str, Any] = msgspec.to_builtins(aggregate, builtin_types=(Decimal,), str_keys=True)
            key, state = row.pop("key"), row.pop("state")
            if state is None:
                return {**row, VACANT: True}
            msgspec.convert(state, self._state_type, str_keys=True)
        except CODEC_ERRORS as error:
            raise not_readable_again(error, self._state_name) from error
        for name, part in zip((self.partition_key, self.sort_key), key, strict=True):
            if state.pop(name, part) != part:
                raise UnstorableError(f"the field {name} of the state is not what the key says")
        row |= state
        if (lost := lost_decimals(state)) is not None:
            row[DECIMALS] = lost
        return row

    @property
    def names(self) -> set[str]:
        """The names of all attributes that an item may have beside its key."""
        return (_RESERVED | self._state_names) - {self.partition_key, self.sort_key}

    def absent(self, attributes: Collection[str]) -> set[str]:
        """Return the names of attributes that an item may have, and one with these has not."""
        return self._optional.difference(attributes)

    def stored_attributes(self, item: Item) -> dict[str, Any]:
        """Return the attributes of an item beside the key, whatever they are."""
        key_names = {self.partition_key, self.sort_key}
        return {name: to_python(value) for name, value in item.items() if name not in key_names}

    def read(self, encoded: Raw, now: float) -> Aggregate[State | None] | None:
        """Return the aggregate of an item, or None if it has expired.

        Args:
            encoded: the item in JSON, as it is on the wire.
            now: seconds since epoch.

        Raises UnreadableError if it is none of this type.
        """
        if (decoded := self._typed.decode(encoded)) is not None:
            aggregate, expires_at = decoded
            return aggregate if expires_at > now else None
        item = decode_item(encoded)
        return None if self.has_expired(item, now) else self.aggregate(item)

    def has_expired(self, item: Item, now: float) -> bool:
        """Tell whether an item has expired: DynamoDB removes it some time after that.

        Raises UnreadableError if its expiry is no number.
        """
        if EXPIRES_AT not in item:
            return False
        if "N" not in item[EXPIRES_AT]:
            raise self._unreadable(item, f"its {EXPIRES_AT} is no number")
        return bool(to_python(item[EXPIRES_AT]) <= now)

    def aggregate(self, item: Item) -> Aggregate[State | None]:
        """Return the aggregate of an item.

        Raises UnreadableError if it is none of this type.
        """
        try:
            row = {name: to_python(value) for name, value in item.items()}
            if VACANT in row:
                return self._converted(item, row, None)
            named = {name: value for name, value in row.items() if name in self._state_names}
            try:
                return self._converted(item, row, with_decimals(named, row.get(DECIMALS)))
            except msgspec.ValidationError:
                if self._upgrade is None:
                    raise
                return self._upgraded(item, row, self._upgrade)
        except Exception as error:  # a state's own check may raise anything
            ours = isinstance(error, msgspec.MsgspecError | TypeError | ValueError | ArithmeticError)
            raise self._unreadable(item, error if ours else type(error).__name__) from error

    def _converted(self, item: Item, row: Mapping[str, Any], state: Any) -> Aggregate[State | None]:
        aggregate: Aggregate[State | None] = msgspec.convert(
            {**row, "key": self.key_of(item), "state": state}, self._type, str_keys=True
        )
        return aggregate

    def _upgraded(self, item: Item, row: Mapping[str, Any], upgrade: Upgrade) -> Aggregate[State | None]:
        """Return the aggregate of an item whose state has an older shape; its next update removes the rest.

        All attributes that are not the engine's are the state's: those of an older type have other names.
        """
        others = _RESERVED | ({self.partition_key, self.sort_key} - self._state_names)
        stored = {name: value for name, value in row.items() if name not in others}
        older = stored.keys() - {self.partition_key, self.sort_key}
        state = upgraded(upgrade, with_decimals(stored, row.get(DECIMALS)))
        with reading_upgraded():
            aggregate = self._converted(item, row, state)
        self._optional |= older
        return aggregate

    def _unreadable(self, item: Item, why: object) -> UnreadableError:
        return unreadable(self.key_of(item), f"table {self._table!r}", self._state_name, why)


def _checked(state_type: Any) -> type[Struct]:
    """Return the type of a state if its fields can be attributes; else raise ConfigurationError."""
    if not (isinstance(state_type, type) and issubclass(state_type, Struct)):
        problem = "is none"
    elif state_type.__struct_config__.array_like:
        problem = "is array_like: its fields have no names to be attributes by"
    else:
        return state_type
    raise ConfigurationError(
        f"a state kept in DynamoDB is a msgspec.Struct with named fields; {name_of(state_type)} {problem}"
    )


def _tag_of(state_type: type[Any]) -> set[str]:
    """Return the name of the attribute by which a tagged Struct says which one it is."""
    tag: str | None = state_type.__struct_config__.tag_field
    return set() if tag is None else {tag}
