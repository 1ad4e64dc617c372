"""The cost of one batch in memory: the largest that Lambda delivers, in fresh processes.

10,000 records with 6 MB of data in base64, as much as Lambda puts into a batch. The fields that Kinesis and
Lambda add to each make the invocation about twice that as JSON.

How to read it: the peak memory of the process, as the system reports it, at three moments. At the start, all
is imported and built, and the table created. Then Lambda's runtime has read the invocation, and its text is
already freed. At the end the handler is done, and in memory it stores the limits. The handler's need is first
served from the memory freed by the text: the last peak is the function memory that a batch takes in total.
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
    """Return the peak MB of each contender: at the start, with the invocation, at the end."""
    use_local_settings()
    runs = 5 if full else 2
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        file = str(Path(folder, "invocation.json"))
        data, size = run(file)
        peaks = {
            name: max((run(file, how) for _ in range(runs)), key=lambda peaks: peaks[-1])
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
    # This process must stay small: the peak of a child starts with the memory of its parent.
    command = [sys.executable, "-m", "benchmarks.memory_run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    if done.returncode:
        sys.exit(f"memory_run.py failed:\n{done.stderr}")
    return [int(number) for number in done.stdout.split()]
