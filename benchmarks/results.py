"""The measured figures and their machine: results.json. README and docs take all their figures from it."""

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("results.json")

Figures = dict[str, Any]


def read() -> dict[str, Figures]:
    """Return the figures of each part that has been measured."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def write(part: str, figures: Figures, *, full: bool) -> None:
    """Replace the figures of a part, with the machine that they were measured on."""
    results = read() | {part: {"machine": machine(), "full": full, **rounded(figures)}}
    FILE.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def rounded(figures: Figures) -> Figures:
    """Round each figure to four significant digits."""
    result: Figures = json.loads(json.dumps(figures), parse_float=lambda text: float(f"{float(text):.4g}"))
    return result


def machine() -> Figures:
    """Describe this machine, without anything about its owner."""
    described = Path("/proc/cpuinfo")
    models = re.findall(
        r"^model name\s*: (.+)", described.read_text() if described.exists() else "", re.MULTILINE
    )
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }
