"""Implements a quarantine in a folder: for one machine, and for development."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kinesis_handler.errors import QuarantineError, UnreadableObjectError

__all__ = ["DirectoryQuarantine"]


class DirectoryQuarantine:
    """Keeps each object as a file in a folder, which is made with the first object."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def keep(self, name: str, content: bytes) -> None:
        """See `Quarantine.keep`. The file is on the disk when this returns, and is never half written."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise self._error(error) from error

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`. A missing folder counts as empty.

        It skips names that begin with a dot, and yields a subfolder that cannot be listed as one name.
        """
        if self._folder.is_dir():
            yield from sorted(self._names())

    def _names(self) -> Iterator[str]:
        unlisted: list[OSError] = []
        for parent, folders, files in os.walk(self._folder, onerror=unlisted.append):
            folders[:] = [each for each in folders if not each.startswith(".")]
            for each in files:
                if not each.startswith("."):
                    yield (Path(parent) / each).relative_to(self._folder).as_posix()
        for error in unlisted:
            path = Path(error.filename)
            if path == self._folder:
                raise self._error(error) from error
            yield path.relative_to(self._folder).as_posix()

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        path = self._folder / name
        try:
            if path.exists() and not path.is_file():  # reading a pipe would wait for ever
                raise UnreadableObjectError("it is no file to be read: see what it is, and move it away")
            return path.read_bytes()
        except OSError as error:
            raise UnreadableObjectError(_to_do(error)) from error

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> QuarantineError:
        return QuarantineError(f"the folder {str(self._folder)!r}: {error.strerror}")


def _to_do(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it has gone since it was listed: list again"
    if isinstance(error, PermissionError):
        return "it may not be read: give this user the permission to"
    return f"it cannot be read: {error.strerror}"


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
