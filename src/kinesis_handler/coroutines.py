"""Processes events by a coroutine function: those of different keys at once, those of one key in order.

Imported only where such a function is made a processor. The event loop is one for the whole process, and runs
in a thread of its own:

- a client that a coroutine opens lives on from batch to batch; `asyncio.run` for each batch would close the
  loop that its connections belong to;
- the handler may be called where a loop runs already, as in a notebook or an asynchronous test;
- a coroutine that blocks the loop does not keep the handler from answering before the deadline.
"""

import asyncio
import atexit
import math
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import update_wrapper
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Lock, Thread
from typing import Any, Generic

from kinesis_handler.batch import Batch
from kinesis_handler.deadline import Deadline, current_deadline
from kinesis_handler.errors import ConfigurationError, OutOfTimeError, RetryableError
from kinesis_handler.functions import require_plain, require_run
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.upcast import Upcasters
from kinesis_handler.outcome import APPLIED, HELD_BACK, OUT_OF_TIME, Outcome, Payload, Status, not_applied

DEFAULT_CONCURRENCY = 16
"""How many events are processed at once, unless the processor says otherwise."""

CLEAN_UP = 0.1
"""Seconds that cancelled coroutines have to end, before the handler answers without them."""

_CANCELLED = not_applied(OutOfTimeError("its coroutine was not done by the deadline, and was cancelled"))
_CANCELLED_ITSELF = not_applied(RetryableError("its coroutine was cancelled, and not by the handler"))


