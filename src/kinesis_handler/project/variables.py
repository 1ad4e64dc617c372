"""Records which variables of the environment the code of an application reads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kinesis_handler.project.needs import Variable

_BETWEEN = {"os", "collections.abc", "_collections_abc", __name__}
"""Modules between the one that asks for a variable, and the answer."""

_READERS = {"kinesis_handler.environment"}
"""Modules that read variables for an application."""

_SET_BY_LAMBDA = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_")
"""Names, or how they begin: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""


@contextmanager
def recorded_variables(package: str) -> Iterator[dict[str, Variable]]:
    """Record the variables that a package reads in the block, by itself or by `kinesis_handler.environment`.

    Those that Lambda sets by itself are left out, and those that the AWS SDK reads.

    Args:
        package: the name of the package, or of a module that is in none.
    """
    found: dict[str, Variable] = {}
    kind = type(os.environ)
    read = kind.__getitem__

    def recorded(environment: "os._Environ[str]", name: str) -> str:
        asked = _asked_by(sys._getframe(1)) & {package, *_READERS}  # noqa: SLF001 - as the standard library does
        is_set = False
        try:
            value = read(environment, name)
            is_set = True
        finally:
            if asked and not name.startswith(_SET_BY_LAMBDA):
                found[name] = Variable(name, is_set)
        return value

    # On the class: a default argument may hold the object itself.
    setattr(kind, "__getitem__", recorded)  # noqa: B010 - mypy refuses to assign to a method
    try:
        yield found
    finally:
        setattr(kind, "__getitem__", read)  # noqa: B010


def _asked_by(frame: FrameType | None) -> set[str]:
    """Return the module that asks, and the package that it is in."""
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__", "")) if frame is not None else ""
    return {module, module.partition(".")[0]}
