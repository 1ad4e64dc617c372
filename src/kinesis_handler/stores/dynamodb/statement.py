"""The conditional writes, as PartiQL statements. Pure.

A statement is what `BatchExecuteStatement` takes 25 of. Each is written or not by itself:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.stores import Change
from kinesis_handler.stores.dynamodb.item import (
    EXPIRES_AT,
    PARKED,
    VACANT,
    VERSION,
    Item,
    ItemCodec,
    to_attribute,
)
from kinesis_handler.stores.dynamodb.size import check_size
from kinesis_handler.stores.expiry import Expiry

State = TypeVar("State")

Statement = dict[str, Any]
"""`{"Statement": text, "Parameters": [attribute values]}`"""


_AS_LOADED = f'"{VERSION}"=? AND ("{EXPIRES_AT}" IS MISSING OR "{EXPIRES_AT}" > ?)'
_NOT_PARKED, _AS_PARKED = f' AND "{PARKED}" IS MISSING', f' AND "{PARKED}"=?'
_AS_READ = f'"{EXPIRES_AT}"=?'
"""Enough for an item that has expired: every writer changes that."""


class Statements(Generic[State]):
    """Makes the statements of one save.

    Args:
        table: name of the table.
        codec: of its items.
        now: seconds since epoch.
        expiry: of what is written.
    """

    def __init__(self, table: str, codec: ItemCodec[State], *, now: float, expiry: Expiry) -> None:
        self._table = table
        self._codec = codec
        self._now = now
        self._expiry = expiry

    def write(self, change: Change[State]) -> Statement:
        """Write a change, if its key is still as it was loaded.

        Raises UnstorableError if the item would be too large.
        """
        after = self._attributes(change.after)
        if change.before is None:
            return self._insert(change.key, after)
        gone = self._codec.absent(after)
        if change.before.state is not None:
            gone.discard(VACANT)
        condition, operands = _AS_LOADED + _NOT_PARKED, [change.before.version, self._now]
        if change.before.parked is None:
            gone.discard(PARKED)
        else:
            condition = _AS_LOADED + _AS_PARKED
            operands.append(msgspec.to_builtins(change.before.parked))
        return self._update(change.key, after, gone, condition, operands)

    def replace(self, expired: Item, after: Aggregate[State | None]) -> Statement:
        """Make an expired item the one of a new aggregate, if it is still the one that was read.

        Raises UnstorableError if the item would be too large.
        """
        before, attributes = self._codec.stored_attributes(expired), self._attributes(after)
        gone = before.keys() - attributes.keys()
        return self._update(after.key, attributes, gone, _AS_READ, [before[EXPIRES_AT]])

    def _attributes(self, aggregate: Aggregate[State | None]) -> dict[str, Any]:
        attributes = self._codec.attributes(aggregate)
        seconds = self._expiry.seconds(aggregate)
        if seconds:
            attributes[EXPIRES_AT] = math.ceil(self._now) + seconds
        check_size({**self._codec.key_attributes(aggregate.key), **attributes})
        return attributes

    def check(self, aggregate: Aggregate[State | None]) -> None:
        """See that an aggregate is not too large. Raises UnstorableError if it is."""
        self._attributes(aggregate)

    def _insert(self, key: Key, attributes: Mapping[str, Any]) -> Statement:
        key_attributes = self._codec.key(key)
        names = ", ".join(f"'{name}': ?" for name in [*key_attributes, *attributes])
        return {
            "Statement": f'INSERT INTO "{self._table}" VALUE {{{names}}}',
            "Parameters": [*key_attributes.values(), *map(to_attribute, attributes.values())],
        }

    def _update(
        self,
        key: Key,
        attributes: Mapping[str, Any],
        gone: Collection[str],
        condition: str,
        operands: Sequence[Any],
    ) -> Statement:
        """Set all attributes, and remove those that are gone, on a condition.

        It costs no more than to set what differs, and what was loaded does not say what is stored: a field
        that came to the type later has its default there, and the item has nothing.
        """
        key_attributes = self._codec.key(key)
        sets = "".join(f' SET "{name}"=?' for name in attributes)
        removes = "".join(f' REMOVE "{name}"' for name in sorted(gone))
        where = " AND ".join([*(f'"{name}"=?' for name in key_attributes), condition])
        return {
            "Statement": f'UPDATE "{self._table}"{sets}{removes} WHERE {where}',
            "Parameters": [
                *map(to_attribute, attributes.values()),
                *key_attributes.values(),
                *map(to_attribute, operands),
            ],
        }
