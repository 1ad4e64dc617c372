"""A quarantine in memory, which fails as a test says."""

from collections.abc import Callable, Iterator

from kinesis_handler.errors import UnreadableObjectError


class MemoryQuarantine:
    """Keeps objects in a dictionary. What is called `before` or `after` keeping one may raise."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.before: Callable[[str], object] = lambda _: None
        self.after: Callable[[str], object] = lambda _: None

    def keep(self, name: str, content: bytes) -> None:
        """Store an object, or fail before or after storing it."""
        self.before(name)
        self.objects[name] = content
        self.after(name)

    def names(self) -> Iterator[str]:
        """Yield the names of all objects, sorted."""
        return iter(sorted(self.objects))

    def read(self, name: str) -> bytes:
        """Return an object."""
        try:
            return self.objects[name]
        except KeyError as error:
            raise UnreadableObjectError(f"there is no {name}") from error

    def delete(self, name: str) -> None:
        """Delete an object."""
        self.objects.pop(name, None)
