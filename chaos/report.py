"""The result of a run, for a person."""

from rich.console import Console
from rich.table import Table

from chaos.run import Options, Report
from kinesis_handler.outcome import Status

MAX_DIFFERENCES = 10


def print_report(console: Console, report: Report) -> None:
    """Print the injected faults, the outcomes of the stream, and the verdict in the last line."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("injected")
    table.add_column("times", justify="right")
    for fault, times in report.injected.items():
        table.add_row(fault, f"{times:,}")
    table.add_row("all of them", f"{sum(report.injected.values()):,}", style="bold")
    console.print(table)
    console.print()
    console.print("survived", style="dim")
    counts = [f"{number:,} {status}" for status, number in report.outcomes.items() if number]
    console.print(
        f"{sum(report.outcomes.values()):,} events in {report.records:,} records: {', '.join(counts)}"
    )
    console.print(
        f"{report.batches:,} batches delivered {report.deliveries:,} times, {report.outages:,} outages"
    )
    console.print(f"{report.conflicts:,} conflicts with other handlers' writes")
    console.print(
        f"{report.outcomes[Status.REJECTED]:,} events rejected, {report.quarantined:,} in the quarantine"
    )
    console.print(f"{report.parked:,} limits were parked, {report.waiting:,} of them wait for ever")
    speed = report.options.events / report.seconds
    console.print(f"{report.seconds:,.1f} seconds, {speed:,.0f} events/s")
    console.print()
    _print_verdict(console, report)


def _print_verdict(console: Console, report: Report) -> None:
    if not report.differences:
        console.print(f"The same as one clean pass: {report.limits:,} limits.", style="bold green")
        return
    for each in report.differences[:MAX_DIFFERENCES]:
        console.print(each, style="red", markup=False, soft_wrap=True)
    number = len(report.differences)
    if number > MAX_DIFFERENCES:
        console.print(f"… and {number - MAX_DIFFERENCES:,} more", style="red")
    again = command(report.options)
    console.print(f"NOT the same as one clean pass: {number:,} differences. Again: {again}", style="bold red")


def command(options: Options) -> str:
    """Return the command that repeats a run."""
    return f"python -m chaos --seed {options.seed} --events {options.events} --shards {options.shards}"
