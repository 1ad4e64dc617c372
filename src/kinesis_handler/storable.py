"""What every store can keep, and give back as it was: keys of some length, numbers of some digits. Pure.

The bounds are DynamoDB's, and hold in every store: what passes a test in memory is not refused in production.
Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded, Subnormal
from enum import Enum
from math import isfinite
from operator import attrgetter
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
"""Classes that are no such number, and have none."""


def key_problem(key: tuple[str, str]) -> str | None:
    """Say why no store takes such a key, if none does."""
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
    """Say which decimal or float in a value no store can keep, if there is one, and why. Quotes none."""
    try:
        if _fits(value):
            return None
    except ArithmeticError:
        pass
    except RecursionError:
        return f"{name} is nested too deeply"
    path, problem = _first_problem(value)
    return f"`${path}` of {name} {problem}"


def _fits(value: Any) -> bool:
    """Tell whether all numbers in a value can be kept. Raises ArithmeticError if one has too many digits."""
    kind = value.__class__
    if (parts := _PARTS.get(kind)) is None:
        parts = _PARTS[kind] = _parts_of(kind)
    for each in parts(value):
        if each is None:
            continue
        kind = each.__class__
        if kind is Decimal:  # the most frequent without a further call: every state that is saved comes by
            if not _exact(each).is_finite():
                return False
        elif kind is float:
            if not (_SMALLEST_FLOAT <= abs(each) < _FLOAT_TOO_LARGE or each == 0):
                return False
        elif not _fits(each):
            return False
    return True


def _first_problem(value: Any) -> tuple[str, str]:
    """Return where the first number is that does not fit, and what is wrong with it."""
    if isinstance(value, float | Decimal):
        finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
        return "", _OUT_OF_RANGE if finite else _NOT_FINITE
    for name, each in _named(value):
        try:
            fits = _fits((each,))
        except ArithmeticError:
            fits = False
        if not fits:
            path, problem = _first_problem(each)
            return name + path, problem
    raise AssertionError("all numbers in it fit")


_PARTS: dict[type, Callable[[Any], Iterable[Any]]] = {}
"""By the class of a state, or of a part of it: what returns its parts that are, or may have, such numbers."""


def _parts_of(kind: type) -> Callable[[Any], Iterable[Any]]:
    """Look at a class once, so that of its objects only what may be such a number is looked at."""
    if issubclass(kind, Decimal | float):
        exact = Decimal if issubclass(kind, Decimal) else float
        return lambda value: (exact(value),)
    if issubclass(kind, Mapping):
        return kind.values
    if issubclass(kind, list | tuple | set | frozenset):
        return iter
    names: Sequence[str]
    if issubclass(kind, Struct):
        names = [each.name for each in fields(kind) if _may_have_numbers(each.type)]
    else:
        names = _field_names(kind)
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda value: (getattr(value, name),)
    return attrgetter(*names)


def _field_names(kind: type) -> Sequence[str]:
    """Return the names of a Struct's fields, or of those of a dataclass or a class of attrs."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    named = getattr(kind, "__attrs_attrs__", ())
    return [*getattr(kind, "__dataclass_fields__", ()), *(each.name for each in named)]


def _may_have_numbers(declared: Any) -> bool:
    """Tell by the type of a field whether it may hold a number, or something that has one."""
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
