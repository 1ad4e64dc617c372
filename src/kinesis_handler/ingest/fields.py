"""Finds the fields of a Struct that an envelope names, and checks their types. Pure."""

from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from uuid import UUID

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import FieldInfo, fields

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.ingest.facts import MAX_NUMBER, MAX_TEXT, FieldError

TEXT: Collection[type] = (str,)
NAME: Collection[type] = (str, int, UUID)
TIME: Collection[type] = (int, str, float, Decimal, datetime)
NUMBER: Collection[type] = (int, str)
JSON: Collection[type] = (Raw, str, bytes)
VERSION: Collection[type] = (int, str, Raw)

_MAX_DIGITS = 64
"""Longest text that is looked at as a number."""


class Field(NamedTuple):
    """A field of an envelope.

    Args:
        names: that lead to it in a document, from the outside.
        types: that it is declared with, but for what says that it is not there.
        get: returns its value from an instance of the Struct; None if it is not there.
        inside: names below it, which only a decoded payload has.
    """

    names: tuple[str, ...]
    types: tuple[Any, ...]
    get: Callable[[Any], Any]
    inside: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is in a document, such as `.context.tenant`."""
        return "".join(f".{each}" for each in self.names)

    def text(self, said: Any) -> str | None:
        """Return its text, if it has one. Raises FieldError if that is too long."""
        text: str | None = self.get(said)
        if text is None:
            return None
        if text.__class__ is not str:
            text = str(text)
        if len(text) > MAX_TEXT:
            raise FieldError(f"Expected `str` of length <= {MAX_TEXT}", self.path)
        return text

    def required_text(self, said: Any) -> str:
        """Return its text. Raises FieldError if there is none, or it is empty or too long."""
        value = self.text(said)
        if value is None:
            raise FieldError("Expected `str`, got `null`", self.path)
        if not value:
            raise FieldError("Expected `str` of length >= 1", self.path)
        return value

    def number(self, said: Any) -> int | None:
        """Return its number, if it has one. Raises FieldError if it is no producer's number."""
        value: int | str | None = self.get(said)
        if isinstance(value, str):
            if not (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS):
                raise FieldError("Expected an integer, or a text of digits", self.path)
            value = int(value)
        if value is not None and not 0 <= value <= MAX_NUMBER:
            raise FieldError(f"Expected `int` from 0 to {MAX_NUMBER}", self.path)
        return value


def find_field(kind: type[Struct], attribute: str, name: str, allowed: Collection[type] | None) -> Field:
    """Return the field of a Struct that is an attribute of the event.

    Args:
        kind: the Struct.
        attribute: of the event, for the message: `id`.
        name: of the field, as the class spells it; with dots where it lies in another Struct.
        allowed: the types that it may be declared with; None for any.

    Raises ConfigurationError if there is none, or its type is another one.
    """
    *heads, last = name.split(".")
    owner: type[Struct] = kind
    encoded: list[str] = []
    for position, head in enumerate(heads):
        declared, encoded_name = _declared(owner, attribute, name, head)
        encoded.append(encoded_name)
        structs = [each for each in declared if isinstance(each, type) and issubclass(each, Struct)]
        if Raw in declared and attribute == "version":
            inside = (*heads[position + 1 :], last)
            get = _getter(heads[: position + 1])
            return Field((*encoded, *inside), (Raw,), get, inside)
        if len(structs) != 1:
            raise ConfigurationError(
                f"{attribute} is {name!r}; {head!r} of {owner.__qualname__} is no Struct"
            )
        owner = structs[0]
    declared, encoded_name = _declared(owner, attribute, name, last)
    encoded.append(encoded_name)
    if allowed is not None and (wrong := [each for each in declared if each not in allowed]):
        raise ConfigurationError(
            f"{attribute} is {name!r}, which {owner.__qualname__} declares as {_named(wrong[0])}; "
            f"allowed: {', '.join(map(_named, allowed))}"
        )
    return Field(tuple(encoded), tuple(declared), _getter([*heads, last]))


def other_fields(
    kind: type[Struct], mapped: AbstractSet[tuple[str, ...]], outer: Sequence[tuple[str, str]] = ()
) -> Iterator[Field]:
    """Yield the fields of a Struct, and of Structs in it, that are not attributes of the event.

    Args:
        kind: the Struct.
        mapped: the encoded names that lead to each attribute.
        outer: (name, encoded name) of the fields that lead to this Struct.
    """
    for each in _fields(kind):
        lead = (*outer, (each.name, each.encode_name))
        encoded = tuple(name for _, name in lead)
        if encoded in mapped:
            continue
        declared = _members(each.type)
        if not any(names[: len(encoded)] == encoded for names in mapped):
            yield Field(encoded, tuple(declared), _getter([name for name, _ in lead]))
        else:
            for inner in declared:
                if isinstance(inner, type) and issubclass(inner, Struct):
                    yield from other_fields(inner, mapped, lead)


def _declared(owner: type[Struct], attribute: str, name: str, part: str) -> tuple[list[Any], str]:
    """Return the types that a field is declared with, and its encoded name."""
    known = {each.name: each for each in _fields(owner)}
    if part not in known:
        from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

        near = get_close_matches(part, known)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ConfigurationError(
            f"{attribute} is {name!r}, and {owner.__qualname__} has no field {part!r}{meant}; "
            f"allowed: {', '.join(known) or 'none, it has no fields'}"
        )
    return list(_members(known[part].type)), known[part].encode_name


@lru_cache(maxsize=32)
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    """Return the fields of a Struct. To evaluate its annotations takes long, and an envelope asks often."""
    return fields(kind)


def _members(declared: Any) -> list[Any]:
    """Return the members of a union, without those that say that a field is not there."""
    if get_origin(declared) is Annotated:
        return _members(declared.__origin__)
    if isinstance(declared, UnionType) or get_origin(declared) is Union:
        return [member for each in get_args(declared) for member in _members(each)]
    return [] if declared in {NoneType, UnsetType} else [declared]


def _named(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)


def _getter(names: Sequence[str]) -> Callable[[Any], Any]:
    getters = [attrgetter(each) for each in names]
    if len(getters) == 1:
        [only] = getters

        def get_it(value: Any) -> Any:
            value = only(value)
            return None if value is UNSET else value

        return get_it

    def get(value: Any) -> Any:
        for getter in getters:
            value = getter(value)
            if value is None or value is UNSET:
                return None
        return value

    return get
