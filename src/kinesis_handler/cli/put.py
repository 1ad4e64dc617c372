"""Implements `put`: puts a file of events onto a real stream."""

import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from kinesis_handler.cli.application import ApplicationName, StreamName, load_application
from kinesis_handler.cli.console import echo
from kinesis_handler.cli.events_file import open_events, read_contents
from kinesis_handler.cli.project import events_file, names_application
from kinesis_handler.envelopes import Native
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.writer import MAX_RECORDS, StreamWriter, create_stream
from kinesis_handler.printable import counted


def put(
    stream: StreamName,
    events: Annotated[
        Path | None,
        typer.Argument(help="A JSON array, JSON lines, or a Lambda event with Records; - is standard input."),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            "--create", metavar="SHARDS", min=1, help="Create the stream first, with this number of shards."
        ),
    ] = None,
    application_name: ApplicationName = None,
) -> None:
    """Put events onto a stream, those of one aggregate in order.

    The application's envelope says which aggregate an event is of; without an application, the native one.

    The exit status is 0 if all were put, 1 if some were refused for good, 2 if it cannot work.
    """
    put_count, refused = 0, 0
    path = events_file(events)
    has_application = application_name is not None or names_application()
    envelope = load_application(application_name).handler.envelope if has_application else Native()
    client = kinesis_client()
    if shards is not None:
        create_stream(client, stream, shards)
    writer = StreamWriter(client, stream, time.sleep)
    with open_events(path) as file:
        records = read_contents(file, str(path), envelope)
        while batch := list(islice(records, MAX_RECORDS)):
            left = writer.put(batch)
            put_count += len(batch) - len(left)
            refused += len(left)
            for reason in sorted(set(left.values())):
                echo(reason, "red", err=True)
    refusals = f", {refused:,} refused" if refused else ""
    echo(f"{counted(put_count, 'record')} put onto {stream}{refusals}")
    raise typer.Exit(1 if refused else 0)
