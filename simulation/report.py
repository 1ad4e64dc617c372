"""Prints what runs have come to."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kinesis_handler.outcome import Status
from simulation.checks import checks_of
from simulation.faults import Fault
from simulation.run import Report, write_case

MOST_DIFFERENCES = 10


class Figures:
    """The sums of several runs.

    Args:
        processes: how many there are at once.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.seconds = 0.0
        """How long all of them took."""
        self.runs = self.failed = self.events = 0
        self.cpu_seconds = 0.0
        self.injected: Counter[Fault] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()

    def add(self, report: Report) -> None:
        """Add a run."""
        self.runs += 1
        self.failed += bool(report.differences)
        self.events += report.events
        self.cpu_seconds += report.seconds
        self.injected.update(report.struck.values())
        self.outcomes.update(report.outcomes)
        self.checked.update(report.checked)

    @property
    def rate(self) -> int:
        """Events per second, in all processes together."""
        return round(self.events / self.seconds) if self.seconds else 0

    @property
    def cpu_rate(self) -> int:
        """Events per second of CPU time."""
        return round(self.events / self.cpu_seconds) if self.cpu_seconds else 0

    def document(self) -> dict[str, Any]:
        """Return all of them, for a file."""
        return {
            "date": datetime.now(UTC).date().isoformat(),
            "seeds": self.runs,
            "failed": self.failed,
            "events": self.events,
            "processes": self.processes,
            "seconds": round(self.seconds),
            "eventsPerSecond": self.rate,
            "eventsPerCpuSecond": self.cpu_rate,
            "faults": {fault.value: self.injected[fault] for fault in Fault},
            "outcomes": {status.value: self.outcomes[status] for status in Status},
            "checked": dict(sorted(self.checked.items())),
        }


def write_figures(path: Path, part: str, figures: Figures) -> None:
    """Write the figures of a part into a file, and leave its other parts as they are."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known[part] = figures.document()
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def print_figures(console: Console, figures: Figures) -> None:
    """Print how often what occurred, and whether all runs ended as the oracle says."""
    table = Table(box=None, pad_edge=False)
    table.add_column("injected")
    table.add_column("times", justify="right")
    for fault in Fault:
        table.add_row(fault, f"{figures.injected[fault]:,}")
    table.add_row("all of them", f"{figures.injected.total():,}")
    console.print(table)
    console.print()
    counts = ", ".join(f"{figures.outcomes[status]:,} {status}" for status in Status)
    console.print(f"{figures.checked['batches']:,} deliveries: {counts}")
    console.print(
        f"{figures.events:,} events in {figures.seconds:,.0f} seconds: {figures.rate:,} a second with "
        f"{figures.processes} processes, {figures.cpu_rate:,} per second of CPU time"
    )
    console.print()
    print_checks(console, figures)
    console.print()
    if figures.failed:
        console.print(
            f"{figures.failed:,} of {figures.runs:,} seeds differ from the oracle", style="bold red"
        )
    else:
        console.print(f"{figures.runs:,} seeds, each as the oracle says", style="bold")


def print_checks(console: Console, figures: Figures) -> None:
    """Print how often each guarantee was checked."""
    table = Table(box=None, pad_edge=False)
    table.add_column("guarantee")
    table.add_column("checked")
    for name, checks in checks_of([figures.document()]).items():
        table.add_row(name, checks)
    console.print(table)


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
