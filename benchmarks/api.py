"""The cost of a request to the API, compared with FastAPI: for a user with 10 limits, and one with 10,000.

Ours uses Litestar and msgspec, the peer FastAPI and pydantic models: see fastapi_peer.py. Both are served by
uvicorn, uvloop and httptools in a separate process, and read the same limits from a repository in memory.
Sixteen connections send requests to each in turn, in a closed loop: see http_load.py.

The server's CPU time per request, including the kernel's part, hardly depends on the machine's other load: if
the ratios differ, trust that one.

First both must return the same; if they do not, nothing is measured.
"""

import gc
import io
import json
import multiprocessing
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import uvicorn
import uvloop

from benchmarks import fastapi_peer
from benchmarks.http_load import CONNECTIONS, Server, load
from benchmarks.records import BEGIN, DAY, Handler, fact, handle_all
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, take_turns
from kinesis_handler import configure_logging
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits import view
from user_limits.api import etag
from user_limits.api.app import build_api
from user_limits.limit import Limit

USERS = 500
FEW, MANY = 10, 10_000
"""Limits of each of these users, and of another one."""

USER_LIMITS = {**{f"user-{user}": FEW for user in range(USERS)}, "many": MANY}
TYPES = ("DEPOSIT", "BET", "LOSS", "SESSION", "BALANCE")
PERIODS = ("DAY", "CALENDAR_MONTH")

OURS, FASTAPI = "ours", "fastapi"
PATHS = {
    f"one of {FEW} limits": [f"/api/v1/users/user-{user}/limits/limit-3" for user in range(USERS)],
    f"all {FEW} limits": [f"/api/v1/users/user-{user}/limits" for user in range(USERS)],
    f"one of {MANY:,} limits": [f"/api/v1/users/many/limits/limit-{each}" for each in range(0, MANY, 20)],
    f"a page of 100 of {MANY:,} limits": ["/api/v1/users/many/limits?limit=100"],
}


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
    def loading(server: Server) -> Prepare:
        return lambda: lambda: uvloop.run(load(server, paths, seconds))

    taken = take_turns({name: loading(server) for name, server in servers.items()}, rounds)
    return {
        **{name: taken.medians(name) for name in servers},
        "times_rate": taken.compared(OURS, FASTAPI, "rate"),
        "times_cpu": taken.compared(FASTAPI, OURS, "cpu")["ratio"],
    }


def check(servers: Mapping[str, Server], paths: Sequence[str]) -> None:
    """Exit unless both return the same, apart from whether an amount is a number or text."""
    for path in paths[::50]:
        ours, fastapi = (get(server.port, path) for server in servers.values())
        if ours != fastapi:
            sys.exit(f"the two differ in {path}: nothing was measured")


def get(port: int, path: str) -> Any:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer, parse_float=str, parse_int=str)


@contextmanager
def serving(contender: str) -> Iterator[Server]:
    """Run a contender in a process of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(contender, listener))
        process.start()
        try:
            yield Server(process.pid or 0, listener.getsockname()[1])
        finally:
            process.terminate()
            process.join()


def serve(contender: str, listener: socket.socket) -> None:
    configure_logging("benchmark", "error", io.StringIO())
    limits = MemoryRepository[Limit]()
    handle_all(Handler(limits), [invocation(events())])
    shown = SimpleNamespace(**{**vars(view), **vars(etag)})
    app = build_api(limits) if contender == OURS else fastapi_peer.peer(limits, shown)
    gc.freeze()
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def events() -> Iterator[bytes]:
    """Yield the events of all limits: each is created, reset, and changed."""
    for user, limits in USER_LIMITS.items():
        for number in range(limits):
            key, value = (user, f"limit-{number}"), f"{1_000 + number}.{number % 10}"
            kinds, used = (
                {"type": TYPES[number % 5], "period": PERIODS[number // 5 % 2]},
                f"{number % 500}.50",
            )
            created = {"value": value, "progress": used, "activeFrom": BEGIN - DAY, **kinds}
            yield fact("USER_LIMIT_CREATED", key, 3 * number, **created)
            yield fact("USER_LIMIT_RESET", key, 3 * number + 1, resetAmount=used, resetPercentage="1.25")
            yield fact("USER_LIMIT_PROGRESS_CHANGED", key, 3 * number + 2, amount=f"{number / 4}")
