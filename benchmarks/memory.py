"""What one batch costs in memory: the largest that Lambda delivers, in fresh processes.

10,000 records with 6 MB of data in base64, as much as Lambda puts into a batch. What Kinesis and Lambda say
about each makes the invocation about twice that as JSON.

How to read it: the peak of what the system says that the process holds, three times. At the start all is
imported and built, and the table made; then Lambda's runtime has read the invocation, of which the text is
gone again; then the handler is done, and in memory keeps the limits. What it needs is first taken out of what
the text has left: the last peak says what function memory a batch takes in all.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import ROOT, Figures
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings

MB = 1_024 * 1_024


def measure(*, full: bool) -> Figures:
    """Return the MB that each contender has held, at most: at the start, with the invocation, in the end."""
    use_local_settings()
    runs = 5 if full else 2
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        file = str(Path(folder, "invocation.json"))
        data, size = run(file)
        peaks = {
            name: max((run(file, how) for _ in range(runs)), key=lambda told: told[-1])
            for name, how in (("memory", "memory"), ("dynamodb", endpoint), ("powertools", "powertools"))
        }
    return {
        "runs": runs,
        "base64_mb": data / MB,
        "json_mb": size / MB,
        "peak_mb": {
            name: {"start": started / MB, "invocation": loaded / MB, "handled": handled / MB}
            for name, (started, loaded, handled) in peaks.items()
        },
    }


def run(*arguments: str) -> list[int]:
    """Run memory_run.py and return the numbers that it prints."""
    # This process must stay small: what a child has held begins with what its parent holds.
    command = [sys.executable, "-m", "benchmarks.memory_run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        sys.exit(f"memory_run.py failed:\n{done.stderr}")
    return [int(number) for number in done.stdout.split()]
