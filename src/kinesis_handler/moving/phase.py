"""The phases of a move from one store, the source, to another, the target. Pure.

    phase        decides  replica
    source       source   -
    dual         source   target
    target-dual  target   source
    target       target   -

The side that decides is read, folded into and written as ever. Behind each write, the same aggregates are
written to the replica, if newer. An event is acknowledged when every side of its phase has it.
"""

from enum import StrEnum


class Side(StrEnum):
    """One of the two stores."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> "Side":
        """The other one."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


class Phase(StrEnum):
    """How far the move is."""

    SOURCE = "source"
    DUAL = "dual"
    TARGET_DUAL = "target-dual"
    TARGET = "target"

    @property
    def decides(self) -> Side:
        """The side whose aggregates count."""
        return Side.SOURCE if self in {Phase.SOURCE, Phase.DUAL} else Side.TARGET

    @property
    def replica(self) -> Side | None:
        """The side that is written too; None if there is none."""
        return self.decides.other if self in {Phase.DUAL, Phase.TARGET_DUAL} else None
