"""Makes the headers of an event: what its envelope carries besides, read-only and bounded. Pure."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET, Raw
from msgspec.json import Decoder

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.ingest.facts import NO_HEADERS, FieldError

MAX_HEADERS = 8 * 1024
"""Most bytes of JSON that the headers of an event may have together: as much as many HTTP servers take."""

_PLAIN = (str, int, bool, float, Decimal)

_members = Decoder(dict[str, Raw]).decode
_value = Decoder(float_hook=Decimal).decode


def headers_of_members(
    content: bytes, known: AbstractSet[str], names: AbstractSet[str] | None
) -> Mapping[str, Any]:
    """Return members of a JSON object as headers.

    Args:
        content: the object.
        known: those that are no headers, if all others are.
        names: of the headers; None for all others.

    Raises FieldError if they are too large together.
    """
    if names is not None and not names:
        return NO_HEADERS
    members = _members(content)
    chosen = members.keys() - known if names is None else members.keys() & names
    if not chosen:
        return NO_HEADERS
    found = [(name, bytes(value)) for name, value in members.items() if name in chosen]
    _require_small([(name, len(value)) for name, value in found])
    decoded = [(name, _value(value)) for name, value in found]
    return MappingProxyType({name: _frozen(value) for name, value in decoded if value is not None})


def member(content: bytes, name: str) -> Raw | None:
    """Return one member of a JSON object; None if it has no such member."""
    return _members(content).get(name)


def checked_names(names: Collection[str]) -> frozenset[str]:
    """Return the names of headers. Raises ConfigurationError if they are no names, or a single text."""
    if isinstance(names, str) or not all(isinstance(each, str) for each in names):
        raise ConfigurationError(f"the envelope's headers are {names!r}; allowed: names, such as ['tenant']")
    return frozenset(names)


def headers_of_values(values: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    """Return values as headers, those that are there. Raises FieldError if they are too large together."""
    found = [(name, value) for name, value in values if value is not None and value is not UNSET]
    if not found:
        return NO_HEADERS
    _require_small([(name, _size(value)) for name, value in found])
    return MappingProxyType({name: _frozen(value) for name, value in found})


def _require_small(sizes: Iterable[tuple[str, int]]) -> None:
    left = MAX_HEADERS
    for name, size in sizes:
        left -= len(name) + size
        if left < 0:
            # The name of a member that nobody asked for may be anything, and long.
            shown = name if len(name) <= _LONGEST_NAME and name.isprintable() else "[…]"
            raise FieldError(f"The headers come to more than {MAX_HEADERS} bytes", f".{shown}")


_LONGEST_NAME = 64


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return len(msgspec.json.encode(value, enc_hook=str))


def _frozen(value: Any) -> Any:
    """Return a value that nobody can change, as far as it is made of what JSON is made of."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Raw):
        return _frozen(_value(value))
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return value
