"""Stored items that cannot be read: they are reported, and stop nothing else. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError

State = TypeVar("State")

OnUnreadable = Callable[[Key, UnreadableError], object]
"""Called with the key of what cannot be read, and the reason."""


IN_STATE = "$.state"
"""Where msgspec says that a stored document is wrong, if it is its state."""


class UpgradeError(ValueError):
    """A stored state could not be upgraded. The message has no value of it."""


class Unreadable(NamedTuple):
    """What a scan found and cannot read."""

    key: Key
    error: UnreadableError


def unreadable(key: Key, where: str, state_type: str, why: object) -> UnreadableError:
    """Return the error of what is stored under a key and is no aggregate of this type.

    Args:
        key: its key.
        where: the table, and the file if there is one.
        state_type: name of the type that it should have.
        why: what is wrong with it.
    """
    older = ""
    if isinstance(why, UpgradeError):
        older = "Correct the `upgrade` of its repository. "
    elif IN_STATE in str(why):
        older = "Give its repository an `upgrade` if it has an older shape. "
    return UnreadableError(
        f"what is stored under {key!r} in {where} is no {state_type}: {why}. {older}Repair it there, or "
        "delete it and send the events of its key again"
    )


def only_readable(
    found: Iterable[Aggregate[State | None] | Unreadable], on_unreadable: OnUnreadable | None
) -> Iterator[Aggregate[State | None]]:
    """Yield what can be read, and report the rest: to `on_unreadable`, else by an error at the end.

    Raises UnreadableError behind the last aggregate if something could not be read and there is no
    `on_unreadable`.
    """
    first: UnreadableError | None = None
    more = 0
    for each in found:
        if not isinstance(each, Unreadable):
            yield each
        elif on_unreadable is not None:
            on_unreadable(*each)
        elif first is None:
            first = each.error
        else:
            more += 1
    if first is not None:
        raise UnreadableError(f"{first}. {more:,} more cannot be read" if more else str(first)) from first