class CoroutineProcessor(Generic[Payload]):
    """A processor of events by a coroutine function, without state: see `event_processor`."""

    def __init__(
        self,
        function: Callable[[Event[Payload]], Awaitable[object]],
        event_types: Mapping[str, type[Any]],
        key: Callable[[Event[Any]], object],
        upcast: Upcasters,
        concurrency: int,
    ) -> None:
        update_wrapper(self, function)
        self.reader_name: str | None = None
        """Its name, if that is not the function's."""
        self._name = str(getattr(self, "__name__", type(self).__name__))
        require_plain(key, f"the key of {self._name}")
        if type(concurrency) is not int or concurrency < 1:
            raise ConfigurationError(
                f"the concurrency of {self._name} is {concurrency!r}; allowed: a whole number from 1 up"
            )
        self.event_types = event_types
        self.upcast = upcast
        self._function = function
        self._key = key
        self._concurrency = concurrency

    async def __call__(self, event: Event[Payload]) -> None:
        """Call the function itself, as its own tests do."""
        await self._function(event)

    def process(self, events: Sequence[Event[Payload]], batch: Batch) -> None:
        """Process the events until the deadline, at which what still runs is cancelled.

        After a failure the later events of its key are held back.
        """
        queues = self._by_key(events, batch)
        if not batch.has_time:
            return
        work = _Work(self._outcome, queues, current_deadline())
        deadline = current_deadline().for_a_first_attempt()
        workers = min(self._concurrency, len(queues))
        running = asyncio.run_coroutine_threadsafe(work.run(workers), event_loop())
        try:
            while (left := deadline.seconds_left()) > 0 and work.settle_next(batch, left):
                work.is_stopped = work.is_stopped or not batch.has_time
        finally:
            work.is_stopped = True
            running.cancel()
        while work.settle_next(batch, CLEAN_UP):
            pass
        late = [event for queue in queues for event in queue if event not in batch.outcomes]
        if late:
            batch.settle({event: _CANCELLED if event in work.begun else OUT_OF_TIME for event in late})

    def _by_key(self, events: Sequence[Event[Payload]], batch: Batch) -> list[list[Event[Payload]]]:
        """Return the events of each key, in their order; settle those whose key is none."""
        queues: dict[object, list[Event[Payload]]] = {}
        without_key: dict[Event[Payload], Outcome] = {}
        for event in events:
            try:
                key = self._key(event)
                require_run(key, f"the key of {self._name}")
                queues.setdefault(key, []).append(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
                without_key[event] = not_applied(error)
        if without_key:
            batch.settle(without_key)
        return [*queues.values()]

    async def _outcome(self, event: Event[Payload]) -> Outcome:
        try:
            require_run(await self._function(event), self._name)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return _CANCELLED_ITSELF  # by itself, or by a task that it awaited
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
            return not_applied(error)
        return APPLIED


class _Work(Generic[Payload]):
    """The work of one batch in the event loop, as the thread that waits for it sees it.

    Args:
        outcome_of: processes an event.
        queues: the events of each key.
        deadline: no further event is begun if one as slow as the slowest so far would not be done by then.
            The first ones are begun however late it is: without that, a delivery would make no progress.
    """

    def __init__(
        self,
        outcome_of: Callable[[Event[Payload]], Coroutine[Any, Any, Outcome]],
        queues: Iterable[Sequence[Event[Payload]]],
        deadline: Deadline,
    ) -> None:
        self.begun: set[Event[Payload]] = set()
        """The events that have been begun."""
        self.is_stopped = False
        """Whether no further event is begun."""
        self._has_ended = False
        self._outcome_of = outcome_of
        self._queues = iter(queues)
        self._seconds_left = deadline.seconds_left
        self._slowest: float | None = None
        self._done: SimpleQueue[Mapping[Event[Payload], Outcome] | BaseException | None] = SimpleQueue()

    def settle_next(self, batch: Batch, seconds: float) -> bool:
        """Wait until further events have outcomes, and settle them; return False if there are none.

        Args:
            batch: is only touched here, by the thread that was called with it.
            seconds: to wait at most.

        Raises what a coroutine raises that is no `Exception`, such as SystemExit.
        """
        if self._has_ended:
            return False
        try:
            done = self._done.get(timeout=None if seconds == math.inf else min(seconds, TIMEOUT_MAX))
        except Empty:
            return False
        if isinstance(done, BaseException):
            raise done
        if done is None:
            self._has_ended = True
            return False
        batch.settle(done)
        return True

    async def run(self, workers: int) -> None:
        """Process all events, as many at once as there are workers."""
        try:
            await asyncio.gather(*(self._process_keys() for _ in range(workers)))
        finally:
            self._done.put(None)

    async def _process_keys(self) -> None:
        """Process the events of one key after the other, until none is left that no other worker took."""
        for queue in self._queues:
            for index, event in enumerate(queue):
                if self.is_stopped or (self._slowest is not None and self._seconds_left() < self._slowest):
                    return
                self.begun.add(event)
                # In a task of its own, so that the context variables that it sets are its own.
                outcome = await asyncio.create_task(self._process(event))
                if outcome is None:
                    return
                if outcome.status is Status.FAILED:
                    self._done.put({event: outcome, **dict.fromkeys(queue[index + 1 :], HELD_BACK)})
                    break
                self._done.put({event: outcome})

    async def _process(self, event: Event[Payload]) -> Outcome | None:
        """Return the outcome of an event; None if the caller is to end by what was raised."""
        begun = self._seconds_left()
        try:
            return await self._outcome_of(event)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised where the batch is waited for
            self.is_stopped = True
            self._done.put(error)
            return None
        finally:
            self._slowest = max(self._slowest or 0.0, begun - self._seconds_left())


_lock = Lock()
_loop: asyncio.AbstractEventLoop | None = None


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of this process, which is started at the first call."""
    global _loop  # noqa: PLW0603 - one for the process, as its clients belong to it
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            thread = Thread(target=_loop.run_forever, name="coroutines", daemon=True)
            thread.start()
            atexit.register(_end, _loop, thread)
        return _loop


def _end(loop: asyncio.AbstractEventLoop, thread: Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(CLEAN_UP)
    if not thread.is_alive():
        loop.close()


def _forget() -> None:
    """Forget the loop in a forked process: its thread has stayed behind."""
    global _lock, _loop
    _lock, _loop = Lock(), None


os.register_at_fork(after_in_child=_forget)
