"""The function that libFuzzer calls, guided by the lines that its inputs reach. `python -m fuzz` runs it."""

import sys

import atheris

with atheris.instrument_imports(include=["kinesis_handler", "user_limits"]):
    from fuzz.facts import Nowhere, check_in_every_wrapping
    from kinesis_handler import configure_logging


def take(data: bytes) -> None:
    """Raise if a fact does not hold."""
    check_in_every_wrapping(data)


if __name__ == "__main__":
    configure_logging("fuzz", "debug", Nowhere())
    atheris.Setup(sys.argv, take)
    atheris.Fuzz()
