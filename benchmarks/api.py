"""The cost of a request to the API, compared with FastAPI: for a user with 10 limits, and one with 10,000.

Both are served by uvicorn, uvloop and httptools in a separate process, and read the same limits from a
repository in memory. Connections on loopback send requests to each in turn, in a closed loop: each sends its
next request after the answer to the last.
"""

import asyncio
import gc
import io
import json
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.request import urlopen

import uvicorn
import uvloop

from benchmarks import fastapi_peer
from benchmarks.records import BEGIN, DAY, Handler, fact, handle_all
from benchmarks.results import Figures
from benchmarks.rounds import Timed, take_turns
from kinesis_handler import configure_logging
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits import view
from user_limits.api import etag
from user_limits.api.app import build_api
from user_limits.limit import Limit

CONNECTIONS = 16
WARM_UP = 0.05
"""Seconds until all are connected."""

USERS = 500
FEW, MANY = 10, 10_000
"""Limits of each of these users, and of another one."""

USER_LIMITS = {**{f"user-{user}": FEW for user in range(USERS)}, "many": MANY}
TYPES = ("DEPOSIT", "BET", "LOSS", "SESSION", "BALANCE")
PERIODS = ("DAY", "CALENDAR_MONTH")

PATHS = {
    f"one of {FEW} limits": [f"/api/v1/users/user-{user}/limits/limit-3" for user in range(USERS)],
    f"all {FEW} limits": [f"/api/v1/users/user-{user}/limits" for user in range(USERS)],
    f"one of {MANY:,} limits": [f"/api/v1/users/many/limits/limit-{each}" for each in range(0, MANY, 20)],
    f"a page of 100 of {MANY:,} limits": ["/api/v1/users/many/limits?limit=100"],
}


class Server(NamedTuple):
    """A server: its process and its port."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used so far, including the kernel's part."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path: str) -> Any:
        """Return an answer, in which an amount may be a number or text."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer, parse_float=str, parse_int=str)


def measure(*, full: bool) -> Figures:
    """Return requests per second, latencies and CPU of both, by kind of request."""
    rounds, seconds = (7, 1.5) if full else (3, 0.7)
    with serving("ours") as ours, serving("fastapi") as fastapi:
        for path in (path for paths in PATHS.values() for path in paths[::50]):
            if ours.get(path) != fastapi.get(path):
                sys.exit(f"the two differ in {path}: nothing was measured")
        servers = {"ours": ours, "fastapi": fastapi}
        asked = {kind: compare(servers, paths, rounds, seconds) for kind, paths in PATHS.items()}
    return {"connections": CONNECTIONS, "rounds": rounds, "seconds": seconds, "asked": asked}


def compare(servers: Mapping[str, Server], paths: Sequence[str], rounds: int, seconds: float) -> Figures:
    def prepare(server: Server) -> Timed:
        return lambda: uvloop.run(load(server, paths, seconds))

    taken = take_turns({name: partial(prepare, server) for name, server in servers.items()}, rounds)
    return {
        **{name: taken.medians(name) for name in servers},
        "times_rate": taken.compared("ours", "fastapi", "rate"),
        "times_cpu": taken.compared("fastapi", "ours", "cpu")["ratio"],
    }


async def load(server: Server, paths: Sequence[str], seconds: float) -> dict[str, float]:
    """Request one path after the other, as fast as the answers arrive.

    Returns the rate of answered requests per second, their p50 and p99 in ms, and the µs of the server's CPU
    for each.
    """
    head = f"Host: 127.0.0.1:{server.port}\r\nAccept: */*\r\n\r\n"
    requests = cycle([f"GET {path} HTTP/1.1\r\n{head}".encode() for path in paths])
    latencies: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while True:
            sent = time.perf_counter()
            writer.write(next(requests))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise ValueError(head)
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            latencies.append(time.perf_counter() - sent)

    async with asyncio.TaskGroup() as group:
        connections = [group.create_task(ask()) for _ in range(CONNECTIONS)]
        await asyncio.sleep(WARM_UP)
        latencies.clear()
        begun, cpu = time.perf_counter(), server.cpu()
        await asyncio.sleep(seconds)
        answered, taken, cpu = list(latencies), time.perf_counter() - begun, server.cpu() - cpu
        for each in connections:
            each.cancel()
    hundredths = [each * 1_000 for each in quantiles(answered, n=100)]
    cpu_us = cpu / len(answered) * 1_000_000
    return {"rate": len(answered) / taken, "p50": hundredths[49], "p99": hundredths[98], "cpu": cpu_us}


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
    app = build_api(limits) if contender == "ours" else fastapi_peer.peer(limits, shown)
    gc.freeze()
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def events() -> Iterator[bytes]:
    """Yield the events of all limits: each is created, reset, and changed."""
    for user, limits in USER_LIMITS.items():
        for number in range(limits):
            key, value = (user, f"limit-{number}"), f"{1_000 + number}.{number % 10}"
            kinds = {"type": TYPES[number % 5], "period": PERIODS[number // 5 % 2]}
            used = f"{number % 500}.50"
            created = {"value": value, "progress": used, "activeFrom": BEGIN - DAY, **kinds}
            yield fact("USER_LIMIT_CREATED", key, 3 * number, **created)
            yield fact("USER_LIMIT_RESET", key, 3 * number + 1, resetAmount=used, resetPercentage="1.25")
            yield fact("USER_LIMIT_PROGRESS_CHANGED", key, 3 * number + 2, amount=f"{number / 4}")
