"""Runs many seeds in several processes."""

import gc
import os
import signal
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from kinesis_handler import configure_logging
from simulation.application import Name
from simulation.run import Report, case_of, run


def reports_of(seeds: range, events: int, processes: int, application: Name = "bank") -> Iterator[Report]:
    """Run the seeds in some processes, which share nothing, and yield a report for each."""
    os.environ["PYTHONHASHSEED"] = "0"  # a set of strings has the same order in each of them
    be_quiet()
    with get_context("spawn").Pool(processes, _begin) as pool:
        yield from pool.imap_unordered(partial(_run_seed, application, events), seeds, chunksize=1)


def _begin() -> None:
    """Set up a process. An interruption ends it by its parent, which prints what there is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_quiet()


def _run_seed(application: Name, events: int, seed: int) -> Report:
    report = run(case_of(seed, events, application))
    gc.collect()  # a world is full of cycles, and large
    return report if report.differences else report.without_events()


def be_quiet() -> None:
    """Write no logs, and look for garbage seldom: a run makes little of it."""
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    configure_logging("simulation", "critical", nowhere)
    gc.set_threshold(200_000, 50, 50)
