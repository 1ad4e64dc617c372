"""Prints the result of a run: tables for people, one JSON object for machines."""

from collections.abc import Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from rich.console import Console
from rich.table import Column
from rich.text import Text

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.application import Application, View
from kinesis_handler.cli.console import echo_json, echo_problems, plain_table, standard_output, styled
from kinesis_handler.cli.tally import Tally
from kinesis_handler.outcome import Status
from kinesis_handler.printable import counted

MAX_ROWS = 100
MAX_READ = 10_000
"""Most rows printed, and most aggregates read: a store may hold far more than a person wants to see."""

_STYLES = {
    Status.APPLIED: "green",
    Status.REJECTED: "yellow",
    Status.PARKED: "magenta",
    Status.FAILED: "bold red",
}


def print_result(application: Application, tally: Tally, *, as_json: bool, with_views: bool = True) -> bool:
    """Print every view, and what has become of the records; return whether all of it could be read.

    Args:
        application: has the views.
        tally: counts the records.
        as_json: print one JSON object, with numbers exact, instead of tables.
        with_views: False to print what has become of the records alone.
    """
    unreadable: list[Exception] = []
    stored = [
        (view, view.repository.scan(on_unreadable=lambda _key, error: unreadable.append(error)))
        for view in (application.views if with_views else ())
    ]
    if as_json:
        documents = {
            view.name: [view.document(each) for each in sorted(aggregates, key=attrgetter("key"))]
            for view, aggregates in stored
        }
        echo_json({"outcomes": tally.outcomes, "remarks": tally.remarks, **documents})
    else:
        for view, aggregates in stored:
            _print_view(standard_output(), view, aggregates)
        print_summary(tally)
    echo_problems([f"cannot be read: {error}" for error in unreadable], MAX_ROWS)
    return not unreadable


def print_summary(tally: Tally) -> None:
    """Print the count of each outcome and remark, and the records that failed for good."""
    console = standard_output()
    print_outcomes(console, tally)
    for handled in tally.failed:
        event = f"event {handled.event.id}, " if handled.event is not None else ""
        record = f"record {handled.record.sequence_number}"
        console.print(f"failed for good: {event}{record}: {handled.outcome.error}", style="red")
    if tally.outcomes[Status.PARKED]:
        console.print("why records are parked: `kinesis-handler parked list`", style="magenta")
    more = tally.outcomes[Status.FAILED] - len(tally.failed)
    if more:
        console.print(f"… and {more:,} more failed for good", style="red")


def print_outcomes(console: Console, tally: Tally) -> None:
    """Print the count of each outcome and remark, on one line."""
    total = sum(tally.outcomes.values())
    found = [(status, count) for status, count in tally.outcomes.items() if count]
    line = Text(f"{counted(total, 'record')}{': ' if found else ''}", "bold")
    line.append_text(
        Text(", ").join(Text(f"{count:,} {status}", _STYLES.get(status, "")) for status, count in found)
    )
    if tally.remarks:
        remarks = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.remarks.items()))
        line.append_text(styled(f" · remarks: {remarks}", "yellow"))
    console.print(line)


def _print_view(console: Console, view: View[Any], found: Iterator[Aggregate[Any]]) -> None:
    """Print a table with the aggregates of each partition below its name."""
    aggregates = sorted(islice(found, MAX_READ), key=attrgetter("key"))
    table = plain_table(*(Column(heading, overflow="fold") for heading in view.headings))
    for partition, group in groupby(aggregates[:MAX_ROWS], key=lambda aggregate: aggregate.key[0]):
        table.add_row(styled(partition, "bold cyan"))
        for aggregate in group:
            table.add_row(*(styled(*cell) for cell in view.row(aggregate)))
        table.add_row()
    if aggregates:
        console.print(table)
    else:
        console.print(f"no {view.name}")
    if len(aggregates) > MAX_ROWS:
        at_least = "at least " if len(aggregates) == MAX_READ else ""
        more = len(aggregates) - MAX_ROWS
        console.print(f"… and {at_least}{more:,} more {view.name}: --json prints all of them")
