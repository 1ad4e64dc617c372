"""Decodes items straight into aggregates, where the types of the fields say what is on the wire. Pure.

An attribute is an object with one member, named by the type of its value: `{"S": "text"}`. For a type of
states this makes a Struct of such objects. By it msgspec reads, checks and converts an item in one pass,
without a dict for each value: in three quarters of the time that `ItemCodec.aggregate` takes. That one is
left with the items that do not fit: vacant ones, and damaged ones, of which it says what is wrong.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import NODEFAULT, Raw, inspect
from msgspec.structs import FieldInfo, fields

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.stores.dynamodb.attributes import DECIMALS, EXPIRES_AT, VACANT, to_python
from kinesis_handler.stores.dynamodb.trailing_zeros import with_decimals

State = TypeVar("State")

_MEMBERS: dict[type, str] = {
    inspect.StrType: "S",
    inspect.BoolType: "BOOL",
    inspect.IntType: "N",
    inspect.FloatType: "N",
    inspect.DecimalType: "N",
}
_RECENT_IDS = "recent_event_ids"


class TypedItems(Generic[State]):
    """Decodes the items of one type of states.

    Args:
        state_type: of the states, a msgspec.Struct.
        partition_key: name of the attribute with the key's first part.
        sort_key: name of the attribute with its second part.
    """

    def __init__(self, state_type: type[State], partition_key: str, sort_key: str) -> None:
        made_of: Any = state_type
        self._make_state = made_of
        columns = _Columns()
        text, number = _object("S", str), _object("N", float)
        keys = [columns.add(name, text) for name in (partition_key, sort_key)]
        expires_at = columns.add(EXPIRES_AT, number, number(math.inf))
        recent_ids = columns.add("recentEventIds", _object("L", list[text]))  # type: ignore[valid-type]
        lineage = (each for each in fields(Aggregate) if each.name not in {"key", "state", _RECENT_IDS})
        self._lineage = _Part(columns, lineage)
        self._state = _Part(columns, fields(made_of))
        self._decimals, self._vacant = columns.other(DECIMALS), columns.other(VACANT)
        # All at once, in C: one by one they would take longer than msgspec does.
        engines = (f"{keys[0]}.S", f"{keys[1]}.S", f"{expires_at}.N", f"{recent_ids}.L")
        self._get = attrgetter(*engines, *self._lineage.paths, *self._state.paths)
        self._decode = columns.decoder().decode

    def decode(self, item: Raw) -> tuple[Aggregate[State], float] | None:
        """Return an item's aggregate, and when it expires, infinity for never; None if it does not fit."""
        try:
            wire = self._decode(item)
            if getattr(wire, self._vacant) is not None:
                return None
            partition, sort, expires_at, recent_ids, *plain = self._get(wire)
            decimals, lineage = getattr(wire, self._decimals), len(self._lineage.paths)
            lost = {} if decimals is None else to_python(decimals)
            aggregate = Aggregate(
                key=(partition, sort),
                state=self._make_state(**self._state.values(wire, plain[lineage:], lost)),
                recent_event_ids=tuple([each.S for each in recent_ids]),
                **self._lineage.values(wire, plain[:lineage], {}),
            )
        except Exception:  # noqa: BLE001 - a state's own check may raise anything, and is asked again
            return None
        return aggregate, expires_at


class _Part:
    """The fields of a Struct: those of one plain value, and the others."""

    def __init__(self, columns: "_Columns", of: Iterable[FieldInfo]) -> None:
        self.paths: list[str] = []
        self._plain: dict[str, str] = {}
        self._others: list[tuple[FieldInfo, str, type[Any]]] = []
        for each in of:
            path = columns.plain(each.encode_name, each.type, each.default)
            if path is None or each.default_factory is not NODEFAULT:
                # In a Struct, whose types msgspec looks through once. A union it looks through at each value.
                one = msgspec.defstruct("One", [("value", each.type)], gc=False)
                self._others.append((each, columns.other(each.encode_name), one))
            else:
                self.paths.append(path)
                self._plain[each.encode_name] = each.name

    def values(self, wire: object, plain: Sequence[Any], lost: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the fields that an item has.

        Args:
            wire: the item.
            plain: what is at `paths` in it.
            lost: see `lost_decimals`.

        Raises an error of any type if these do not fit.
        """
        values = dict(zip(self._plain.values(), plain, strict=True))
        for attribute, decimals in lost.items():
            if attribute in self._plain:
                name = self._plain[attribute]
                if not isinstance(values[name], Decimal):
                    raise TypeError(f"{name} has no decimals")
                values[name] = with_decimals(values[name], decimals)
        for each, column, one in self._others:
            if (attribute_value := getattr(wire, column)) is not None:
                value = with_decimals(to_python(attribute_value), lost.get(each.encode_name))
                values[each.name] = msgspec.convert({"value": value}, one, str_keys=True).value
        return values


class _Columns:
    """The attributes of an item, as the fields of the Struct that it is decoded into."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._fields: dict[str, tuple[Any, ...]] = {}

    def add(self, attribute: str, *type_and_default: Any) -> str:
        """Add an attribute; return the field's name. A part of the key may be a field of the state too."""
        name = self._names.setdefault(attribute, f"_{len(self._names)}")
        self._fields.setdefault(name, (name, *type_and_default))
        return name

    def plain(self, attribute: str, type_: Any, default: Any = NODEFAULT) -> str | None:
        """Add an attribute of one plain value, and return the path to it; None if its type is another."""
        info = inspect.type_info(type_)
        kinds = info.types if isinstance(info, inspect.UnionType) else (info,)
        values = [each for each in kinds if not isinstance(each, inspect.NoneType)]
        member = _member(values[0]) if len(values) == 1 else None
        if member is None:
            return None
        wire = _object(member, type_, nullable=len(kinds) > 1)
        name = self.add(attribute, wire) if default is NODEFAULT else self.add(attribute, wire, wire(default))
        return f"{name}.{member}"

    def other(self, attribute: str) -> str:
        """Add an attribute of any value, which is None if there is no such attribute."""
        return self.add(attribute, dict[str, Any] | None, None)

    def decoder(self) -> msgspec.json.Decoder[Any]:
        """Return the decoder of an item. Not strict: a number is a text."""
        rename = {name: attribute for attribute, name in self._names.items()}
        item = msgspec.defstruct("Item", self._fields.values(), kw_only=True, rename=rename, gc=False)
        return msgspec.json.Decoder(item, strict=False)


def _object(member: str, type_: Any, *, nullable: bool = False) -> Any:
    """Return the type of an attribute on the wire."""
    named = [(member, type_, None), ("NULL", bool, False)] if nullable else [(member, type_)]
    return msgspec.defstruct("Attribute", named, frozen=True, forbid_unknown_fields=True, gc=False)


def _member(kind: inspect.Type) -> str | None:
    """Return the name of the member of an attribute that has values of this kind; None for another kind."""
    if isinstance(kind, inspect.LiteralType):
        return "S" if all(isinstance(each, str) for each in kind.values) else None
    if isinstance(kind, inspect.EnumType):
        return "S" if all(isinstance(each.value, str) for each in kind.cls) else None
    return _MEMBERS.get(type(kind))
