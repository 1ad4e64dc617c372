"""An ASGI application on a free port of loopback, until a block ends."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn

from kinesis_handler.application import ASGIApp

TICK = 0.005
"""Seconds between two looks at whether it is to end."""


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[str]:
    """Serve an application for as long as the context lasts; yield its URL.

    Args:
        app: what answers.
        options: further ones of uvicorn's.
    """
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, **options)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # It listens already: whoever connects before the server runs is served as soon as it does.
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Ends as soon as it is to: uvicorn's own looks ten times a second, and then waits for a tenth more."""

    async def main_loop(self) -> None:
        """Run until it is to end."""
        while not await self.on_tick(0):  # noqa: ASYNC110 - another thread says so
            await asyncio.sleep(TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - its signature
        """Take no more connections, and wait for what is being answered."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - these are sets
            await asyncio.sleep(TICK)
