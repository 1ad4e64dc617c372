"""Implements `checkpoints`: shows how far `consume` has read a stream into a store, and moves that."""

import time
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Column

from kinesis_handler.cli.application import ApplicationName, StoreUrl, StreamName, load_application
from kinesis_handler.cli.console import echo, echo_json, plain_table, standard_output, styled
from kinesis_handler.cli.consume import open_checkpoints
from kinesis_handler.cli.starting_point import starting_point
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints, goes_on
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.outages import as_utc
from kinesis_handler.local.stream.reader import StreamReader

PLAIN_WIDTH = 160
"""Width of the output without a terminal, in columns: a sequence number alone has 56."""

app = typer.Typer(
    no_args_is_help=True,
    help="Show how far `consume` has read a stream into a store, or move its checkpoints.",
)


@app.command()
def show(
    stream: StreamName,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show where reading each shard continues, and when that was last moved.

    The first line names the process that reads the stream into this store, if there is one.
    """
    application = load_application(application_name, store)
    reader = StreamReader(kinesis_client(default_region=application.default_region), stream)
    stored = Checkpoints(open_checkpoints(application), reader.identity)
    rows, owner = stored.rows(), stored.owner()
    listed = [each.id for each in reader.shards()]
    described = [
        {
            "shard": shard,
            "goesOn": goes_on(row.state if (row := rows.get(shard)) else None),
            "arrived": as_utc(row.state.arrived_at / 1_000)
            if row and row.state.arrived_at is not None
            else None,
            "moved": as_utc(row.updated_at / 1_000) if row else None,
        }
        for shard in sorted({*rows, *listed})
    ]
    if as_json:
        echo_json(described)
        return
    console = standard_output()
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(f"read by {owner}" if owner else "read by no process", style="dim")
    headings = ("shard", "goes on", "arrived", "moved")
    table = plain_table(*(Column(heading, overflow="fold") for heading in headings))
    for each in described:
        table.add_row(*(styled(str(value or "")) for value in each.values()))
    console.print(table)


@app.command()
def reset(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    stream: StreamName,
    to: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="trim-horizon (the oldest record), latest, a time, how long ago, or a sequence number of the"
            " shard, to continue after it.",
        ),
    ],
    shard: Annotated[str | None, typer.Option(metavar="ID", help="Only this shard, instead of all.")] = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Move the checkpoints.")] = False,  # noqa: FBT002
) -> None:
    """Move where the next `consume` continues, if --yes is given.

    Records that are read again are recognised, and counted once. Skipped records are missing in the store.
    The command is refused while a process reads the stream into this store.
    """
    application = load_application(application_name, store)
    reader = StreamReader(kinesis_client(default_region=application.default_region), stream)
    targets = _targets(reader, starting_point("--to", to, reader, numbers=True), shard)
    stored = Checkpoints(open_checkpoints(application), reader.identity)
    what = f"{shard} of {stream}" if shard else f"every shard of {stream} ({len(targets)})"
    if not yes:
        raise ConfigurationError(f"this puts {what} to {to}, wherever they have been read to: say --yes")
    stored.reset(targets, time.time())
    echo(f"put {what} to {to}")


def _targets(reader: StreamReader, target: Checkpoint, shard: str | None) -> Mapping[str, Checkpoint]:
    """Return the new checkpoint of each shard. Raises ConfigurationError if it is impossible."""
    listed = [each.id for each in reader.shards()]
    if shard is None and target.after is not None:
        raise ConfigurationError("--to is a sequence number, which is of one shard: say --shard")
    if shard is not None and shard not in listed:
        raise ConfigurationError(f"--shard is {shard!r}; the stream {reader.name!r} has {', '.join(listed)}")
    return dict.fromkeys([shard] if shard is not None else listed, target)
