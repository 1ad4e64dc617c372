"""Prints what runs have come to."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from kinesis_handler.outcome import Status
from simulation.faults import Fault
from simulation.run import Report, write_case

MOST_DIFFERENCES = 10


class Figures:
    """The sums of several runs."""

    def __init__(self) -> None:
        self.runs = self.failed = self.events = self.deliveries = 0
        self.cpu_seconds = 0.0
        self.injected: Counter[Fault] = Counter()
        self.outcomes: Counter[str] = Counter()

    def add(self, report: Report) -> None:
        """Add a run."""
        self.runs += 1
        self.failed += bool(report.differences)
        self.events += report.events
        self.deliveries += report.deliveries
        self.cpu_seconds += report.seconds
        self.injected.update(report.struck.values())
        self.outcomes.update(report.outcomes)


def print_figures(console: Console, figures: Figures, seconds: float) -> None:
    """Print how often what occurred, and whether all runs ended as the ledger says."""
    table = Table(box=None, pad_edge=False)
    table.add_column("injected")
    table.add_column("times", justify="right")
    for fault in Fault:
        table.add_row(fault, f"{figures.injected[fault]:,}")
    table.add_row("all of them", f"{figures.injected.total():,}")
    console.print(table)
    console.print()
    counts = ", ".join(f"{figures.outcomes[status]:,} {status}" for status in Status)
    console.print(f"{figures.deliveries:,} deliveries: {counts}")
    rate = figures.events / figures.cpu_seconds if figures.cpu_seconds else 0
    console.print(
        f"{figures.events:,} events in {seconds:,.0f} seconds; {rate:,.0f} events per second of CPU time"
    )
    console.print()
    if figures.failed:
        console.print(
            f"{figures.failed:,} of {figures.runs:,} seeds differ from the ledger", style="bold red"
        )
    else:
        console.print(f"{figures.runs:,} seeds, each as the ledger says", style="bold")


def print_failure(console: Console, report: Report) -> None:
    """Print a run that failed: its differences, and the case that repeats it."""
    console.print(f"seed {report.case.seed}", style="bold red")
    for each in report.differences[:MOST_DIFFERENCES]:
        console.print(f"  {each}", markup=False)
    console.print(
        "repeat it by `python -m simulation --case FILE`; as a test: put FILE into simulation/found/"
    )
    console.print(write_case(report.replayed).decode(), markup=False)
    console.print()
