"""Implements `parked`, and `quarantine drop`: the keys for which events wait, and how to give them up."""

import getpass
import time
from typing import Annotated

import typer
from rich.table import Column

from kinesis_handler.cli.application import ApplicationName, StoreUrl, exit_on_error, load_application
from kinesis_handler.cli.console import echo_json, plain_table, standard_output, styled
from kinesis_handler.cli.quarantine import AsJson, print_entries
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.redrive.notes import drop, parked_keys
from kinesis_handler.local.redrive.rounds import drop_question, dropped_sentence, nothing_waits, parked_for
from kinesis_handler.quarantine.contents import read_quarantines

Partition = Annotated[str, typer.Argument(help="First part of the key.")]
Sort = Annotated[str, typer.Argument(help="Second part of the key.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Show the keys whose events wait in the quarantine, because one of them could not be applied.",
)


@app.command("list")
def list_keys(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the parked keys: since when, how many events wait, and why. The longest wait comes first."""
    with exit_on_error():
        application = load_application(application_name, store)
        found = parked_keys(application.handler.repositories, read_quarantines(application.quarantines))
    if as_json:
        echo_json(found)
        return
    console = standard_output()
    if not found:
        console.print("no key is parked")
        return
    table = plain_table(
        *(Column(each, overflow="fold") for each in ("partition", "sort", "since", "reader")),
        Column("events", justify="right"),
        Column("why", overflow="fold"),
    )
    for each in found:
        table.add_row(
            styled(each.partition, "bold cyan"),
            styled(each.sort, "bold"),
            each.since,
            styled(each.reader),
            styled(each.count, "red" if each.is_incomplete else ""),
            styled(each.reason, "yellow"),
        )
    console.print(table)
    console.print("when the cause is mended: `kinesis-handler redrive --through handler`", style="dim")


@app.command()
def show(
    partition: Partition,
    sort: Sort,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the events that wait for one key, in their order. The exit status is 1 if there are none."""
    with exit_on_error():
        application = load_application(application_name, store)
        found = parked_for(read_quarantines(application.quarantines), (partition, sort))
    if as_json:
        echo_json(found)
    elif found:
        print_entries(found)
    else:
        standard_output().print(styled(nothing_waits((partition, sort))))
    raise typer.Exit(0 if found else 1)


def drop_key(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    key: Annotated[tuple[str, str], typer.Option(metavar="PARTITION SORT", help="The parked key.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why its events shall never be applied.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decides it; by default the user's name.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Give up the parked events of one key: none is applied, and the key goes on without them.

    They stay in the quarantine, marked as dropped, with who and why, until `redrive --delete`. The exit
    status is 1 if nothing waits for the key.
    """
    with exit_on_error():
        application = load_application(application_name, store)
        contents = read_quarantines(application.quarantines)
        question = drop_question(key, len(parked_for(contents, key)))
        if not because.strip():
            raise ConfigurationError("--because is empty: say why these events shall never be applied")
        if not yes and not typer.confirm(question, err=as_json):
            raise typer.Exit(1)
        why = f"by {by or getpass.getuser()}: {because}"
        notes, records = drop(application.handler.repositories, contents, key, why, time.time())
    if as_json:
        echo_json({"notes": notes, "records": records})
        raise typer.Exit(0 if notes or records else 1)
    standard_output().print(styled(dropped_sentence(key, notes, records)))
    if not notes and not records:
        raise typer.Exit(1)
