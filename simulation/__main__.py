"""The command: `python -m simulation`."""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from simulation import pages
from simulation.application import APPLICATIONS
from simulation.report import Figures, print_failure, print_figures, write_figures
from simulation.run import read_case, run
from simulation.seeds import be_quiet, reports_of
from simulation.shrink import shrunk
from testkit.arguments import positive

SEEDS, EVENTS, PROCESSES = 1_000, 10_000, 2
MOST_FAILURES = 3
"""How many seeds that fail are shrunk before the run ends."""


def main() -> None:
    """Simulate seeds, compare each with the oracle, and shrink those that fail."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=main.__doc__)
    parser.add_argument("--seeds", type=positive, default=SEEDS, help="how many; default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed; default: %(default)s")
    parser.add_argument(
        "--events", type=positive, default=EVENTS, help="events of each seed; default: %(default)s"
    )
    parser.add_argument("--processes", type=positive, default=PROCESSES, help="default: %(default)s")
    parser.add_argument(
        "--case", type=Path, help="run this case, a file as a failure prints it, and no seeds"
    )
    parser.add_argument(
        "--application", choices=APPLICATIONS, default="bank", help="what is simulated; default: %(default)s"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the figures into a file of JSON, also when it is interrupted",
    )
    parser.add_argument("--part", help="name of the figures in that file; default: the application")
    parser.add_argument(
        "--docs", action="store_true", help="write the docs from simulation/results.json, and run nothing"
    )
    given = parser.parse_args()
    if given.docs:
        pages.update()
        return
    console = Console(highlight=False, soft_wrap=True)
    if given.case is not None:
        be_quiet()
        report = run(read_case(given.case.read_bytes()))
        if report.differences:
            print_failure(console, report)
        sys.exit(1 if report.differences else 0)
    figures, began = Figures(given.processes), time.monotonic()
    seeds = range(given.first, given.first + given.seeds)
    try:
        for report in reports_of(seeds, given.events, given.processes, given.application):
            figures.add(report)
            if report.differences:
                print_failure(console, shrunk(report))
            if figures.failed == MOST_FAILURES:
                break
    except KeyboardInterrupt:
        console.print("interrupted: these are the figures of the seeds that have ended")
    figures.seconds = time.monotonic() - began
    print_figures(console, figures)
    if given.report is not None:
        write_figures(given.report, given.part or given.application, figures)
    sys.exit(1 if figures.failed else 0)


if __name__ == "__main__":
    main()
