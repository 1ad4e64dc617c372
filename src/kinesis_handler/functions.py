"""Checks that what is called for an event is a plain function, which is done when it returns. Pure."""

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import AsyncGeneratorType, FunctionType, GeneratorType, MethodType
from typing import Any

from kinesis_handler.errors import ConfigurationError, InvalidResultError

_KINDS: list[tuple[Callable[[Any], bool], str]] = [
    (iscoroutinefunction, "a coroutine function"),
    (isasyncgenfunction, "an async generator function"),
    (isgeneratorfunction, "a generator function"),
]

UNRUN = (Awaitable, GeneratorType, AsyncGeneratorType)
"""Classes of results that have not run yet, or not to their end."""


def require_plain(function: Callable[..., object], name: str) -> None:
    """Refuse a function whose call alone runs nothing of its body.

    Args:
        function: any callable; a partial is looked into, and an object at its `__call__`.
        name: its name in the message.

    Raises ConfigurationError.
    """
    for is_kind, kind in _KINDS:
        if any(map(is_kind, _called(function))):
            raise ConfigurationError(
                f"{name} is {kind}: to call it does nothing. "
                "Allowed: a plain function, which may itself run a coroutine by asyncio.run"
            )


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Return whether a call of the function returns a coroutine, as far as that is declared."""
    return any(map(iscoroutinefunction, _called(function)))


def _called(function: Callable[..., object]) -> tuple[Callable[..., object], Callable[..., object]]:
    """Return a callable without the partials around it, and what its call runs."""
    while isinstance(function, partial):
        function = function.func
    is_function = isinstance(function, FunctionType | MethodType)
    return function, function if is_function else type(function).__call__


def unrun(result: object) -> str | None:
    """Describe a result that has not run yet, and close it; return None for any other result."""
    if isinstance(result, Awaitable):
        kind = "a coroutine or another awaitable, which nobody awaits"
    elif isinstance(result, UNRUN):
        kind = "a generator, which nobody iterates"
    else:
        return None
    if callable(close := getattr(result, "close", None)):
        close()  # a coroutine that is dropped would say on stderr that it was never awaited
    return kind


def require_run(result: object, name: str) -> None:
    """Refuse a result that has not run yet.

    Raises InvalidResultError, which names the function.
    """
    if result is not None and (kind := unrun(result)) is not None:
        raise InvalidResultError(f"{name} returned {kind}: nothing has been done")
