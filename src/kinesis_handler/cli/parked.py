"""Implements `parked`, and `quarantine drop`: the keys for which events wait, and how to give them up."""

import getpass
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Column

from kinesis_handler.cli.application import ApplicationName, StoreUrl, load_application
from kinesis_handler.cli.console import echo, echo_json, echo_problems, plain_table, standard_output, styled
from kinesis_handler.cli.quarantine import MAX_UNREADABLE, AsJson, print_entries, print_unreadable
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.redrive.notes import ParkedKey, all_parked_keys, drop, parked_keys
from kinesis_handler.local.redrive.rounds import drop_question, dropped_sentence, nothing_waits, parked_for
from kinesis_handler.quarantine.contents import read_quarantines

Partition = Annotated[str, typer.Argument(help="First part of the key.")]
Sort = Annotated[str, typer.Argument(help="Second part of the key.")]

MISSING = (
    "a key whose events are not all in the quarantine is not released: restore its objects, or give it up by "
    "`kinesis-handler quarantine drop`"
)
NONE_KNOWN = "no parked key in the quarantine; --scan reads the whole store for those of which it has nothing"

app = typer.Typer(
    no_args_is_help=True,
    help="Show the keys whose events wait in the quarantine, because one of them could not be applied.",
)


@app.command("list")
def list_keys(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    scan: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--scan", help="Read the whole store: find keys of which the quarantine has nothing."),
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the parked keys: since when, how many events wait, and why. The longest wait comes first.

    The exit status is 1 if something cannot be read, and so may be missing.
    """
    damaged: list[str] = []
    application = load_application(application_name, store)
    contents = read_quarantines(application.quarantines)
    read = all_parked_keys if scan else parked_keys
    found = read(application.handler.repositories, contents, lambda _, error: damaged.append(str(error)))
    if as_json:
        echo_json(found)
    else:
        _print_keys(found, is_all=scan)
    echo_problems(damaged, MAX_UNREADABLE)
    raise typer.Exit(1 if print_unreadable(contents) or damaged else 0)


@app.command()
def show(
    partition: Partition,
    sort: Sort,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show why one key is parked, and the events that wait for it, in their order.

    The exit status is 1 if none wait, if some are not in the quarantine, or if something cannot be read.
    """
    key = (partition, sort)
    problems: list[str] = []
    application = load_application(application_name, store)
    contents = read_quarantines(application.quarantines)
    found = parked_for(contents, key)
    repositories = application.handler.repositories
    notes = parked_keys(repositories, contents, lambda _, error: problems.append(str(error)), key)
    if as_json:
        echo_json(found)
    else:
        for each in notes:
            echo(f"parked for {each.reader} since {each.since}, events: {each.count}. {each.reason}")
        print_entries(found)
        if not found and not notes and not problems:
            echo(nothing_waits(key))
    problems += [MISSING for each in notes if each.is_incomplete]
    echo_problems(problems, len(problems))
    raise typer.Exit(1 if print_unreadable(contents) or problems or not found else 0)


def _print_keys(found: Sequence[ParkedKey], *, is_all: bool) -> None:
    """Print a table with a row for each parked key, and what to do."""
    console = standard_output()
    if not found:
        console.print("no key is parked" if is_all else NONE_KNOWN)
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
    if any(each.is_incomplete for each in found):
        console.print(MISSING, style="dim")


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
    status is 1 if nothing waits for the key, or if an object cannot be read, and so is not marked.
    """
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
    else:
        echo(dropped_sentence(key, notes, records))
    raise typer.Exit(1 if print_unreadable(contents) or not (notes or records) else 0)
