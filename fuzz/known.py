"""The known inputs of a target: valid ones, those that are stored, and those of a new effect."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MOST = 400
"""Inputs that a target starts from at most."""

MOST_STORED = 40
"""Inputs that are stored of a target at most: the shortest."""

LONGEST = 2_048
"""Bytes of the longest input that others start from: a longer one has its effect by its length."""


class Corpus:
    """Known inputs, each with an effect that no shorter one has.

    Args:
        seeds: valid inputs, which stay.
        stored: inputs from earlier searches.
    """

    def __init__(self, seeds: Sequence[bytes], stored: Iterable[bytes] = ()) -> None:
        self.inputs = [*seeds, *stored]
        self._positions: dict[str, int] = {}
        self._effects: set[str] = set()

    def __len__(self) -> int:
        return len(self._effects)

    def add(self, data: bytes, effect: str) -> None:
        """Remember an input if its effect is new, or if it is shorter than the one that is known for it."""
        if effect not in self._effects:
            self._effects.add(effect)
            if len(data) <= LONGEST and len(self.inputs) < MOST:
                self._positions[effect] = len(self.inputs)
                self.inputs.append(data)
        elif (known := self._positions.get(effect)) is not None and len(data) < len(self.inputs[known]):
            self.inputs[known] = data

    def found(self) -> list[bytes]:
        """Return the inputs that were added."""
        return [self.inputs[position] for position in self._positions.values()]


def file_of(name: str) -> Path:
    """Return the file of a target's inputs: each a line, in base64."""
    return FOLDER / f"{re.sub('[^a-z]+', '-', name.lower())}.txt"


def read(name: str) -> list[bytes]:
    """Return the stored inputs of a target."""
    file = file_of(name)
    return [b64decode(line, validate=True) for line in file.read_text().splitlines()] if file.exists() else []


def write(name: str, inputs: Iterable[bytes]) -> None:
    """Store inputs of a target, beside those that are stored: the shortest of all."""
    shortest = sorted({*read(name), *inputs}, key=lambda each: (len(each), each))[:MOST_STORED]
    FOLDER.mkdir(exist_ok=True)
    file_of(name).write_text("".join(f"{b64encode(each).decode()}\n" for each in shortest))
