"""A quarantine in a folder: for one machine, and for development."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kinesis_handler.errors import QuarantineError

__all__ = ["DirectoryQuarantine"]


class DirectoryQuarantine:
    """Keeps each object as a file below a folder, which is made with the first one."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def keep(self, name: str, content: bytes) -> None:
        """See `Quarantine.keep`. The file is on the disk when this returns, and never half of it."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise self._error(error) from error

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`. A folder that is not there yet is an empty one."""
        try:
            for path in sorted(self._folder.rglob("[!.]*")):
                if path.is_file():
                    yield path.relative_to(self._folder).as_posix()
        except OSError as error:
            raise self._error(error) from error

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise self._error(error) from error

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> QuarantineError:
        return QuarantineError(f"the folder {str(self._folder)!r}: {error.strerror}")


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
