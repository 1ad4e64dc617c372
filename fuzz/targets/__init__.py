"""The parts that take input from outside, each with the facts that must hold of it for any input."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct


class Target(Struct, frozen=True):
    """A part that takes input from outside.

    Args:
        check: takes inputs, and returns what became of each, in a few words; it raises if a fact does not hold.
        seeds: valid inputs, to begin with.
        words: what the part knows, or finds hard.
        share: parts of all inputs that it gets.
        at_once: the inputs that it takes in one call.
        fresh: makes an input differ from all others, by its number; None if that makes no difference.
    """

    check: Callable[[Sequence[bytes]], Sequence[str]]
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    share: int
    at_once: int = 200
    fresh: Callable[[bytes, int], bytes] | None = None


def targets() -> Mapping[str, Target]:
    """Return all targets by their names."""
    from fuzz.targets import http, quarantine, records, tokens, urls  # noqa: PLC0415 - they name Target

    return {**records.TARGETS, **quarantine.TARGETS, **http.TARGETS, **tokens.TARGETS, **urls.TARGETS}
