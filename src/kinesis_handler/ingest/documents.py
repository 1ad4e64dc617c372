"""Finds the documents in the content of a record that holds several. Pure.

A document that is broken is found like any other, so that it alone is rejected: where one ends is seen by
its line, its comma or its brackets, and not by decoding it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from kinesis_handler.ingest.kpl import USER_RECORD_OVERHEAD

Documents = Literal["one", "lines", "concatenated", "array"]
"""How a content holds its documents: a single one; one a line; one behind the other; in a JSON array."""

Span = tuple[int, int]
"""Where a document begins, and where it ends."""

_LINE = re.compile(rb"[^\s][^\n]*")

# A text, however it ends; or a character that opens, closes or separates. Nothing is read twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
_NOT_BLANK = re.compile(rb"[^\s]")


def find_documents(content: bytes, documents: Documents, limit: int) -> list[Span] | None:
    """Return where the documents are, in order; None if their overhead comes to more than `limit` bytes.

    A content without any is a single document, which is empty and will be rejected. So is one that should be
    an array and is an object: it is its only document.
    """
    spans: list[Span] = []
    for span in _FINDERS[documents](content):
        spans.append(span)
        if overhead(spans) > limit:
            return None
    return spans or [(0, len(content))]


def overhead(spans: Sequence[Span]) -> int:
    """Return the bytes counted for documents in addition to their content; the first is the record itself."""
    return (len(spans) - 1) * USER_RECORD_OVERHEAD


def _one(content: bytes) -> Iterator[Span]:
    yield 0, len(content)


def _lines(content: bytes) -> Iterator[Span]:
    return (found.span() for found in _LINE.finditer(content))


def _concatenated(content: bytes) -> Iterator[Span]:
    """Yield each object or array, and as a document of its own whatever stands between two of them."""
    depth = begin = end = 0
    for found in _TOKEN.finditer(content):
        token = found[0]
        if token in {b"{", b"["}:
            if depth == 0:
                yield from _rest(content, end, found.start())
                begin = found.start()
            depth += 1
        elif token in {b"}", b"]"} and depth:
            depth -= 1
            if depth == 0:
                end = found.end()
                yield begin, end
    yield from _rest(content, begin if depth else end, len(content))


def _array(content: bytes) -> Iterator[Span]:
    """Yield each element. Behind an array that is not closed, and around one, there is a document too."""
    opening = _NOT_BLANK.search(content)
    if opening is None or opening[0] != b"[":
        yield 0, len(content)
        return
    depth, begin, any_comma = 0, opening.end(), False
    for found in _TOKEN.finditer(content):
        token = found[0]
        if token in {b"{", b"["}:
            depth += 1
        elif token == b"," and depth == 1:
            any_comma = True
            yield begin, found.start()
            begin = found.end()
        elif token in {b"}", b"]"}:
            depth -= 1
            if depth == 0:
                if any_comma or _NOT_BLANK.search(content, begin, found.start()):
                    yield begin, found.start()
                yield from _rest(content, found.end() if token == b"]" else found.start(), len(content))
                return
    yield from _rest(content, begin, len(content))
    if depth == 1:
        yield len(content), len(content)  # its end, which is missing


def _rest(content: bytes, begin: int, end: int) -> Iterator[Span]:
    if _NOT_BLANK.search(content, begin, end):
        yield begin, end


_FINDERS: dict[Documents, Callable[[bytes], Iterator[Span]]] = {
    "one": _one,
    "lines": _lines,
    "concatenated": _concatenated,
    "array": _array,
}
