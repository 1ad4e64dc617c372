"""The commands with their options, as Typer describes them."""

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from kinesis_handler.cli.commands import app


def command_line_page() -> str:
    """Return the page of the commands."""
    command = get_command(app)
    context = Context(command, info_name="kinesis-handler")
    page = get_docs_for_click(obj=command, ctx=context, name="kinesis-handler", title="Command line")
    # In the documentation, a test runs what a console shows: a usage is not such an example.
    return f"{page.strip()}\n".replace("```console\n$ ", "```text\n")
