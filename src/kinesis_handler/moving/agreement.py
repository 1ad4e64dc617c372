"""What is right where source and target differ in a key. Pure.

Versions alone cannot tell. A write that the source took and the target refused, because a handler in the next
phase had been there first, stays in the source: never acknowledged, and perhaps of a higher version than what
the target acknowledged since. Such a write must not win over it. But one that the source acknowledged, and
that has not come to the target yet, must.

The events that an aggregate remembers by id tell the two apart: what is merely behind has a history that the
other one's begins with. Where they do not reach back far enough, it matters whether the target leads: see
`settle`.
"""

from enum import Enum, auto
from typing import Any, Generic, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.records import Standing

State = TypeVar("State")


class Kinship(Enum):
    """How the histories of two aggregates of one key go together."""

    DESCENDS = auto()
    """The later one came from the earlier one."""
    APART = auto()
    """Each has applied something that the other has not."""
    UNKNOWN = auto()
    """They are too many events from each other to tell."""


class Agreement(Struct, Generic[State], frozen=True):
    """What is right for a key, and who has something else.

    Args:
        right: what is to be worked on; None if there is nothing, or it is `open`.
        behind: the side that is to be brought to it.
        apart: the source is right, and the target has something that did not come from it.
        open: it depends on what the target is to the source: see `settle`.
    """

    right: Aggregate[State] | None
    behind: Side | None = None
    apart: bool = False
    open: bool = False


def kinship(later: Aggregate[Any], earlier: Aggregate[Any]) -> Kinship:
    """Compare the histories of two aggregates, of which `later` has the higher version, or the same."""
    if later == earlier:
        return Kinship.DESCENDS
    ahead = later.version - earlier.version
    if ahead == 0:
        return Kinship.APART
    pairs = zip(reversed(later.recent_event_ids[:-ahead]), reversed(earlier.recent_event_ids), strict=False)
    same = [one == other for one, other in pairs]
    if not same:
        return Kinship.UNKNOWN
    return Kinship.DESCENDS if all(same) else Kinship.APART


def is_apart(one: Aggregate[Any], other: Aggregate[Any] | None) -> bool:
    """Tell if each of two aggregates of one key has applied something that the other has not."""
    if other is None:
        return False
    later, earlier = (other, one) if other.version > one.version else (one, other)
    return kinship(later, earlier) is Kinship.APART


def agree(
    source: Aggregate[State] | None, target: Aggregate[State] | None, *, source_decides: bool
) -> Agreement[State]:
    """Tell what is right for a key while both sides are written.

    Args:
        source: what was read there.
        target: what was read there.
        source_decides: by itself; else the target does, by itself or together with it.
    """
    if source == target:
        return Agreement(target)
    if source is None:
        return Agreement(target, Side.SOURCE)
    if target is None:
        return Agreement(source, Side.TARGET)
    later, earlier, behind = source, target, Side.TARGET
    if target.version > source.version:
        later, earlier, behind = target, source, Side.SOURCE
    match kinship(later, earlier):
        case Kinship.APART:
            return Agreement(source, apart=True) if source_decides else Agreement(None, open=True)
        case Kinship.UNKNOWN if later is source and not source_decides:
            return Agreement(None, open=True)
    return Agreement(later, behind)


def settle(
    source: Aggregate[State] | None, target: Aggregate[State] | None, standing: Standing
) -> Agreement[State]:
    """Tell what is right where the histories do not tell; it may stay open.

    As long as the target follows, all of it came from the source. Since it leads, whatever was acknowledged
    is in the target. On the way back it is neither, until everything has been compared.

    Args:
        source: what was read there.
        target: what was read there.
        standing: of the target. That it follows must have been asked for after both were read.
    """
    match standing:
        case Standing.FOLLOWS:
            return Agreement(source, Side.TARGET)
        case Standing.LEADS:
            return Agreement(target, Side.SOURCE)
        case Standing.RETURNS:
            return Agreement(None, open=True)
