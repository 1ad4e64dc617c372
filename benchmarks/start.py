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
from collections.abc import Callable
from functools import cache
from importlib.metadata import packages_distributions, requires
from itertools import count
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.records import invocations
from benchmarks.results import ROOT, Figures
from benchmarks.rounds import take_turns
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings
from testkit.emulators.npm_package import last_lines
from user_limits.wiring import application

FIRST_BATCH = 10

DYNAMODB, MEMORY, POWERTOOLS, API, FASTAPI = "dynamodb", "memory", "powertools", "api", "fastapi"

_CONTEXT = """
import types
context = types.SimpleNamespace(
    aws_request_id="first", function_name="limits", memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:limits",
    get_remaining_time_in_millis=lambda: 60_000,
)
"""

BEFORE = {
    DYNAMODB: "import os; os.environ['REPOSITORY_TYPE'] = 'dynamodb'",
    API: "import os; os.environ['AUTH'] = 'none'",
}
START = {
    DYNAMODB: "from user_limits.lambda_consumer import handler",
    MEMORY: "from user_limits.lambda_consumer import handler",
    POWERTOOLS: "from benchmarks.powertools_lambda import handler",
    API: "from user_limits.lambda_api import handler",
    FASTAPI: """
from mangum import Mangum
from benchmarks.fastapi_peer import Shared, peer
from types import SimpleNamespace as Empty
store = Empty(find=lambda *_, **__: Empty(aggregates=(), cursor=None))
shared = Shared({}, *[lambda *_: ""] * 3, lambda *_: False, *[lambda *_: 0] * 2)
handler = Mangum(peer(store, shared), lifespan="off")
""",
}
"""Statements that define `handler`."""

_OURS = ("msgspec", "pybase64", "structlog")
SHIPPED: dict[str, tuple[str, ...]] = {
    DYNAMODB: (*_OURS, "botocore"),
    MEMORY: _OURS,
    POWERTOOLS: ("aws-lambda-powertools[parser]", "boto3"),
    API: (*_OURS, "litestar", "mangum"),
    FASTAPI: ("fastapi", "mangum"),
}
"""Distributions that each contender is deployed with, together with their requirements."""

_numbers = count()

_OWN = {"kinesis_handler", "user_limits"}


def measure(*, full: bool) -> Figures:
    """Return the ms of each contender's start and first invocation."""
    use_local_settings()
    os.environ["LOG_LEVEL"] = "info"
    rounds = 20 if full else 5
    parts: dict[str, dict[str, list[float]]] = {name: {"start": [], "first": []} for name in START}
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
        files = first_events(Path(folder))

        def starting(name: str) -> Callable[[], Callable[[], float]]:
            def prepare() -> Callable[[], float]:
                new_table()
                return lambda: timed(name)

            return prepare

        def timed(name: str) -> float:
            times = start(name, files[name])
            for part, milliseconds in times.items():
                parts[name][part].append(milliseconds)
            return sum(times.values())

        taken = take_turns({name: starting(name) for name in START}, rounds)
        middle = {
            name: {part: sorted(each[1:])[rounds // 2] for part, each in parts[name].items()}
            for name in START
        }
    return {
        "rounds": rounds,
        "first_batch": FIRST_BATCH,
        "ms": middle,
        "consumer_of_powertools": taken.compared(DYNAMODB, POWERTOOLS),
        "api_of_fastapi": taken.compared(API, FASTAPI),
    }


def new_table() -> None:
    """Empty the table before the next start: otherwise its first batch would be known already."""
    os.environ["USER_LIMIT_TABLE_NAME"] = f"Limits-{next(_numbers)}"
    application(os.environ, "dynamodb:").store.provision()  # type: ignore[union-attr]


def first_events(folder: Path) -> dict[str, Path]:
    """Write the first invocation of each contender."""
    batch, request = folder / "batch.json", folder / "request.json"
    batch.write_text(json.dumps(invocations(1, FIRST_BATCH)[0]))
    path = "/api/v1/users/user-1/limits"
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "-"}
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "limits.example"},
        "requestContext": {"http": http, "stage": "$default", "requestId": "first"},
        "isBase64Encoded": False,
    }
    request.write_text(json.dumps(event))
    return {name: request if name in {API, FASTAPI} else batch for name in START}


def start(name: str, file: Path) -> dict[str, float]:
    """Start a contender in a separate process, and return its ms."""
    hidden = sorted(packages_distributions().keys() - modules(SHIPPED[name]) - _OWN)
    code = f"""
import json, sys
for name in {hidden}:
    sys.modules.setdefault(name)
event = json.load(open({str(file)!r}))
{_CONTEXT}
{BEFORE.get(name, "")}
from time import perf_counter
begun = perf_counter()
{START[name]}
started = perf_counter()
answer = handler(event, context)
ended = perf_counter()
assert not answer.get("batchItemFailures") and answer.get("statusCode", 200) == 200, answer
print(json.dumps({{"start": (started - begun) * 1_000, "first": (ended - started) * 1_000}}))
"""
    done = subprocess.run(  # noqa: S603 - the code is above
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{name} did not start:\n{last_lines(done.stderr)}")
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])  # a contender logs there too
    return times


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
