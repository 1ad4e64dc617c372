"""The handler under a load: the ages of events at each rate, and whether its memory grows.

`python -m testkit.load` runs at one rate after the other; then, for ten minutes, at a rate that leaves the
machine spare capacity (in the short run for 20 seconds), with its memory measured half-way and near the end.
"""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.results import ROOT, Figures
from benchmarks.rounds import one_by_one, progress

RATES = (1_000, 5_000, 10_000, 20_000)
USERS = 1_000
SOAK_RATE = 2_000
SOAK_USERS = 50
"""So few that each limit has as many latest changes and past periods half-way as it ever will."""
MB = 1_024 * 1_024


def measure(*, full: bool) -> Figures:
    """Return ages by rate, and the memory over the time of the soak."""
    seconds, soak = (10, 600) if full else (3, 20)
    rates = one_by_one({str(rate): rate for rate in RATES}, partial(run, seconds=seconds))
    progress(f"soak of {soak} seconds")
    return {"rates": rates, "soak": run(SOAK_RATE, soak, SOAK_USERS)}


def run(rate: int, seconds: int, users: int = USERS) -> Figures:
    """Run a load; return its figures, with its CPU, and its memory half-way and near the end."""
    options = ["--rate", str(rate), "--for", f"{seconds}s", "--users", str(users)]
    options += ["--store", "inmemory:", "--json"]
    before = os.times()
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-m", "testkit.load", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOG_LEVEL": "error", "STORAGE_TTL": "0"},
    ) as process:
        time.sleep(seconds / 2)
        settled = held_mb(process.pid)
        time.sleep(seconds * 0.45)
        memory = {"settled_mb": settled, "end_mb": held_mb(process.pid)}
        figures: Figures = json.loads(process.stdout.read() if process.stdout else "")
    after = os.times()
    if figures["failed"] or figures["outcomes"]["applied"] != figures["sent"]:
        sys.exit(f"{rate:,} events a second: not all were applied: {figures}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    names = ("sent", "seconds", "rate", "age_ms", "failed")
    return {**{name: figures[name] for name in names}, "cores": cpu / figures["seconds"], "memory": memory}


def held_mb(process: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB
