"""Shows the progress, rate and remaining time of a long operation, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

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
from kinesis_handler.local.background import in_background

SHOWN_AFTER, EVERY = 1.0, 0.2
"""Seconds before the first update, and between two of them."""


@contextmanager
def progress(what: str, done: Callable[[], int], total: Callable[[], int]) -> Iterator[None]:
    """Show the progress of the block, if it takes longer than a moment.

    Args:
        what: the text after the number.
        done: returns how many there have been.
        total: returns about how many there will be; 0 if unknown. It is called on a terminal only.
    """
    console = standard_error()
    if not console.is_terminal:
        yield
        return
    expected = total() or None
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} {task.description}"),
        *([BarColumn()] if expected else []),
        _Rate(),
        *([TimeRemainingColumn(), TextColumn("left")] if expected else []),
        console=console,
        transient=True,
    )
    task = bar.add_task(what, total=expected, completed=done())

    def follow(over: Event) -> None:
        if over.wait(SHOWN_AFTER):
            return
        with bar:
            while not over.wait(EVERY):
                bar.update(task, completed=done())

    with in_background(follow, "progress"):
        yield


class _Rate(ProgressColumn):
    """Recent items a second."""

    def render(self, task: Task) -> str:
        """Return the text of the column."""
        return f"{task.speed:,.0f}/s" if task.speed else ""
