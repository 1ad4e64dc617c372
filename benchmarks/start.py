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
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import packages_distributions, requires
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.records import EVENTS_PER_LIMIT, Limits
from benchmarks.results import ROOT, Figures
from benchmarks.rounds import Prepare, Timed, take_turns
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.http_api import payload
from testkit.emulators.npm_package import last_lines
from user_limits.wiring import application

FIRST_BATCH = 10

_OURS = ("msgspec", "pybase64", "structlog")
_OWN = {"kinesis_handler", "user_limits"}

_numbers = count()


class Contender(NamedTuple):
    """The module that defines `handler`, the distributions that it is deployed with, and its settings."""

    module: str
    shipped: tuple[str, ...]
    settings: Mapping[str, str] = {}


CONSUMERS = {
    "dynamodb": Contender(
        "user_limits.lambda_consumer", (*_OURS, "botocore"), {"REPOSITORY_TYPE": "dynamodb"}
    ),
    "memory": Contender("user_limits.lambda_consumer", _OURS),
    "powertools": Contender("benchmarks.powertools_lambda", ("aws-lambda-powertools[parser]", "boto3")),
}
APIS = {
    "api": Contender("user_limits.lambda_api", (*_OURS, "litestar", "mangum"), {"AUTH": "none"}),
    "fastapi": Contender("benchmarks.fastapi_lambda", ("fastapi", "mangum")),
}


def measure(*, full: bool) -> Figures:
    """Return the ms of each contender's start and first invocation."""
    rounds = 20 if full else 5
    request = payload(
        method="GET",
        target="/api/v1/users/user-1/limits",
        headers=[("host", "limits.example")],
        body=b"",
        source_ip="192.0.2.7",
        route="$default",
    )
    batch = Limits().batch(range(FIRST_BATCH // EVENTS_PER_LIMIT))
    with starting(CONSUMERS | APIS, dict.fromkeys(CONSUMERS, batch) | dict.fromkeys(APIS, request)) as starts:
        taken = take_turns(starts, rounds)
    return {
        "rounds": rounds,
        "first_batch": FIRST_BATCH,
        "ms": {
            name: {part: taken.medians(name)[part] for part in ("start", "first")} for name in taken.taken
        },
        "consumer_of_powertools": taken.compared("dynamodb", "powertools", "start", "first"),
        "api_of_fastapi": taken.compared("api", "fastapi", "start", "first"),
    }


@contextmanager
def starting(
    contenders: Mapping[str, Contender], invocations: Mapping[str, Any]
) -> Iterator[dict[str, Prepare]]:
    """Prepare starts, each with its invocation and a new table."""

    def prepare(name: str) -> Timed:
        # In the table of the last start the first batch would be known already.
        os.environ["USER_LIMIT_TABLE_NAME"] = f"Limits-{next(_numbers)}"
        application(os.environ, "dynamodb:").store.provision()  # type: ignore[union-attr]
        file = Path(folder, f"{name}.json")
        file.write_text(json.dumps(invocations[name]))
        return partial(start, contenders[name], file)

    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        os.environ |= {"LOG_LEVEL": "info", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        yield {name: partial(prepare, name) for name in contenders}


def start(contender: Contender, file: Path) -> dict[str, float]:
    """Start a contender in a separate process, and return the figures that this prints: see fresh.py."""
    hidden = sorted(packages_distributions().keys() - modules(contender.shipped) - _OWN)
    code = "import sys; from benchmarks.fresh import main; main(*sys.argv[1:])"
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, contender.module, str(file), json.dumps(hidden)],
        cwd=ROOT,
        env={**os.environ, **contender.settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{contender.module} did not start:\n{last_lines(done.stderr)}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])  # behind its log
    return figures


@cache
def modules(distributions: tuple[str, ...]) -> set[str]:
    """Return the packages that can be imported with these distributions installed."""
    todo, known = [Requirement(each) for each in distributions], set()
    while todo:
        requirement = todo.pop()
        if (each := (canonicalize_name(requirement.name), *requirement.extras)) in known:
            continue
        known.add(each)
        for needed in map(Requirement, requires(requirement.name) or ()):
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    names = {name for name, *_ in known}
    owners = packages_distributions().items()
    return {module for module, of in owners if not names.isdisjoint(map(canonicalize_name, of))}
