"""Prints the output of all commands, with text of producers escaped.

Ids, names, keys and reasons come from producers. They are printed neither as markup nor as escape sequences.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from kinesis_handler.printable import printable, printable_json, printable_lines

PLAIN_WIDTH = 120
"""Smallest width of a line in a file or a pipe, in characters."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class PlainConsole(Console):
    """A console that prints text as text: without markup, and with control characters escaped.

    A string is escaped before it is laid out, in any table. Make a `Text` with `styled`, which does the same;
    any other `Text` is escaped when it is written.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
        if not self.is_terminal:
            self.width = max(self.width, PLAIN_WIDTH)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as a text of one line."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, escaped."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=printable_lines(segment.text))


def standard_output() -> PlainConsole:
    """Return the console for reports; a file or a pipe is wide enough for a table."""
    return PlainConsole()


def standard_error() -> PlainConsole:
    """Return the console for problems and progress."""
    return PlainConsole(stderr=True)


def styled(text: str, style: str = "") -> Text:
    """Return a text in a style of rich (`bold`, `red`, `dim`)."""
    return Text(printable(text), style)


def plain_table(*columns: Column | str) -> Table:
    """Return a table without lines."""
    return Table(*columns, box=None, header_style="dim", padding=(0, 2, 0, 0))


def plain_grid(*columns: Column) -> Table:
    """Return a table without lines and headings, indented by two spaces: names, and what each is."""
    return Table(*columns, box=None, show_header=False, padding=(0, 0, 0, 2))


def echo(text: str, style: str = "", *, err: bool = False) -> None:
    """Print a sentence on one line, however long it is."""
    PlainConsole(stderr=err).print(styled(text, style), soft_wrap=True)


def echo_problems(problems: Sequence[str], most: int, total: int | None = None) -> None:
    """Print problems on standard error, at most so many, and how many more there are of a total."""
    for each in problems[:most]:
        echo(each, "red", err=True)
    more = (len(problems) if total is None else total) - most
    if more > 0:
        echo(f"… and {more:,} more", "red", err=True)


def echo_error(text: str) -> None:
    """Print an error on standard error."""
    standard_error().print(Text.assemble(("Error: ", "bold red"), styled(text)), soft_wrap=True)


def echo_json(document: object) -> None:
    """Print a document as one line of JSON, numbers exact."""
    sys.stdout.write(printable_json(_encoder.encode(document).decode()) + "\n")
    sys.stdout.flush()
