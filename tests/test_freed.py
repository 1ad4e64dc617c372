"""A batch is freed when it is over, whatever became of its events: an instance handles millions."""

import gc
from typing import Any
from weakref import ref

import pytest

from fuzz.samples import CREATED
from kinesis_handler import BusinessError, Event, KinesisHandler, Projection, RejectedError, event_processor
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation

EVENT = {"eventId": "a", "type": CREATED, "createdAt": 1, "payload": {}}
ERRORS = [RejectedError("never"), BusinessError("not yet"), ValueError("a bug")]


def projection_that_raises(error: Exception) -> Any:
    class Raises(Projection[dict[str, int], dict[str, int]]):
        event_types = {CREATED: dict}

        def key(self, event: Event[dict[str, int]]) -> tuple[str, str]:
            return event.type, event.id

        def apply(self, _: dict[str, int] | None, event: Event[dict[str, int]]) -> dict[str, int]:
            raise type(error)(*error.args) from KeyError(event.id)

    return Raises(MemoryRepository())


def function_that_raises(error: Exception) -> Any:
    @event_processor({CREATED: dict})
    def fails(event: Event[dict[str, int]]) -> None:
        raise type(error)(*error.args) from KeyError(event.id)

    return fails


@pytest.mark.parametrize("make", [projection_that_raises, function_that_raises])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_batch_is_freed_in_which_an_event_was_not_applied(make: Any, error: Exception) -> None:
    handler = KinesisHandler([make(error)])

    def handle() -> ref[Any]:
        return ref(handler.handle(invocation([EVENT, b"{"])))

    handled = handle()
    gc.collect()

    assert handled() is None
