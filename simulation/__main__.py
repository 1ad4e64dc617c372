"""The command: `python -m simulation`."""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from simulation.report import Figures, print_failure, print_figures
from simulation.run import read_case, run
from simulation.seeds import be_quiet, reports_of
from simulation.shrink import shrunk
from testkit.arguments import positive

SEEDS, EVENTS, PROCESSES = 1_000, 10_000, 2
MOST_FAILURES = 3
"""How many seeds that fail are shrunk before the run ends."""


def main() -> None:
    """Simulate seeds, compare each with the ledger, and shrink those that fail."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=main.__doc__)
    parser.add_argument("--seeds", type=positive, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed; default: %(default)s")
    parser.add_argument("--events", type=positive, default=EVENTS, help="of a seed; default: %(default)s")
    parser.add_argument("--processes", type=positive, default=PROCESSES, help="default: %(default)s")
    parser.add_argument(
        "--case", type=Path, help="run this case, a file as a failure prints it, and no seeds"
    )
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    if given.case is not None:
        be_quiet()
        report = run(read_case(given.case.read_bytes()))
        if report.differences:
            print_failure(console, report)
        sys.exit(1 if report.differences else 0)
    figures, began = Figures(), time.monotonic()
    for report in reports_of(range(given.first, given.first + given.seeds), given.events, given.processes):
        figures.add(report)
        if report.differences:
            print_failure(console, shrunk(report))
        if figures.failed == MOST_FAILURES:
            break
    print_figures(console, figures, time.monotonic() - began)
    sys.exit(1 if figures.failed else 0)


if __name__ == "__main__":
    main()
