"""The command: `python -m testkit.load`."""

import typer

from testkit.load.command import load

# As the library's own commands: a paragraph fills the lines of the terminal, a bug shows a plain traceback.
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False, add_completion=False)
app.command()(load)
app(prog_name="python -m testkit.load")
