"""The measured figures and their machine: results.json. README and docs take all their figures from it."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.rounds import rounded

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("results.json")

Figures = dict[str, Any]


def read() -> dict[str, Figures]:
    """Return the figures of each part that has been measured."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def write(part: str, figures: Figures, *, full: bool) -> None:
    """Replace the figures of a part, with the machine that they were measured on."""
    results = read()
    results[part] = {"machine": machine(), "full": full, **rounded(figures)}
    FILE.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def machine() -> Figures:
    """Describe this machine, without anything about its owner."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _cpu() -> str:
    """Return the model of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
