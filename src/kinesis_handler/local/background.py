"""Work that goes on in a thread while something else does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def in_background(work: Callable[[Event], None], name: str, last: float | None = None) -> Iterator[None]:
    """Let `work` go on in a thread while the block runs. It is passed the event that ends it.

    Args:
        work: ends when the event is set.
        name: of the thread.
        last: seconds for which its end is waited for; None for as long as it takes.
    """
    over = Event()
    thread = Thread(target=work, args=(over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(last)
