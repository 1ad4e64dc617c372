"""Types of the arguments of commands, for argparse."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """Return a number above 0."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{number} is not above 0")
    return number
