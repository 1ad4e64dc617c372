"""The cost of a cold start: imports and building, then the first invocation, in fresh processes.

For the stream, a first batch of ten records:

* the consumer with DynamoDB: all that runs on Lambda, including its first request to the table;
* the consumer in memory;
* the peer: powertools_lambda.py, which sends its first request with its first record.

For the API, a first request for a user's limits, through Mangum:

* the API, in memory;
* FastAPI with pydantic models: fastapi_peer.py, which gets an empty store, and imports nothing of this
  project.

They take turns, with one round that is not counted: it reads and compiles the files. The clock runs from the
first import; the start of Python itself is left out. Each contender sees only the packages that it would ship
with, because some libraries import others if they find them.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import packages_distributions, requires
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from benchmarks.records import invocations
from benchmarks.results import ROOT, Figures
from benchmarks.rounds import take_turns
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.http_api import payload
from testkit.emulators.local_settings import use_local_settings
from testkit.emulators.npm_package import last_lines
from user_limits.wiring import application

FIRST_BATCH = 10

_OURS = ("msgspec", "pybase64", "structlog")
_CONSUMER = "from user_limits.lambda_consumer import handler"
_FASTAPI = """
from mangum import Mangum
from benchmarks.fastapi_peer import peer
from types import SimpleNamespace as Empty
store = Empty(find=lambda *_, **__: Empty(aggregates=(), cursor=None))
shown = Empty(tag_of_list=lambda *_: "", is_known=lambda *_: False)
handler = Mangum(peer(store, shown), lifespan="off")
"""


class Contender(NamedTuple):
    """What defines `handler`, the distributions that it is deployed with, and its settings."""

    start: str
    shipped: tuple[str, ...]
    settings: Mapping[str, str] = {}
    is_api: bool = False


CONTENDERS = {
    "dynamodb": Contender(_CONSUMER, (*_OURS, "botocore"), {"REPOSITORY_TYPE": "dynamodb"}),
    "memory": Contender(_CONSUMER, _OURS),
    "powertools": Contender(
        "from benchmarks.powertools_lambda import handler", ("aws-lambda-powertools[parser]", "boto3")
    ),
    "api": Contender(
        "from user_limits.lambda_api import handler",
        (*_OURS, "litestar", "mangum"),
        {"AUTH": "none"},
        is_api=True,
    ),
    "fastapi": Contender(_FASTAPI, ("fastapi", "mangum"), is_api=True),
}

_numbers = count()

_OWN = {"kinesis_handler", "user_limits"}


def measure(*, full: bool) -> Figures:
    """Return the ms of each contender's start and first invocation."""
    use_local_settings()
    rounds = 20 if full else 5
    times: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        os.environ |= {"LOG_LEVEL": "info", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        batch, request = Path(folder, "batch.json"), Path(folder, "request.json")
        batch.write_text(json.dumps(invocations(1, FIRST_BATCH)[0]))
        request.write_text(json.dumps(first_request()))

        def timed(name: str) -> float:
            contender = CONTENDERS[name]
            times[name].append(start(contender, request if contender.is_api else batch)["ms"])
            return sum(times[name][-1].values())

        def prepare(name: str) -> Callable[[], float]:
            make_table()
            return partial(timed, name)

        taken = take_turns({name: partial(prepare, name) for name in CONTENDERS}, rounds)
    return {
        "rounds": rounds,
        "first_batch": FIRST_BATCH,
        "ms": {
            name: {part: median(each[part] for each in measured[1:]) for part in ("start", "first")}
            for name, measured in times.items()
        },
        "consumer_of_powertools": taken.compared("dynamodb", "powertools"),
        "api_of_fastapi": taken.compared("api", "fastapi"),
    }


def make_table() -> None:
    """Make a new table for the next start: in the last one its first batch would be known already."""
    os.environ["USER_LIMIT_TABLE_NAME"] = f"Limits-{next(_numbers)}"
    application(os.environ, "dynamodb:").store.provision()  # type: ignore[union-attr]


def first_request() -> Any:
    return payload(
        method="GET",
        target="/api/v1/users/user-1/limits",
        headers=[("host", "limits.example")],
        body=b"",
        source_ip="192.0.2.7",
        route="$default",
    )


def start(contender: Contender, file: Path) -> dict[str, dict[str, float]]:
    """Start a contender in a separate process, and let it handle an invocation from a file.

    Returns the ms of its start and of the invocation; and its peak memory in MB behind each, and behind the
    reading of the invocation in between.
    """
    hidden = sorted(packages_distributions().keys() - modules(contender.shipped) - _OWN)
    code = f"""
import json, sys, types
for name in {hidden}:
    sys.modules.setdefault(name)
def peak():  # of this program alone: what the system reports of a process begins with its parent's
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
context = types.SimpleNamespace(
    aws_request_id="first", function_name="limits", memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:limits",
    get_remaining_time_in_millis=lambda: 60_000,
)
from time import perf_counter
begun = perf_counter()
{contender.start}
start, at_start = perf_counter() - begun, peak()
event = json.loads(open({str(file)!r}, "rb").read())  # as Lambda's runtime does
read, begun = peak(), perf_counter()
answer = handler(event, context)
first = perf_counter() - begun
assert not answer.get("batchItemFailures") and answer.get("statusCode", 200) == 200, answer
peaks = {{"start": at_start, "invocation": read, "handled": peak()}}
print(json.dumps({{"ms": {{"start": start * 1_000, "first": first * 1_000}}, "peak_mb": peaks}}))
"""
    done = subprocess.run(  # noqa: S603 - the code is above
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **contender.settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"a contender did not start:\n{contender.start}\n{last_lines(done.stderr)}")
    figures: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])  # behind its log
    return figures


@cache
def modules(distributions: tuple[str, ...]) -> set[str]:
    """Return the packages that can be imported with these distributions installed."""
    todo, known = [Requirement(each) for each in distributions], set()
    while todo:
        requirement = todo.pop()
        if (requirement.name, *requirement.extras) in known:
            continue
        known.add((requirement.name, *requirement.extras))
        for each in map(Requirement, requires(requirement.name) or ()):
            extras = requirement.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(each)
    names = {_normal(name) for name, *_ in known}
    return {
        module
        for module, owners in packages_distributions().items()
        if names & {_normal(owner) for owner in owners}
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
