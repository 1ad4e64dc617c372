"""What every store can hold and return unchanged: the length of keys, the digits of numbers. Pure.

The bounds are DynamoDB's, and hold in every store: what passes a test in memory is not refused in production.
Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded, Subnormal
from enum import Enum
from keyword import iskeyword
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from msgspec import Struct
from msgspec.structs import fields

MAX_PARTITION_KEY = 2_048
MAX_SORT_KEY = 1_024
"""Longest parts of a key, in bytes of UTF-8."""

MAX_DIGITS = 38
"""Longest number, zeros at its end included: or there could be ten thousand of them."""

_SMALLEST_FLOAT, _FLOAT_TOO_LARGE = 1e-130, 1e126
_exact = Context(
    prec=MAX_DIGITS,
    Emin=-130,
    Emax=125,
    traps=[Inexact, Rounded, Clamped, Subnormal, Overflow, InvalidOperation],
).plus

_NOT_FINITE = "is not a finite number"
_OUT_OF_RANGE = f"is not a number of at most {MAX_DIGITS} digits between 1E-130 and 9.99E+125"

_WITHOUT = (str, bytes, int, NoneType, Enum, date, time, timedelta, UUID)
"""Classes whose values neither are nor hold a decimal or a float."""


def key_problem(key: tuple[str, str]) -> str | None:
    """Return why no store can hold such a key; None if all can."""
    partition, sort = key
    is_ascii = partition.isascii() and sort.isascii()  # as nearly all are: a letter is a byte
    if is_ascii and 0 < len(partition) <= MAX_PARTITION_KEY and 0 < len(sort) <= MAX_SORT_KEY:
        return None
    for part, name, limit in ((partition, "partition", MAX_PARTITION_KEY), (sort, "sort", MAX_SORT_KEY)):
        try:
            size = len(part.encode())
        except UnicodeEncodeError:
            return f"the {name} key has half of a surrogate pair, which no UTF-8 can write"
        if not 0 < size <= limit:
            return f"the {name} key has {size:,} bytes; allowed: from 1 to {limit:,}"
    return None


def number_problem(value: object, name: str = "the state") -> str | None:
    """Return which number in a value no store can hold, and why, without quoting it; None if all can be."""
    try:
        if _CHECKS[value.__class__](value):
            return None
    except ArithmeticError:
        pass
    except RecursionError:
        return f"{name} is nested too deeply"
    path, problem = _first_problem(value)
    return f"`${path}` of {name} {problem}"


def _first_problem(value: Any) -> tuple[str, str]:
    """Return where the first number is that does not fit, and what is wrong with it."""
    if isinstance(value, float | Decimal):
        finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
        return "", _OUT_OF_RANGE if finite else _NOT_FINITE
    for name, each in _named(value):
        try:
            fits = _CHECKS[each.__class__](each)
        except ArithmeticError:
            fits = False
        if not fits:
            path, problem = _first_problem(each)
            return name + path, problem
    raise AssertionError("all numbers in it fit")


Check = Callable[[Any], bool]
"""Returns whether all numbers in a value can be stored. Raises ArithmeticError if one has too many digits."""


class _Checks(dict[type, Check]):
    """The check of each class. It is made once, so that of the objects only what may be a number is read."""

    def __missing__(self, kind: type) -> Check:
        check = self[kind] = _check_of(kind)
        return check


_CHECKS = _Checks()


def _check_of(kind: type) -> Check:
    if issubclass(kind, Decimal):
        return lambda value: _exact(value).is_finite()
    if issubclass(kind, float):
        return lambda value: _SMALLEST_FLOAT <= abs(value) < _FLOAT_TOO_LARGE or value == 0
    if issubclass(kind, Mapping):
        return lambda value: _all_fit(value.values())
    if issubclass(kind, list | tuple | set | frozenset):
        return _all_fit
    if issubclass(kind, Struct):
        return _check_of_fields([each.name for each in fields(kind) if _may_have_numbers(each.type)])
    return _check_of_fields(_field_names(kind))


def _all_fit(values: Iterable[Any]) -> bool:
    return all(_CHECKS[each.__class__](each) for each in values)


def _check_of_fields(names: Iterable[str]) -> Check:
    """Write the check of a class with these fields, with few calls: every state that is saved comes by."""
    source = ["def check(value):"]
    for name in names:
        field = f"getattr(value, {name!r})" if iskeyword(name) else f"value.{name}"
        source += [
            f"    each = {field}",
            "    kind = each.__class__",
            "    if kind is Decimal:",
            "        if not exact(each).is_finite():",
            "            return False",
            "    elif each is not None and not checks[kind](each):",
            "        return False",
        ]
    written: dict[str, Any] = {"Decimal": Decimal, "exact": _exact, "checks": _CHECKS}
    exec("\n".join([*source, "    return True"]), written)  # noqa: S102 - names of fields, as dataclasses does
    check: Check = written["check"]
    return check


def _field_names(kind: type) -> Sequence[str]:
    """Return the names of a Struct's fields, or of those of a dataclass, a model or a class of attrs."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    named = getattr(kind, "__attrs_attrs__", ())
    declared = getattr(kind, "__dataclass_fields__", getattr(kind, "__pydantic_fields__", ()))
    return [*declared, *(each.name for each in named)]


def _may_have_numbers(declared: Any) -> bool:
    """Return whether a field of this type may hold a number, or something that has one."""
    if get_origin(declared) is Annotated:
        return _may_have_numbers(declared.__origin__)
    if get_origin(declared) is Literal:
        return False
    if isinstance(declared, UnionType) or get_origin(declared) is Union:
        return any(map(_may_have_numbers, get_args(declared)))
    return not (isinstance(declared, type) and issubclass(declared, _WITHOUT))


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """Return the parts of a value, each with how it is reached."""
    if isinstance(value, Mapping):
        yield from (("[…]", each) for each in value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", each) for index, each in enumerate(value))
    else:
        yield from ((f".{name}", getattr(value, name)) for name in _field_names(value.__class__))
