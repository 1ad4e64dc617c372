"""`quarantine`: what was rejected, why, and since when."""

import base64
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from kinesis_handler.cli.application import (
    DEFAULT_APPLICATION,
    ApplicationName,
    load_application,
    told_errors,
)
from kinesis_handler.cli.report import clean, standard_output
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.quarantine import Entry, entries

MAX_SHOWN = 20
MAX_TEXT = 500
"""Characters of a record's data: a person wants to see what it is like. --json has the whole."""

Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Only records whose reason, or kind of error, has this in it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def quarantine() -> None:
    """See which records were rejected, and why."""


@app.command("list")
def list_reasons(
    application_name: ApplicationName = DEFAULT_APPLICATION,
    reason: Reason = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Count the rejected records by their reason, with the arrival of the first and the last."""
    found = sorted(_entries(application_name, reason), key=_why)
    groups = [(*why, list(each)) for why, each in groupby(found, key=_why)]
    if as_json:
        _print_json(
            {"error": error, "reason": why, "records": len(each), "first": _first(each), "last": _last(each)}
            for error, why, each in groups
        )
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("records", justify="right")
    for heading in ("first", "last", "error"):
        table.add_column(heading, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for error, why, each in sorted(groups, key=lambda group: -len(group[2])):
        table.add_row(f"{len(each):,}", _first(each), _last(each), error, Text(clean(why)))
    standard_output().print(table if groups else "nothing was rejected")


@app.command()
def show(
    application_name: ApplicationName = DEFAULT_APPLICATION,
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=1, help="How many records, from the latest back.")] = MAX_SHOWN,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show rejected records, the latest first: their place in the stream, the reason, the data."""
    found = sorted(_entries(application_name, reason), key=lambda entry: entry.arrived_at or "", reverse=True)
    if as_json:
        _print_json(found[:limit])
        return
    console = standard_output()
    for entry in found[:limit]:
        place = f"{entry.shard_id} {entry.sequence_number}-{entry.sub_sequence_number}"
        console.print(Text(f"{entry.arrived_at or 'unknown'}  {clean(place)}", "bold"))
        console.print(Text(clean(f"  {entry.error}: {entry.reason}"), "yellow"))
        event = f"  event {entry.event_id} of type {entry.event_type}" if entry.event_id else "  no event"
        console.print(Text(clean(event)))
        console.print(Text(f"  {_readable(entry.data)}", "dim"))
    if len(found) > limit:
        console.print(f"… and {len(found) - limit:,} more: --limit shows them")
    elif not found:
        console.print("nothing was rejected")


def _entries(application_name: str, reason: str) -> list[Entry]:
    with told_errors():
        kept = load_application(application_name).quarantine
        if kept is None:
            raise ConfigurationError("there is no quarantine: the settings name none")
        return [entry for entry in entries(kept) if any(reason in each for each in _why(entry))]


def _why(entry: Entry) -> tuple[str, str]:
    return entry.error, entry.reason


def _first(group: Sequence[Entry]) -> str:
    return min(entry.arrived_at or "unknown" for entry in group)


def _last(group: Sequence[Entry]) -> str:
    return max(entry.arrived_at or "" for entry in group) or "unknown"


def _print_json(things: Iterable[object]) -> None:
    sys.stdout.write(msgspec.json.encode(list(things)).decode() + "\n")


def _readable(data: str) -> str:
    """Return a record's data as text, on one line, or in base64 if it is none."""
    try:
        text = " ".join(base64.b64decode(data, validate=True).decode().split())
    except ValueError:
        text = data
    return clean(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")
