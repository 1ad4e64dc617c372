"""How far a long piece of work is, how fast, and how long it will take: on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)

from kinesis_handler.cli.console import standard_error

EVERY = 0.2
"""Seconds between two looks."""


@contextmanager
def progress(what: str, done: Callable[[], int], total: Callable[[], int]) -> Iterator[None]:
    """Show how far the block is.

    Args:
        what: stands behind the number.
        done: tells how many there have been.
        total: tells about how many there will be; 0 if that is not known. Asked for on a terminal only.
    """
    console = standard_error()
    if not console.is_terminal:
        yield
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} {task.description}"),
        BarColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    task = bar.add_task(what, total=total() or None, completed=done())
    over = Event()

    def follow() -> None:
        while not over.wait(EVERY):
            bar.update(task, completed=done())

    thread = Thread(target=follow, daemon=True)
    with bar:
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class _Rate(ProgressColumn):
    """Items a second, over the last ones."""

    def render(self, task: Task) -> str:
        """Return what is shown."""
        return f"{task.speed:,.0f}/s" if task.speed else ""
