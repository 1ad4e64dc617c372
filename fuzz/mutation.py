"""Changes inputs at random, from a seed: a byte, a piece, a value of JSON, or a piece of another input."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

Each = TypeVar("Each")

LONGEST = 16 * 1024
"""Bytes of the longest input."""

MOST_CHANGES = 4

_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[A-Za-z0-9_.~%-]+')
_BYTES = (0, 1, 0x1F, 0x20, 0x22, 0x25, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0x8B, 0xC3, 0xED, 0xFF)
_REPEATS = (2, 3, 16, 300)


class Mutator:
    """Makes new inputs out of known ones.

    Args:
        random: decides everything.
        words: what a decoder knows, or finds hard; chance would not find it.
    """

    def __init__(self, random: Random, words: Sequence[bytes]) -> None:
        self._chance = random.random
        self._words = words
        self._changes: Sequence[Callable[[bytes, bytes], bytes]] = (
            self._byte,
            self._byte,
            self._remove,
            self._insert,
            self._replace_value,
            self._replace_value,
            self._replace_value,
            self._replace_value,
            self._repeat,
            self._splice,
            self._cut,
        )

    def make(self, known: Sequence[bytes]) -> bytes:
        """Return a known input with one to four changes."""
        data, other = self._pick(known), self._pick(known)
        for _ in range(1 + int(self._chance() * self._chance() * MOST_CHANGES)):
            data = self._pick(self._changes)(data, other)
        return data[:LONGEST]

    def _pick(self, choices: Sequence[Each]) -> Each:
        return choices[int(self._chance() * len(choices))]

    def _at(self, data: bytes) -> int:
        return int(self._chance() * (len(data) + 1))

    def _span(self, data: bytes) -> tuple[int, int]:
        begin = self._at(data)
        return begin, begin + int(self._chance() * self._chance() * (len(data) - begin + 1))

    def _byte(self, data: bytes, _: bytes) -> bytes:
        at = self._at(data)
        new = self._pick(_BYTES) if self._chance() < 0.5 else int(self._chance() * 256)  # noqa: PLR2004
        return b"%b%c%b" % (data[:at], new, data[at + 1 :])

    def _remove(self, data: bytes, _: bytes) -> bytes:
        begin, end = self._span(data)
        return data[:begin] + data[end:]

    def _insert(self, data: bytes, _: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._pick(self._words) + data[at:]

    def _replace_value(self, data: bytes, _: bytes) -> bytes:
        """Replace a value, or a name, by a word: the next one behind a random position."""
        found = _VALUE.search(data, self._at(data)) or _VALUE.search(data)
        if found is None:
            return data + self._pick(self._words)
        return data[: found.start()] + self._pick(self._words) + data[found.end() :]

    def _repeat(self, data: bytes, _: bytes) -> bytes:
        begin, end = self._span(data)
        return (data[:end] + data[begin:end] * self._pick(_REPEATS) + data[end:])[:LONGEST]

    def _splice(self, data: bytes, other: bytes) -> bytes:
        begin, end = self._span(other)
        at = self._at(data)
        return data[:at] + other[begin:end] + data[at:]

    def _cut(self, data: bytes, _: bytes) -> bytes:
        return data[: self._at(data)]
