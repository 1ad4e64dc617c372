"""Upgrades stored states of an older shape, and finds out early that one is needed. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec import ValidationError

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import ConfigurationError, raised
from kinesis_handler.functions import require_plain, unrun
from kinesis_handler.stores.unreadable import IN_STATE, Unreadable, UpgradeError

State = TypeVar("State")

Upgrade = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Turns the fields of a state as they were stored into those of its type today."""

SAMPLE = 10
"""How many stored aggregates are looked at to find out whether their states can be read."""


def check_upgrade(upgrade: Upgrade | None, state_type: str) -> None:
    """See that an upgrade, if there is one, is a function that has done its work when it returns.

    Args:
        upgrade: of a repository.
        state_type: name of the type of its states.

    Raises ConfigurationError if it is not.
    """
    if upgrade is None:
        return
    if not callable(upgrade):
        raise ConfigurationError(
            f"the upgrade of {state_type} is {upgrade!r}; allowed: a function of the fields of a stored state"
        )
    require_plain(upgrade, f"the upgrade of {state_type}")


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
        raise UpgradeError(f"`upgrade`: {raised(error)}") from error
    if not isinstance(fields, Mapping):
        unrun(fields)  # a coroutine that is dropped would say on stderr that it was never awaited
        raise UpgradeError(
            f"`upgrade` returned a value of the type {type(fields).__qualname__}, and no fields"
        )
    return fields


@contextmanager
def reading_upgraded() -> Iterator[None]:
    """Read an upgraded state in this block: where it does not fit, that is said of the upgrade.

    Raises UpgradeError then.
    """
    try:
        yield
    except ValidationError as error:
        if IN_STATE not in str(error):
            raise
        raise UpgradeError(f"what `upgrade` returned does not fit: {error}") from error


def require_readable(sample: Iterable[Aggregate[State | None] | Unreadable]) -> None:
    """See that the states of a sample are not all of another shape than their type.

    Damaged ones do not count: they concern their keys alone.

    Raises ConfigurationError, which names one of them, if they are.
    """
    states = [each for each in sample if isinstance(each, Unreadable) or each.state is not None]
    others = [
        each.error
        for each in states
        if isinstance(each, Unreadable) and isinstance(each.error.__cause__, ValidationError | UpgradeError)
    ]
    if others and len(others) == len(states):
        raise ConfigurationError(f"none of the first {len(states)} stored states can be read: {others[0]}")
