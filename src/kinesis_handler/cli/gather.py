"""The options by which a process that reads a stream gathers records for longer than Lambda does."""

from typing import Annotated

import typer

from kinesis_handler.cli.times import parse_span
from kinesis_handler.local.gathering import Bounds

LONGEST = 300
"""Most seconds for which records are gathered: as long as Lambda's longest window."""

RECORDS = 50_000
MOST_RECORDS = 200_000
DATA_BYTES = 64 * 1_024 * 1_024
"""Largest batch, in bytes of its data in base64. Each shard that the process reads gathers its own."""

Gather = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Gather records for so long, 1s to 5m, so that one write serves more events. Each gets older by "
        "as much.",
    ),
]
GatherRecords = Annotated[
    int,
    typer.Option(
        min=1,
        max=MOST_RECORDS,
        help="With --gather: deliver sooner if so many records of a shard have been gathered, or 64 MB.",
    ),
]

RememberMb = Annotated[
    int,
    typer.Option(
        min=0,
        max=65_536,
        help="Memory, in MB, for the states that it has written last: they need not be read. 0: none.",
    ),
]


def gather_bounds(gather: str | None, records: int) -> Bounds | None:
    """Return when what is gathered is enough, by the options; None if nothing is gathered.

    Raises ConfigurationError that names the option, its value and what is allowed.
    """
    if gather is None:
        return None
    seconds = parse_span("--gather", gather, range(1, LONGEST + 1), "from 1s to 5m, such as 30s")
    return Bounds(seconds, records, DATA_BYTES)
