"""Implements `quarantine`: shows rejected and given-up records, with reasons and times."""

from collections.abc import Iterable, Sequence
from typing import Annotated, NoReturn

import typer
from rich.table import Column

from kinesis_handler.cli.application import ApplicationName, load_application
from kinesis_handler.cli.console import echo_json, echo_problems, plain_table, standard_output, styled
from kinesis_handler.quarantine.contents import Contents, read_quarantines, waiting_in
from kinesis_handler.quarantine.entry import Entry, described, readable
from kinesis_handler.quarantine.groups import Group, done_sentence, grouped, unfetched_in

MAX_SHOWN = 20
"""Most records shown by default; --json has all of it."""

Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Only records whose reason or error class contains this text.")
]
MAX_UNREADABLE = 20
"""Most unreadable objects that are named: a lifecycle rule may have archived thousands."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(no_args_is_help=True, help="Show which records were rejected or given up, and why.")


@app.command("list")
def list_reasons(
    application_name: ApplicationName = None,
    reason: Reason = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Count the waiting records by reason, with the arrival of the first and the last.

    The exit status is 1 if an object cannot be read, and so is not counted.
    """
    contents, entries = _waiting(application_name, reason)
    groups = grouped(entries)
    if as_json:
        echo_json(groups)
        _end(contents)
    print_groups(groups)
    console = standard_output()
    if done := done_sentence(contents):
        console.print(done, style="dim")
    for sentence in unfetched_in(contents):
        console.print(f"{sentence}: `redrive` fetches them", style="yellow")
    _end(contents)


@app.command()
def show(
    application_name: ApplicationName = None,
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=1, help="How many records, the latest first.")] = MAX_SHOWN,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show waiting records, the latest first: position in the stream, reason, data.

    The exit status is 1 if an object cannot be read.
    """
    contents, found = _waiting(application_name, reason)
    found.sort(key=lambda entry: entry.arrived_at or "", reverse=True)
    if as_json:
        echo_json(found[:limit])
        _end(contents)
    print_entries(found[:limit])
    console = standard_output()
    if len(found) > limit:
        console.print(f"… and {len(found) - limit:,} more: --limit shows them")
    elif not found:
        console.print("nothing is waiting")
    _end(contents)


def print_entries(entries: Iterable[Entry]) -> None:
    """Print records with their positions, reasons and data."""
    console = standard_output()
    for entry in entries:
        part = "" if entry.sub_sequence_number is None else f"-{entry.sub_sequence_number}"
        position = f"{entry.shard_id} {entry.sequence_number}{part}"
        console.print(styled(f"{entry.arrived_at or 'unknown'}  {position}", "bold"))
        console.print(styled(f"  {entry.error}: {entry.reason}", "yellow"))
        console.print(styled(f"  {described(entry)}"))
        console.print(styled(f"  {readable(entry.data)}", "dim"))


def print_groups(groups: Sequence[Group]) -> None:
    """Print a table with a row for each reason."""
    table = plain_table(
        Column("records", justify="right"),
        *(Column(heading, no_wrap=True) for heading in ("first", "last", "error")),
        Column("reason", overflow="fold"),
    )
    for each in groups:
        table.add_row(f"{each.records:,}", each.first, each.last, each.error, each.reason)
    standard_output().print(table if groups else "nothing is waiting")


def print_unreadable(contents: Sequence[Contents]) -> int:
    """Print the unreadable objects on standard error, with advice; return their number."""
    unreadable = [each for some in contents for each in sorted(some.unreadable.items())]
    echo_problems([f"not read: {name}: {why}" for name, why in unreadable], MAX_UNREADABLE)
    return len(unreadable)


def _end(contents: Sequence[Contents]) -> NoReturn:
    raise typer.Exit(1 if print_unreadable(contents) else 0)


def matches(entry: Entry, reason: str) -> bool:
    """Tell whether --reason selects an entry."""
    return reason in entry.reason or reason in entry.error


def _waiting(application_name: str | None, reason: str) -> tuple[list[Contents], list[Entry]]:
    """Return all contents, and the waiting entries, in the order of the stream."""
    contents = read_quarantines(load_application(application_name).quarantines)
    entries = [each.entry for each in waiting_in(contents).values()]
    return contents, [entry for entry in entries if matches(entry, reason)]
