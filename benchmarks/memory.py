"""The memory that one batch takes: the largest that Lambda delivers, in fresh processes.

10,000 records with 6 MB of data in base64, as much as Lambda puts into a batch. The fields that Kinesis and
Lambda add to each make the invocation about twice that as JSON.

How to read it: the peak memory of the process, as the system reports it, at three moments. At the start, all
is imported and built, and the table created. Then Lambda's runtime has read the invocation, and its text is
already freed. At the end the handler is done, and in memory it stores the limits. The handler's need is first
served from the memory freed by the text: the last peak is the function memory that a batch takes in total.

The processes run `python -m benchmarks.memory FILE`, which writes an invocation, and then, with `memory`,
`powertools` or the endpoint of DynamoDB behind it, handles that.
"""

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import ROOT

MB = 1_024 * 1_024


def measure(*, full: bool) -> dict[str, Any]:
    """Return the peak MB of each contender: at the start, with the invocation, at the end."""
    from testkit.emulators.dynamodb_local import dynamodb_local  # noqa: PLC0415 - a process imports what it needs
    from testkit.emulators.local_settings import use_local_settings  # noqa: PLC0415

    use_local_settings()
    runs = 5 if full else 2
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        file = str(Path(folder, "invocation.json"))
        data, size = run(file)
        peaks = {
            name: max((run(file, how) for _ in range(runs)), key=lambda peaks: peaks[-1])
            for name, how in (("memory", "memory"), ("dynamodb", endpoint), ("powertools", "powertools"))
        }
    moments = ("start", "invocation", "handled")
    return {
        "runs": runs,
        "base64_mb": data / MB,
        "json_mb": size / MB,
        "peak_mb": {
            name: {moment: peak / MB for moment, peak in zip(moments, each, strict=True)}
            for name, each in peaks.items()
        },
    }


def run(*arguments: str) -> list[int]:
    """Run this module in a process, and return the numbers that it prints."""
    # This process must stay small: the peak of a child starts with the memory of its parent.
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    if done.returncode:
        sys.exit(f"memory.py failed:\n{done.stderr}")
    return [int(number) for number in done.stdout.split()]


def write(file: Path) -> None:
    from benchmarks.records import invocations  # noqa: PLC0415

    [invocation] = invocations(1, 10_000)
    file.write_text(json.dumps(invocation))
    print(sum(len(record["kinesis"]["data"]) for record in invocation["Records"]), file.stat().st_size)


def handle(file: Path, how: str) -> None:
    from kinesis_handler import configure_logging  # noqa: PLC0415
    from kinesis_handler.local.event_source import LocalContext  # noqa: PLC0415

    configure_logging("benchmark", "info", io.StringIO())
    function = made(how)
    context = LocalContext(time.monotonic, time.monotonic() + 60)
    started = peak()
    invocation = json.loads(file.read_bytes())  # as Lambda's runtime does
    loaded = peak()
    if function(invocation, context)["batchItemFailures"]:
        sys.exit("records failed")
    print(started, loaded, peak())


def made(how: str) -> Callable[[Any, Any], Any]:
    """Return the function to be measured. Modules that it does not need are not imported."""
    if how == "powertools":
        from benchmarks.powertools_peer import PowertoolsPeer  # noqa: PLC0415

        return PowertoolsPeer()
    from kinesis_handler import KinesisHandler, open_store  # noqa: PLC0415
    from user_limits.limit import Limit  # noqa: PLC0415
    from user_limits.processor import UserLimitEventProcessor  # noqa: PLC0415

    url = "inmemory:" if how == "memory" else f"dynamodb://Table-{time.time_ns()}?endpoint={how}"
    store = open_store(url)
    repository = store.repository(Limit, ("userId", "limitId"))
    store.provision()
    return KinesisHandler([UserLimitEventProcessor(repository)])


def peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    path, *how = sys.argv[1:]
    handle(Path(path), *how) if how else write(Path(path))
