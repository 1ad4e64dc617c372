"""The commands, and what they have in common: the application, and how errors are told."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kinesis_handler.application import Application
from kinesis_handler.cli.events_file import open_events, read_records
from kinesis_handler.cli.report import print_json, print_tables
from kinesis_handler.cli.run import run_locally
from kinesis_handler.errors import ConfigurationError, UnreadableInputError

DEFAULT_APPLICATION = "user_limits.wiring:application"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ApplicationName = Annotated[
    str,
    typer.Option(
        "--app",
        metavar="PACKAGE.MODULE:NAME",
        envvar="KINESIS_HANDLER_APP",
        help="The function that builds the application.",
    ),
]


@app.callback()
def kinesis_handler() -> None:
    """Turn a Kinesis stream of facts into current state."""


@app.command()
def run(
    events: Annotated[
        Path,
        typer.Argument(help="JSON array, JSON lines, or a Lambda event with Records; - is standard input."),
    ] = Path("data/events.json"),
    application_name: ApplicationName = DEFAULT_APPLICATION,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in a batch.")] = 100,
    retries: Annotated[int, typer.Option(min=0, help="Deliveries of a failed batch after the first.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,  # noqa: FBT002
) -> None:
    """Run events through the handler, as Lambda would, and show what they lead to.

    The exit status is 0 if nothing failed for good, 1 if something did, 2 if there is nothing to run.
    """
    with _told_errors():
        application = load_application(application_name)
        with open_events(events) as file:
            records = read_records(file, str(events))
            tally = run_locally(application, records, batch_size=batch_size, retries=retries)
    show = print_json if as_json else print_tables
    show(application, tally)
    raise typer.Exit(1 if tally.failed else 0)


def load_application(name: str) -> Application:
    """Build the application that `package.module:name` names.

    Raises ConfigurationError if it cannot be found, or what is found builds no application.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise ConfigurationError(f"--app is {name!r}; it takes the form package.module:name")
    sys.path.insert(0, str(Path.cwd()))  # an application of one's own need not be installed
    try:
        build = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"--app is {name!r}; there is no module {error.name!r}") from error
    except AttributeError as error:
        raise ConfigurationError(f"--app is {name!r}; {module_name} has no {attribute!r}") from error
    try:
        inspect.signature(build).bind()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"--app is {name!r}, which cannot be called without arguments") from error
    application = build()
    if not isinstance(application, Application):
        raise ConfigurationError(f"--app is {name!r}, which does not return an Application")
    return application


@contextmanager
def _told_errors() -> Iterator[None]:
    """Tell an error that the user can mend in one sentence, and end with status 2."""
    try:
        yield
    except (ConfigurationError, UnreadableInputError) as error:
        typer.secho("Error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
