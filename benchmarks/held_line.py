"""A line to an endpoint, on which requests wait while it is held: nobody reads until all is written."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

_CHUNK = 1 << 18


class HeldLine:
    """Passes what is sent to an endpoint of this machine, and what that answers.

    Args:
        endpoint: as `http://127.0.0.1:4567`.
    """

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._to = host, int(port)
        self._passes = Event()
        self._passes.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def hold(self) -> None:
        """Let requests wait from now on; answers pass."""
        self._passes.clear()

    def release(self) -> None:
        """Let requests pass, also those that wait."""
        self._passes.set()

    @contextmanager
    def open(self) -> Iterator["HeldLine"]:
        """Accept connections while the block runs."""
        Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._server.close()
            self.release()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(self._to)
                Thread(target=self._pass, args=(near, far, self._passes), daemon=True).start()
                Thread(target=self._pass, args=(far, near, None), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, passes: Event | None) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if passes is not None:
                    passes.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)  # both directions have ended then, and the other thread closes
        source.close()
