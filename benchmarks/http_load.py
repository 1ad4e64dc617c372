"""A closed loop of connections on loopback: each sends its next request after the answer to the last."""

import asyncio
import os
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

CONNECTIONS = 16
WARM_UP = 0.05
"""Seconds until all are connected."""


class Server(NamedTuple):
    """A server: its process and its port."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used so far, including the kernel's part."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(server: Server, paths: Sequence[str], seconds: float) -> dict[str, float]:
    """Request one path after the other, as fast as the answers arrive.

    Returns the rate of answered requests per second, their p50 and p99 in ms, and the µs of the server's CPU
    for each.
    """
    requests = cycle(
        [
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: */*\r\n\r\n".encode()
            for path in paths
        ]
    )
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
    hundredths = quantiles(answered, n=100)
    return {
        "rate": len(answered) / taken,
        "p50": hundredths[49] * 1_000,
        "p99": hundredths[98] * 1_000,
        "cpu": cpu / len(answered) * 1_000_000,
    }
