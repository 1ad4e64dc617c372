"""Defines the commands."""

from pathlib import Path
from typing import Annotated

import typer

from kinesis_handler.cli.application import ApplicationName, Commands, Retries, StoreUrl, load_application
from kinesis_handler.cli.build import build
from kinesis_handler.cli.checkpoints import app as checkpoint_commands
from kinesis_handler.cli.console import echo, standard_output
from kinesis_handler.cli.consume import consume
from kinesis_handler.cli.describe import describe
from kinesis_handler.cli.events_file import open_events, read_records
from kinesis_handler.cli.history import history
from kinesis_handler.cli.migrate import app as migrate_commands
from kinesis_handler.cli.new import new
from kinesis_handler.cli.parked import app as parked_commands
from kinesis_handler.cli.parked import drop_key
from kinesis_handler.cli.project import events_file, named_application
from kinesis_handler.cli.put import put
from kinesis_handler.cli.quarantine import app as quarantine_commands
from kinesis_handler.cli.redrive import redrive
from kinesis_handler.cli.report import print_outcomes, print_result
from kinesis_handler.cli.run import run_locally
from kinesis_handler.cli.serve import serve_api
from kinesis_handler.cli.stored import get, list_partition
from kinesis_handler.cli.table import app as table_commands
from kinesis_handler.cli.worker import worker
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.json_api import JsonApi
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.version import __version__

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # else a paragraph keeps the line breaks of its source
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(table_commands, name="table")
app.add_typer(quarantine_commands, name="quarantine")
app.add_typer(parked_commands, name="parked")
app.add_typer(migrate_commands, name="migrate")
app.add_typer(checkpoint_commands, name="checkpoints")


app.command()(new)
app.command()(describe)
app.command()(build)
app.command()(get)
app.command(name="list")(list_partition)
app.command()(history)
quarantine_commands.command("drop")(drop_key)
app.command()(put)
app.command()(consume)
app.command()(worker)
app.command()(redrive)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        echo(f"kinesis-handler {__version__}")
        raise typer.Exit


@app.callback()
def kinesis_handler(
    version: Annotated[  # noqa: FBT002
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn a Kinesis stream of facts into current state.

    It works with any application. The function that builds it is named by --app package.module:name, by
    KINESIS_HANDLER_APP, or by `app` of `tool.kinesis-handler` in the pyproject.toml here.

    The exit status is 0 if nothing is left to do, 1 if something failed for good, is parked or cannot be
    read, 2 if the input, a setting or the store cannot be used.
    """


Events = typer.Argument(help="A JSON array, JSON lines, or a Lambda event with Records; - is standard input.")


@app.command()
def run(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    events: Annotated[Path | None, Events] = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in a batch.")] = 100,
    retries: Retries = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,  # noqa: FBT002
) -> None:
    """Run events through the handler, as Lambda would, and show the resulting state.

    The exit status is 0 if nothing failed for good or is parked, 1 if something did or is, or stored state
    cannot be read, 2 if there is nothing to run.
    """
    application = load_application(application_name, store)
    application.check(states=True)
    path = events_file(events)
    with open_events(path) as file:
        records = read_records(file, str(path), application.handler.envelope)
        tally = run_locally(application, records, batch_size=batch_size, retries=retries)
    all_read = print_result(application, tally, as_json=as_json)
    raise typer.Exit(1 if tally.unfinished or not all_read else 0)


@app.command()
def serve(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    events: Annotated[Path | None, Events] = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 for any free port.")] = 8_000,
    live: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--live",
            help="Generate demo events, about one a second; those of the file happen as if just now.",
        ),
    ] = False,
    insecure: Annotated[  # noqa: FBT002
        bool, typer.Option("--insecure", help="Let anyone on the network read everything, without a token.")
    ] = False,
    operator: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--operator",
            help="Serve the operator's page too, at /operator: outcomes, shards, what waits and why, redrive,"
            " drop.",
        ),
    ] = False,
) -> None:
    """Run events through the handler, if there are any, then serve the API until Ctrl-C.

    An application without an API of its own is served as JSON: /VIEW/PARTITION and /VIEW/PARTITION/SORT.

    With AUTH=none it listens on this machine only, unless --insecure is given; with --operator always.
    """
    minutes = Minutes() if live or events is not None else None
    application = load_application(application_name, store)
    api = application.api
    if api is None:
        if not application.views and not operator:
            name = named_application(application_name)
            raise ConfigurationError(f"--app is {name!r}, which has neither an API nor a view")
        api = JsonApi(application.views).for_command_line()
    application.check(states=True)
    if events is not None:
        with open_events(events) as file:
            records = read_records(file, str(events), application.handler.envelope)
            moved = application.demo_recording if live else None
            tally = run_locally(application, moved(records) if moved else records, minutes=minutes)
        print_outcomes(standard_output(), tally)
    serve_api(
        application,
        api,
        host=host,
        port=port,
        live=live,
        insecure=insecure,
        minutes=minutes,
        operator=operator,
    )
