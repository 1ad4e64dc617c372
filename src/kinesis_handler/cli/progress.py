"""Shows the progress, rate and remaining time of a long operation, on a terminal only."""

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
"""Seconds between two updates."""


@contextmanager
def progress(what: str, done: Callable[[], int], total: Callable[[], int]) -> Iterator[None]:
    """Show the progress of the block.

    Args:
        what: the text after the number.
        done: returns how many there have been.
        total: returns about how many there will be; 0 if unknown. It is called on a terminal only.
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
    """Recent items a second."""

    def render(self, task: Task) -> str:
        """Return the text of the column."""
        return f"{task.speed:,.0f}/s" if task.speed else ""
