"""The cost of a cold start, and the memory that one batch takes, in fresh processes.

Each contender sees only the packages that it would ship with, because some libraries import others if they
find them. The round that is not counted reads and compiles the files. The clock runs from the first import.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import packages_distributions, requires
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.records import EVENTS_PER_LIMIT, Limits
from benchmarks.results import ROOT, Figures
from benchmarks.rounds import Rounds, Timed, take_turns
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.http_api import payload
from testkit.emulators.npm_package import last_lines
from user_limits.wiring import application

FIRST_BATCH = 10
LARGEST_BATCH = 10_000
MB = 1_024 * 1_024

_OURS = ("msgspec", "pybase64", "structlog")
_OWN = {"kinesis_handler", "user_limits"}

_numbers = count()


class Contender(NamedTuple):
    """The module that defines `handler`, the distributions that it is deployed with, and its settings."""

    module: str
    shipped: tuple[str, ...]
    settings: Mapping[str, str] = {}


_POWERTOOLS = ("aws-lambda-powertools", "pydantic", "boto3")
CONSUMERS = {
    "dynamodb": Contender(
        "user_limits.lambda_consumer", (*_OURS, "botocore"), {"REPOSITORY_TYPE": "dynamodb"}
    ),
    "memory": Contender("user_limits.lambda_consumer", _OURS),
    "powertools": Contender("benchmarks.powertools_lambda", _POWERTOOLS),
}
APIS = {
    "api": Contender("user_limits.lambda_api", (*_OURS, "litestar", "mangum"), {"AUTH": "none"}),
    "fastapi": Contender("benchmarks.fastapi_lambda", ("fastapi", "mangum")),
}
IN_MEMORY = {**CONSUMERS, "powertools": Contender("benchmarks.powertools_peer", _POWERTOOLS)}


def measure(*, full: bool) -> Figures:
    """Return the ms of each contender's start and first invocation."""
    rounds = 20 if full else 5
    headers = [("host", "limits.example")]
    request = payload(method="GET", target="/api/v1/users/user-1/limits", headers=headers)
    batch = Limits().batch(range(FIRST_BATCH // EVENTS_PER_LIMIT))
    invocations = dict.fromkeys(CONSUMERS, batch) | dict.fromkeys(APIS, request)
    taken = start_in_turns(CONSUMERS | APIS, invocations, rounds)
    medians = {name: taken.medians(name) for name in taken.taken}
    return {
        "rounds": rounds,
        "first_batch": FIRST_BATCH,
        "ms": {name: {part: each[part] for part in ("start", "first")} for name, each in medians.items()},
        "consumer_of_powertools": taken.compared("dynamodb", "powertools", "start", "first"),
        "api_of_fastapi": taken.compared("api", "fastapi", "start", "first"),
    }


def measure_memory(*, full: bool) -> Figures:
    """Return the peak MB of each contender: at the start, with the invocation, at the end."""
    runs = 5 if full else 2
    batch = Limits().batch(range(LARGEST_BATCH // EVENTS_PER_LIMIT))
    taken = start_in_turns(IN_MEMORY, dict.fromkeys(IN_MEMORY, batch), runs).taken
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


def start_in_turns(
    contenders: Mapping[str, Contender], invocations: Mapping[str, Any], rounds: int
) -> Rounds:
    """Let contenders start in turns, each with its invocation and a new table."""

    def prepare(name: str) -> Timed:
        # In the table of the last start the first batch would be known already.
        os.environ["USER_LIMIT_TABLE_NAME"] = f"Limits-{next(_numbers)}"
        application(os.environ, "dynamodb:").store.provision()  # type: ignore[union-attr]
        file = Path(folder, f"{name}.json")
        file.write_text(json.dumps(invocations[name]))
        return partial(start, contenders[name], file)

    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        os.environ |= {"LOG_LEVEL": "info", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        return take_turns({name: partial(prepare, name) for name in contenders}, rounds)


def start(contender: Contender, file: Path) -> dict[str, float]:
    """Start a contender in a separate process, and return the figures that this prints: see fresh.py."""
    hidden = sorted(packages_distributions().keys() - modules(contender.shipped) - _OWN)
    code = "import sys; from benchmarks.fresh import main; main(*sys.argv[1:])"
    command = [sys.executable, "-c", code, contender.module, str(file), json.dumps(hidden)]
    environment = {**os.environ, **contender.settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        sys.exit(f"{contender.module} did not start:\n{last_lines(done.stderr)}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])  # behind its log
    return figures


@cache
def modules(distributions: tuple[str, ...]) -> set[str]:
    """Return the packages that can be imported with these distributions installed, without their extras."""
    todo, known = [Requirement(each) for each in distributions], set[str]()
    while todo:
        needed = todo.pop()
        name = canonicalize_name(needed.name)
        if name not in known and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            known.add(name)
            todo += map(Requirement, requires(name) or ())
    owners = packages_distributions().items()
    return {module for module, of in owners if not known.isdisjoint(map(canonicalize_name, of))}
