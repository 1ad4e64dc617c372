"""`table`: makes, describes and removes the DynamoDB tables of an application, for development."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table as Grid

from kinesis_handler.application import Application
from kinesis_handler.cli.application import ApplicationName, StoreUrl, load_application
from kinesis_handler.cli.console import echo, echo_json, standard_output
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.stream.checkpoint_repository import checkpoint_table_in
from kinesis_handler.stores import Table

app = typer.Typer(
    no_args_is_help=True,
    help="Make, describe and remove the DynamoDB tables that the application keeps its state in.",
)


@app.command()
def create(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    protect: Annotated[  # noqa: FBT002
        bool, typer.Option("--deletion-protection", help="Let nobody delete it before that is ended.")
    ] = False,
) -> None:
    """Make each table that is missing: on demand, its keys strings, its time to live on."""
    tables = _own_tables(load_application(application_name, store))
    for each in [table for table in tables if not table.exists()] or tables:
        each.create(deletion_protection=protect)
        echo(f"made the table {each.name}")


@app.command()
def describe(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show what each table is like."""
    described = [each.describe() for each in _tables(load_application(application_name, store))]
    if as_json:
        echo_json(described)
        return
    for description in described:
        grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, value in description.items():
            grid.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
        standard_output().print(grid)


@app.command()
def delete(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,  # noqa: FBT002
) -> None:
    """Remove each table with all that is in it, if --yes is given."""
    application = load_application(application_name, store)
    tables = [*_own_tables(application), *_checkpoint_tables(application)]
    if not yes:
        names = ", ".join(each.name for each in tables)
        raise ConfigurationError(f"this removes {names} with all that is in it, for good: say --yes")
    for each in tables:
        each.delete()
        echo(f"removed the table {each.name}")


def _tables(application: Application) -> Sequence[Table]:
    """Return the tables of the application's store, the same as every other command works with."""
    if not application.tables:
        raise ConfigurationError(
            "the application's store has no tables that could be made: say --store dynamodb:, "
            "or name it in the settings"
        )
    return application.tables


def _own_tables(application: Application) -> Sequence[Table]:
    """Return the tables of its one store. Raises ConfigurationError while it has two."""
    if application.replica is not None:
        raise ConfigurationError("a move is under way, so there are two stores: name one by --store")
    return _tables(application)


def _checkpoint_tables(application: Application) -> Sequence[Table]:
    """Return the one that `consume` has made: what it reads into a new table begins at the beginning."""
    table = checkpoint_table_in(application.store) if application.store is not None else None
    return [table] if table is not None and table.exists() else []
