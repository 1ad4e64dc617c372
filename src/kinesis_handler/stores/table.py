"""A table, as the commands see it: what has to be made before a repository can save anything."""

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Table"]


class Table(Protocol):
    """What has to be made before a repository can save anything."""

    @property
    def name(self) -> str:
        """Its name in the store."""

    def check(self) -> None:
        """Raise ConfigurationError, which says what to do, if it cannot be used."""

    def create(self, *, deletion_protection: bool = False) -> None:
        """Make it. Raises ConfigurationError if it exists, or may not be made."""

    def describe(self) -> Mapping[str, object]:
        """Return its properties. Raises ConfigurationError if it does not exist, or may not be described."""

    def delete(self) -> None:
        """Remove it with all that is in it. Raises ConfigurationError if that cannot be done."""

    def exists(self) -> bool:
        """Return whether it exists. Raises ConfigurationError if that may not be asked."""
