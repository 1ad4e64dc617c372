"""The tree of errors, with the meaning of each and what to do about it."""

from collections.abc import Iterator

from kinesis_handler import errors
from reference.docstrings import markdown

TO_DO = "To do: "

INTRODUCTION = """\
# Errors

The log and the quarantine contain the class of an error as `error`, and its message as `reason`. An indented
error is a subclass of the one above it.

| error | what it means | what to do |
|---|---|---|
"""

INDENTED = "· "


def errors_page() -> str:
    """Return the page of the errors."""
    return INTRODUCTION + "".join(_rows(errors.KinesisHandlerError, 0))


def _rows(error: type[Exception], depth: int) -> Iterator[str]:
    meaning, _, advice = " ".join(markdown(error.__doc__).split()).partition(TO_DO)
    if not advice:
        raise ValueError(f"{error.__name__} does not say what to do: a paragraph of it begins with {TO_DO!r}")
    yield f"| {INDENTED * depth}`{error.__name__}` | {meaning.strip()} | {advice[0].upper()}{advice[1:]} |\n"
    for each in error.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _rows(each, depth + 1)
