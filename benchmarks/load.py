"""The handler under a load: the ages of events at each rate, and whether its memory grows.

`python -m testkit.load` sends the events of a thousand synthetic users to the shard in memory, at one rate
after the other; then, for ten minutes, at a rate that leaves the machine spare capacity (in the short run for
20 seconds). Meanwhile the memory of its process is measured repeatedly: in a process that stores only the
limits of its users, and has seen all users half-way, it must not grow any more.

One process does everything: it generates the events, delivers them, and handles them. The age of an event is
measured from its scheduled send time, and includes the 50 ms for which events are gathered.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import ROOT, Figures
from benchmarks.rounds import progress

RATES = (1_000, 5_000, 10_000, 20_000)
SOAK_RATE = 2_000
SAMPLES = 120
MB = 1_024 * 1_024


def measure(*, full: bool) -> Figures:
    """Return ages by rate, and the memory over the time of the soak."""
    seconds, soak = (10, 600) if full else (3, 20)
    rates = {}
    for rate in RATES:
        progress(f"{rate:,} events a second")
        rates[str(rate)] = run(rate, seconds)[0]
    progress(f"{SOAK_RATE:,} events a second for {soak} seconds")
    figures, held = run(SOAK_RATE, soak)
    # The last sample is of a process that was about to end.
    return {
        "rates": rates,
        "soak": {**figures, "memory": {"settled_mb": held[len(held) // 2], "end_mb": held[-2]}},
    }


def run(rate: int, seconds: int) -> tuple[Figures, list[float]]:
    """Run a load; return its figures, with its CPU, and samples of its memory in MB."""
    command = [sys.executable, "-m", "testkit.load", "--json"]
    arguments = ["--rate", str(rate), "--for", f"{seconds}s", "--store", "inmemory:"]
    samples: list[float] = []
    before = os.times()
    with subprocess.Popen(  # noqa: S603 - our own code
        [*command, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOG_LEVEL": "error", "STORAGE_TTL": "0"},
    ) as process:
        while process.poll() is None:
            time.sleep(seconds / SAMPLES)
            if held := held_mb(process.pid):
                samples.append(held)
        figures: Figures = json.loads(process.stdout.read() if process.stdout else "")
    after = os.times()
    if figures["failed"] or figures["outcomes"]["applied"] != figures["sent"]:
        sys.exit(f"{rate:,} events a second: not all were applied: {figures}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    names = ("sent", "seconds", "rate", "age_ms", "failed")
    return {**{name: figures[name] for name in names}, "cores": cpu / figures["seconds"]}, samples


def held_mb(process: int) -> float | None:
    """Return the resident memory of a process; None if it has ended, or the system does not report it."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / MB
