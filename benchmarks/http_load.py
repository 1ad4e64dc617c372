"""A closed loop of connections on loopback: each sends its next request after the answer to the last."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

CONNECTIONS = 16


class Server(NamedTuple):
    """A server: its process and its port."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used so far, including the kernel's part."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load(NamedTuple):
    """Answered requests per second; p50 and p99 in ms; µs of the server's CPU per request."""

    rate: float
    p50: float
    p99: float
    cpu: float


class Connection(asyncio.Protocol):
    """Sends a request, and the next one after its answer."""

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


async def load(server: Server, paths: Sequence[str], seconds: float) -> Load:
    """Request one path after the other, as fast as the answers arrive."""
    loop = asyncio.get_running_loop()
    texts = [
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: */*\r\n\r\n".encode()
        for path in paths
    ]
    requests = cycle(texts)
    latencies: list[float] = []
    connections = [
        (await loop.create_connection(lambda: Connection(requests, latencies), "127.0.0.1", server.port))[1]
        for _ in range(CONNECTIONS)
    ]
    latencies.clear()
    begun, cpu = time.perf_counter(), server.cpu()
    await asyncio.sleep(seconds)
    answered, taken, cpu = list(latencies), time.perf_counter() - begun, server.cpu() - cpu
    for each in connections:
        each.close()
    hundredths = quantiles(answered, n=100)
    return Load(
        len(answered) / taken,
        hundredths[49] * 1_000,
        hundredths[98] * 1_000,
        cpu / len(answered) * 1_000_000,
    )
