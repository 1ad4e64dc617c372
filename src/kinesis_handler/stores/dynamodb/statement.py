"""The conditional writes, as PartiQL statements. Pure.

A statement is what `BatchExecuteStatement` takes 25 of. Each is written or not by itself:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Generic

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import fields

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import ConfigurationError, UnstorableError
from kinesis_handler.stores import Change, State
from kinesis_handler.stores.dynamodb.attributes import (
    EXPIRES_AT,
    PARKED,
    VACANT,
    VERSION,
    Item,
    to_attribute,
)
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.size import check_size
from kinesis_handler.stores.expiry import Expiry


class Statement(Struct, frozen=True, gc=False):
    """A statement, as `BatchExecuteStatement` takes it.

    Args:
        text: with a question mark for each parameter.
        parameters: attribute values, in JSON.
    """

    text: str = field(name="Statement")
    parameters: Raw = field(name="Parameters")


_AS_LOADED = f'"{VERSION}"=? AND ("{EXPIRES_AT}" IS MISSING OR "{EXPIRES_AT}" > ?)'
_NOT_PARKED, _AS_PARKED = f' AND "{PARKED}" IS MISSING', f' AND "{PARKED}"=?'
_AS_READ = f'"{EXPIRES_AT}"=?'
"""Enough for an item that has expired: every writer changes that."""


MAX_CHARACTERS = 8_192
"""Longest text of a statement.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html
"""


def check_names(table: str, state_type: type[Any], codec: ItemCodec[Any]) -> None:
    """See that a statement may name all attributes: with one that it may not, every event would be rejected.

    Raises ConfigurationError if a name cannot be in a statement, or if there are more than one can have.
    """
    keys, names = (codec.partition_key, codec.sort_key), codec.names
    if wrong := sorted(name for name in {*keys, *names} if not re.fullmatch("[^#:'][^']*", name)):
        raise ConfigurationError(
            f"{state_type.__name__} is stored with the attribute {wrong[0]!r}, which no statement can name; "
            "allowed: a name without ', that does not begin with # or :"
        )
    longest = len(_update_text(table, keys, (), frozenset(names), _AS_LOADED + _AS_PARKED))
    if longest > MAX_CHARACTERS:
        raise ConfigurationError(
            f"the names of the {len(fields(state_type))} fields of {state_type.__name__} make a statement of "
            f"{longest:,} characters; DynamoDB takes {MAX_CHARACTERS:,}. Move some of them into a Struct of "
            "their own: it is one field"
        )


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

    def check(self, aggregate: Aggregate[State | None]) -> None:
        """See that an aggregate is not too large. Raises UnstorableError if it is."""
        self._insert(aggregate.key, self._attributes(aggregate))

    def _attributes(self, aggregate: Aggregate[State | None]) -> dict[str, Any]:
        attributes = self._codec.attributes(aggregate)
        seconds = self._expiry.seconds(aggregate)
        if seconds:
            attributes[EXPIRES_AT] = math.ceil(self._now) + seconds
        return attributes

    def _insert(self, key: Key, attributes: Mapping[str, Any]) -> Statement:
        whole = {**self._codec.key_attributes(key), **attributes}
        return _statement(_insert_text(self._table, tuple(whole)), whole, whole.values())

    def _update(
        self,
        key: Key,
        attributes: Mapping[str, Any],
        gone: Collection[str],
        condition: str,
        operands: Iterable[Any],
    ) -> Statement:
        """Set all attributes, and remove those that are gone, on a condition.

        It costs no more than to set what differs, and what was loaded does not say what is stored: a field
        that came to the type later has its default there, and the item has nothing.
        """
        keys = self._codec.key_attributes(key)
        text = _update_text(self._table, tuple(keys), tuple(attributes), frozenset(gone), condition)
        return _statement(text, {**keys, **attributes}, [*attributes.values(), *keys.values(), *operands])


def _statement(text: str, attributes: Mapping[str, Any], parameters: Iterable[Any]) -> Statement:
    """Return a statement. Raises UnstorableError if its item cannot be sent, or would be too large."""
    try:
        encoded = msgspec.json.encode([to_attribute(each) for each in parameters])
    except UnicodeEncodeError as error:
        raise UnstorableError("the item has half of a surrogate pair, which no UTF-8 can write") from error
    check_size(attributes, len(text) + len(encoded))
    return Statement(text, Raw(encoded))


@lru_cache(maxsize=1_024)  # a text takes as long to write as its parameters, and there are few
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


@lru_cache(maxsize=1_024)
def _update_text(
    table: str, keys: tuple[str, ...], names: tuple[str, ...], gone: frozenset[str], condition: str
) -> str:
    sets = "".join(f' SET "{name}"=?' for name in names)
    removes = "".join(f' REMOVE "{name}"' for name in sorted(gone))
    where = " AND ".join([*(f'"{name}"=?' for name in keys), condition])
    return f'UPDATE "{table}"{sets}{removes} WHERE {where}'
