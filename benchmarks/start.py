"""What a cold start costs: imports and building, in fresh processes.

* the handler with DynamoDB: all that runs on Lambda, with the request to DynamoDB Local that it begins with;
* the handler in memory;
* the peer: a handler as people write it, with a Table of boto3, and of Powertools the logger, the metrics,
  the batch processor and the parser with the models of powertools_models.py.

The peer sends no request: its first one, and the connection for it, come on top with its first batch.

How to read it: they take turns. The clock runs from the first import until the handler could be called; the
start of Python itself is left out. Each contender sees only the packages that it would be shipped with, for
some libraries import others where they find them. The best start of each counts, the one that was disturbed
least; the median of the ratios within each round stands beside the ratio. The files have been read before and
are compiled: a first start takes longer.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import median

from local_aws import dynamodb_local, use_local_settings
from user_limits import events
from user_limits.wiring import application

RUNS = 15
IMPORT_RUNS = 5
LARGEST = 5

PEER_AIM = 0.6

CLOCK = "the clock runs"

DYNAMODB, MEMORY, PEER = "kinesis-handler, DynamoDB", "kinesis-handler, in memory", "Powertools, boto3"

CODE = {
    DYNAMODB: """
import os
os.environ["REPOSITORY_TYPE"] = "dynamodb"
import user_limits.lambda_consumer
""",
    MEMORY: """
import user_limits.lambda_consumer
""",
    # The models take their literals from user_limits, and would import the whole handler with them.
    PEER: f"""
import types, typing
literals = types.ModuleType("user_limits.events")
literals.LimitStatus, literals.LimitType = {events.LimitStatus}, {events.LimitType}
literals.Period = {events.Period}
sys.modules["user_limits.events"] = literals
import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from powertools_models import EventRecord
logger = Logger(service="user-limits")
metrics = Metrics(namespace="UserLimits", service="user-limits")
processor = BatchProcessor(event_type=EventType.KinesisDataStreams, model=EventRecord)
table = boto3.resource("dynamodb").Table("UserLimits")
""",
}

_HANDLER = {"kinesis_handler", "user_limits", "msgspec", "pybase64", "structlog"}
_BOTOCORE = {"botocore", "dateutil", "jmespath", "six", "urllib3"}
_PYDANTIC = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
SHIPPED = {
    DYNAMODB: _HANDLER | _BOTOCORE,
    MEMORY: _HANDLER,
    PEER: {"aws_lambda_powertools", "boto3", "s3transfer", "user_limits"} | _BOTOCORE | _PYDANTIC,
}

Timings = Mapping[str, list[float]]


def main() -> None:
    use_local_settings()
    timings: Timings = {name: [] for name in CODE}
    with dynamodb_local() as endpoint:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
        application({}, "dynamodb:").tables[0].create()
        for name in CODE:
            start(name)  # compiles what is not yet
        for _ in range(RUNS):
            for name, taken in timings.items():
                taken.append(start(name)[0])
        report(timings)
        report_imports(DYNAMODB)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")


def start(name: str, *options: str) -> tuple[float, str]:
    """Start a contender in a process of its own. Return its ms, and what it told on standard error."""
    hidden = sorted(packages_distributions().keys() - SHIPPED[name])
    code = f"""
import sys
for name in {hidden}:
    sys.modules.setdefault(name)
sys.stderr.write("{CLOCK}")
from time import perf_counter
started = perf_counter()
{CODE[name]}
print((perf_counter() - started) * 1_000)
"""
    done = subprocess.run(  # noqa: S603 - the code is above
        [sys.executable, *options, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name} did not start:\n{done.stderr}")
    return float(done.stdout), done.stderr.partition(CLOCK)[2]


def report(timings: Timings) -> None:
    print(f"From the first import to a handler that can be called: best of {RUNS} starts, ratios of these")
    print()
    print(f"{'':28}{'ms':>8}{'x peer':>8}{'median':>8}")
    for name, taken in timings.items():
        print(f"{name:28}{min(taken):8.0f}{best_ratio(timings, name):8.2f}{median_ratio(timings, name):8.2f}")
    print()
    best, middle = best_ratio(timings, DYNAMODB), median_ratio(timings, DYNAMODB)
    print(
        f"With DynamoDB it takes {best:.2f} times (median of the rounds: {middle:.2f}) "
        f"the peer's time; aim: at most {PEER_AIM}"
    )
    print()


def best_ratio(timings: Timings, name: str) -> float:
    return min(timings[name]) / min(timings[PEER])


def median_ratio(timings: Timings, name: str) -> float:
    return median(a / b for a, b in zip(timings[name], timings[PEER], strict=True))


def report_imports(name: str) -> None:
    """Show the packages whose own modules take longest to import, and what is left for building."""
    total, packages = min((imports(name) for _ in range(IMPORT_RUNS)), key=lambda run: run[0])
    largest = sorted(packages, key=packages.__getitem__, reverse=True)
    print(f"{name}: where that goes, traced, which takes longer")
    print()
    print(f"{'largest imports':28}{'ms':>8}{'share':>8}")
    for package in largest[:LARGEST]:
        print(f"{package:28}{packages[package]:8.0f}{packages[package] / total:8.0%}")
    others = sum(packages[package] for package in largest[LARGEST:])
    building = total - sum(packages.values())
    print(f"{'other imports':28}{others:8.0f}{others / total:8.0%}")
    print(f"{'all else: the building':28}{building:8.0f}{building / total:8.0%}")
    print()


def imports(name: str) -> tuple[float, dict[str, float]]:
    """Return a contender's ms, and of these what the modules of each package took by themselves."""
    total, told = start(name, "-X", "importtime")
    packages: dict[str, float] = {}
    for microseconds, module in re.findall(r"^import time: +(\d+) \| +\d+ \| +([^.\s]+)", told, re.MULTILINE):
        package = "the standard library" if module in sys.stdlib_module_names else module
        packages[package] = packages.get(package, 0) + int(microseconds) / 1_000
    return total, packages


if __name__ == "__main__":
    main()
