"""The memory that one batch takes: the largest that Lambda delivers, in fresh processes.

10,000 records with 6 MB of data in base64, as much as Lambda puts into a batch. The fields that Kinesis and
Lambda add to each make the invocation about twice that as JSON.

How to read it: the peak memory of the process, as the system reports it, at three moments. At the start, all
that runs on Lambda is imported and built. Then Lambda's runtime has read the invocation, and its text is
already freed. At the end the handler is done, and in memory it stores the limits. The handler's need is first
served from the memory freed by the text: the last peak is the function memory that a batch takes in total.
The processes are those of start.py: each sees only the packages that it would ship with.
"""

import json

from benchmarks.records import EVENTS_PER_LIMIT, Limits
from benchmarks.results import Figures
from benchmarks.rounds import take_turns
from benchmarks.start import CONSUMERS, starting

RECORDS = 10_000
MB = 1_024 * 1_024

MEASURED = {
    **CONSUMERS,
    "powertools": CONSUMERS["powertools"]._replace(module="benchmarks.powertools_in_memory"),
}


def measure(*, full: bool) -> Figures:
    """Return the peak MB of each contender: at the start, with the invocation, at the end."""
    runs = 5 if full else 2
    batch = Limits().batch(range(RECORDS // EVENTS_PER_LIMIT))
    with starting(MEASURED, dict.fromkeys(MEASURED, batch)) as starts:
        taken = take_turns(starts, runs).taken
    highest = {name: max(each, key=lambda run: run["handled_mb"]) for name, each in taken.items()}
    return {
        "runs": runs,
        "base64_mb": sum(len(each["kinesis"]["data"]) for each in batch["Records"]) / MB,
        "json_mb": len(json.dumps(batch)) / MB,
        "peak_mb": {
            name: {moment: run[f"{moment}_mb"] for moment in ("start", "invocation", "handled")}
            for name, run in highest.items()
        },
    }
