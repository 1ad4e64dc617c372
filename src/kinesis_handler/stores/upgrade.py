"""Upgrades stored states of an older shape, and finds out early that one is needed. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec import ValidationError

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.stores.unreadable import Unreadable

State = TypeVar("State")

Upgrade = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Turns the fields of a state as they were stored into those of its type today."""

SAMPLE = 10
"""How many stored aggregates are looked at to find out whether their states can be read."""


class UpgradeError(ValueError):
    """A stored state could not be upgraded. The message has no value of it."""


def upgraded(upgrade: Upgrade, stored: Any) -> Mapping[str, Any]:
    """Return the fields of a state as its type has them today.

    Args:
        upgrade: may change what it is given.
        stored: the state as it is stored.

    Raises UpgradeError if it has no fields, or does not become fields.
    """
    if not isinstance(stored, dict):
        raise UpgradeError("its state has no fields that `upgrade` could be given")
    try:
        fields: Any = upgrade(stored)
    except Exception as error:
        raise UpgradeError(f"`upgrade` raised {type(error).__name__}") from error
    if not isinstance(fields, Mapping):
        raise UpgradeError(
            f"`upgrade` returned a value of the type {type(fields).__qualname__}, and no fields"
        )
    return fields


def require_readable(sample: Iterable[Aggregate[State | None] | Unreadable]) -> None:
    """See that the states of a sample are not all of another shape than their type.

    Damaged ones do not count: they concern their keys alone.

    Raises ConfigurationError, which names one of them, if they are.
    """
    states = [each for each in sample if isinstance(each, Unreadable) or each.state is not None]
    others = [
        each.error
        for each in states
        if isinstance(each, Unreadable) and isinstance(each.error.__cause__, ValidationError)
    ]
    if others and len(others) == len(states):
        raise ConfigurationError(f"none of the first {len(states)} stored states can be read: {others[0]}")
