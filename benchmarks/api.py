"""The cost of a request to the API, compared with FastAPI: for a user with 10 limits, and one with 10,000.

Ours uses Litestar and msgspec, the peer FastAPI and pydantic models. Both are served by uvicorn, uvloop and
httptools in a separate process, and read the same limits in memory: see api_server.py and fastapi_peer.py.
Sixteen connections send requests to each in turn, in a closed loop: see http_load.py.

The server's CPU time per request, including the kernel's part, hardly depends on the machine's other load: if
the ratios differ, trust that one.

First both must return the same; if they do not, nothing is measured.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from statistics import median
from typing import Any
from urllib.request import urlopen

import uvloop

from benchmarks.api_server import LIMITS_PER_USER, MANY, MANY_LIMITS, USERS
from benchmarks.http_load import CONNECTIONS, Load, Server, load
from benchmarks.results import ROOT, Figures
from benchmarks.rounds import take_turns

OURS, FASTAPI = "ours", "fastapi"
PATHS = {
    f"one of {LIMITS_PER_USER} limits": [
        f"/api/v1/users/user-{user}/limits/limit-3" for user in range(USERS)
    ],
    f"all {LIMITS_PER_USER} limits": [f"/api/v1/users/user-{user}/limits" for user in range(USERS)],
    f"one of {MANY_LIMITS:,} limits": [
        f"/api/v1/users/{MANY}/limits/limit-{number}" for number in range(0, MANY_LIMITS, 20)
    ],
    f"a page of 100 of {MANY_LIMITS:,} limits": [f"/api/v1/users/{MANY}/limits?limit=100"],
}
AMOUNTS = {"amount", "progress", "percentage", "remainingAmount", "previousAmount"}


def measure(*, full: bool) -> Figures:
    """Return requests per second, latencies and CPU of both, by kind of request."""
    rounds, seconds = (7, 1.5) if full else (3, 0.7)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name)) for name in (OURS, FASTAPI)}
        for paths in PATHS.values():
            check(servers, paths)
        asked = {kind: compare(servers, paths, rounds, seconds) for kind, paths in PATHS.items()}
    return {"connections": CONNECTIONS, "rounds": rounds, "seconds": seconds, "asked": asked}


def compare(servers: Mapping[str, Server], paths: Sequence[str], rounds: int, seconds: float) -> Figures:
    loads: dict[str, list[Load]] = {name: [] for name in servers}

    def timed(name: str) -> float:
        loads[name].append(uvloop.run(load(servers[name], paths, seconds)))
        return 1 / loads[name][-1].rate

    taken = take_turns({name: partial(partial, timed, name) for name in servers}, rounds)
    counted = {name: each[1:] for name, each in loads.items()}  # the first was a warm-up
    pairs = zip(counted[OURS], counted[FASTAPI], strict=True)
    return {
        **{
            name: {field: median(getattr(load, field) for load in each) for field in Load._fields}
            for name, each in counted.items()
        },
        "times_rate": taken.compared(FASTAPI, OURS),
        "times_cpu": median(peer.cpu / ours.cpu for ours, peer in pairs),
    }


@contextmanager
def serving(contender: str) -> Iterator[Server]:
    """Run a contender."""
    program = [sys.executable, "-m", "benchmarks.api_server", contender]
    process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own code
    try:
        if process.stdout is None or not (port := process.stdout.readline()):
            sys.exit(f"{contender} did not start")
        yield Server(process.pid, int(port))
    finally:
        process.terminate()
        process.wait()


def check(servers: Mapping[str, Server], paths: Sequence[str]) -> None:
    """Exit unless both return the same, apart from the format of numbers."""
    for path in paths[::50]:
        answers = {name: get(server.port, path) for name, server in servers.items()}
        if answers[OURS] != answers[FASTAPI]:
            sys.exit(f"the two differ in {path}: nothing was measured")


def get(port: int, path: str) -> Any:
    def exact(fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: Decimal(value) if name in AMOUNTS and value is not None else value
            for name, value in fields.items()
        }

    with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return json.loads(answer.read(), parse_float=Decimal, object_hook=exact)
