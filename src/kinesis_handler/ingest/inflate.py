"""Decompresses gzip and zlib, up to a limit. Pure."""

import gzip
import io
import zlib
from collections.abc import Callable

from kinesis_handler.errors import UndecodableRecordError

_GZIP_MAGIC = b"\x1f\x8b"

ZLIB_HEADERS = (b"\x78\x9c", b"\x78\x01", b"\x78\xda", b"\x78\x5e")
"""First two bytes of zlib data, by its level. No JSON begins like this.

Source: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
"""

_CHUNK_SIZE = 64 * 1024


class Allowance:
    """Counts the bytes to which the contents of one record may still be unpacked.

    Args:
        limit: the bytes.
        zlib: whether to undo zlib as well. The data of other formats than JSON may begin like it.
    """

    def __init__(self, limit: int, *, zlib: bool = True) -> None:
        self.limit = limit
        self._left = limit
        self._zlib = zlib

    @property
    def used(self) -> int:
        """Bytes that have been unpacked, including those of content that was too large."""
        return self.limit - self._left

    @property
    def is_used_up(self) -> bool:
        """Whether something was too large: nothing of the record can be unpacked any more."""
        return self._left < 0

    def take(self, size: int) -> None:
        """Count some more bytes."""
        self._left -= size

    @property
    def left(self) -> int:
        """Bytes that may still be unpacked."""
        return self._left

    def inflate(self, data: bytes) -> bytes | UndecodableRecordError:
        """Decompress data if it is gzip or zlib; return other data unchanged."""
        if data.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                return self._read("gzip", file.read)
        if self._zlib and data.startswith(ZLIB_HEADERS):
            return self._read("zlib", _ZlibFile(data).read)
        return data

    def _read(self, name: str, read: Callable[[int], bytes]) -> bytes | UndecodableRecordError:
        content = bytearray()
        try:
            while self._left >= 0 and (chunk := read(_CHUNK_SIZE)):
                self._left -= len(chunk)
                content += chunk
        except EOFError:
            return UndecodableRecordError(f"{name}: the data is cut short")
        except (OSError, zlib.error):
            return UndecodableRecordError(f"{name}: the data is broken")
        if self._left < 0:
            return UndecodableRecordError(f"{name}: it unpacks to more than the limit of {self.limit} bytes")
        return bytes(content)


class _ZlibFile:
    """Reads zlib data in pieces, as GzipFile reads gzip."""

    def __init__(self, data: bytes) -> None:
        self._decompressor = zlib.decompressobj()
        self._input = data

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end.

        Raises EOFError if the data is cut short, and zlib.error if it is broken.
        """
        chunk = self._decompressor.decompress(self._input, size)
        self._input = self._decompressor.unconsumed_tail
        if not chunk:
            self._require_end()
        return chunk

    def _require_end(self) -> None:
        if not self._decompressor.eof:
            raise EOFError
        if self._decompressor.unused_data:
            raise zlib.error
