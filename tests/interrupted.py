"""What tests do to a handler between two calls: interrupt it, or kill it."""

from collections.abc import Callable
from random import Random
from typing import Any

from kinesis_handler.stores import Repository
from kinesis_handler.testing import FaultyRepository


class Killed(BaseException):
    """What ends a handler between two calls; nothing catches it."""


class Interrupted(FaultyRepository[Any]):
    """A repository before whose calls, and after whose writes, something may happen."""

    def __init__(self, repository: Repository[Any], interrupt: Callable[[], object]) -> None:
        super().__init__(repository, Random(0), budget=0)
        self._perhaps_fail_to_read = self._perhaps_fail_to_write = interrupt  # type: ignore[method-assign,assignment]
