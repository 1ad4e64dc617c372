"""The phases of a move from one store, the source, to another, the target. Pure.

    phase             shown to others   written   who decides
    source            source            source    source
    dual-read-source  source            both      source; the target follows
    dual-read-target  target            both      both, until the target leads; then the source follows
    target            target            target    target

Neighbours have a side in common that decides. Its conditional writes let only one of two handlers through
that see the phase change at different moments, so no update is lost between them. In `dual-read-target` the
source has to accept too until it is known that no handler is in `dual-read-source` any more: see `Standing`.
"""

from enum import StrEnum


class Phase(StrEnum):
    """How far the move is."""

    SOURCE = "source"
    DUAL_READ_SOURCE = "dual-read-source"
    DUAL_READ_TARGET = "dual-read-target"
    TARGET = "target"

    @property
    def reads_target(self) -> bool:
        """Whether the target is what is shown to others."""
        return self in {Phase.DUAL_READ_TARGET, Phase.TARGET}


PHASES = ", ".join(Phase)


class Side(StrEnum):
    """One of the two stores."""

    SOURCE = "source"
    TARGET = "target"
