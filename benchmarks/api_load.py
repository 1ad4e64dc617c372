"""What a request to the API costs: one limit, and a list of ten, beside FastAPI with pydantic models.

Both are served by uvicorn, uvloop and httptools in a process of their own, and read the same limits in
memory; see api_server.py and fastapi_peer.py. A closed loop of connections on loopback asks each in turn: a
connection sends its next request when it has its answer.

How to read it: what counts is the best round of each, the one that was disturbed least, and the ratio of
these; the p99 is that round's. The median of the ratios within each round stands beside it. The CPU time that
the server took for a request, its kernel's part included, hardly depends on what else the machine does: where
the ratios differ, believe that one.

First both must say the same; if they do not, nothing is measured.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple
from urllib.request import urlopen

import uvloop

from api_server import LIMITS_PER_USER, USERS

CONNECTIONS = 16
SECONDS = 1.5
ROUNDS = 7
PEER_AIM = 2.0

OURS, PEER = "ours", "peer"
PATHS = {
    "one limit": "/api/v1/users/user-{}/limits/limit-3",
    f"list of {LIMITS_PER_USER}": "/api/v1/users/user-{}/limits",
}
AMOUNTS = {"amount", "progress", "percentage", "remainingAmount", "previousAmount"}


class Contender(NamedTuple):
    """A server: its process and its port."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Round(NamedTuple):
    """Requests answered in a second; milliseconds within which 99 of 100 were; CPU microseconds of each."""

    rate: float
    p99: float
    cpu: float


Results = Mapping[tuple[str, str], list[Round]]


def main() -> None:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name)) for name in (OURS, PEER)}
        for path in PATHS.values():
            check(servers, path)
        results: Results = {(name, kind): [] for kind in PATHS for name in servers}
        for server in servers.values():
            for path in PATHS.values():
                uvloop.run(load(server, path))  # warms it up
        for _ in range(ROUNDS):
            for (name, kind), rounds in results.items():
                rounds.append(uvloop.run(load(servers[name], PATHS[kind])))
    report(results)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")


@contextmanager
def serving(contender: str) -> Iterator[Contender]:
    """Run a contender."""
    program = [sys.executable, str(Path(__file__).with_name("api_server.py")), contender]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        if process.stdout is None or not (port := process.stdout.readline()):
            sys.exit(f"{contender} did not start")
        yield Contender(process.pid, int(port))
    finally:
        process.terminate()
        process.wait()


def check(servers: Mapping[str, Contender], path: str) -> None:
    """Exit unless both answer the same, but for how a number is written."""
    for user in range(0, USERS, 50):
        told = {name: get(server.port, path.format(user)) for name, server in servers.items()}
        if told[OURS] != told[PEER]:
            sys.exit(f"the two differ in {path.format(user)}: nothing was measured")


def get(port: int, path: str) -> Any:
    def exact(fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: Decimal(value) if name in AMOUNTS and value is not None else value
            for name, value in fields.items()
        }

    with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return json.loads(answer.read(), parse_float=Decimal, object_hook=exact)


class Connection(asyncio.Protocol):
    """Sends a request, and the next one when it has its answer."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._sent = 0.0
        self._missing = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, _, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise ValueError(head)
            _, _, after = head.lower().partition(b"content-length: ")
            self._missing = int(after.partition(b"\r\n")[0]) - len(body)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._latencies.append(time.perf_counter() - self._sent)
            self._ask()

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def close(self) -> None:
        self._transport.abort()


async def load(server: Contender, path: str) -> Round:
    loop = asyncio.get_running_loop()
    texts = [
        f"GET {path.format(user)} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: */*\r\n\r\n".encode()
        for user in range(USERS)
    ]
    requests = (texts[number % USERS] for number in count())
    latencies: list[float] = []
    connections = [
        (await loop.create_connection(lambda: Connection(requests, latencies), "127.0.0.1", server.port))[1]
        for _ in range(CONNECTIONS)
    ]
    latencies.clear()
    begun, cpu = time.perf_counter(), server.cpu()
    await asyncio.sleep(SECONDS)
    answered, taken, cpu = list(latencies), time.perf_counter() - begun, server.cpu() - cpu
    for each in connections:
        each.close()
    p99 = quantiles(answered, n=100)[-1] * 1_000
    return Round(len(answered) / taken, p99, cpu / len(answered) * 1_000_000)


def report(results: Results) -> None:
    print(f"{CONNECTIONS} connections, best of {ROUNDS} rounds of {SECONDS} s each, ratios of these")
    print()
    headings = ("requests/s", "p99, ms", "x peer", "median", "CPU, µs", "x peer")
    print(f"{'':12}{'':20}{''.join(f'{each:>11}' for each in headings)}")
    for kind in PATHS:
        fastest = {name: max(results[name, kind]) for name in (OURS, PEER)}
        cheapest = {name: min(each.cpu for each in results[name, kind]) for name in (OURS, PEER)}
        for name, title in ((OURS, "Litestar, msgspec"), (PEER, "FastAPI, pydantic")):
            pairs = zip(results[name, kind], results[PEER, kind], strict=True)
            print(
                f"{kind:12}{title:20}{fastest[name].rate:11,.0f}{fastest[name].p99:11.1f}"
                f"{fastest[name].rate / fastest[PEER].rate:11.2f}"
                f"{median(one.rate / other.rate for one, other in pairs):11.2f}"
                f"{cheapest[name]:11.0f}{cheapest[PEER] / cheapest[name]:11.2f}"
            )
    print()
    print(f"aim: at least {PEER_AIM} times the peer's requests a second")


if __name__ == "__main__":
    main()
