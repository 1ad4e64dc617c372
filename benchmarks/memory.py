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
import os
import tempfile
from pathlib import Path

from benchmarks.records import invocations
from benchmarks.results import Figures
from benchmarks.start import CONTENDERS, make_table, start
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings

RECORDS = 10_000
MB = 1_024 * 1_024

WITHOUT_BOTO3 = "from benchmarks.powertools_peer import PowertoolsPeer; handler = PowertoolsPeer()"
"""The peer that stores the limits in memory."""

MEASURED = {
    "memory": CONTENDERS["memory"],
    "dynamodb": CONTENDERS["dynamodb"],
    "powertools": CONTENDERS["powertools"]._replace(start=WITHOUT_BOTO3),
}


def measure(*, full: bool) -> Figures:
    """Return the peak MB of each contender: at the start, with the invocation, at the end."""
    use_local_settings()
    runs = 5 if full else 2
    peaks: dict[str, list[dict[str, float]]] = {name: [] for name in MEASURED}
    [batch] = invocations(1, RECORDS)
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        os.environ |= {"LOG_LEVEL": "info", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        file = Path(folder, "batch.json")
        size = file.write_text(json.dumps(batch))
        for name, contender in MEASURED.items():
            for _ in range(runs):
                make_table()
                peaks[name].append(start(contender, file)["peak_mb"])
    return {
        "runs": runs,
        "base64_mb": sum(len(each["kinesis"]["data"]) for each in batch["Records"]) / MB,
        "json_mb": size / MB,
        "peak_mb": {name: max(each, key=lambda peak: peak["handled"]) for name, each in peaks.items()},
    }
