"""A line to an emulator that can be cut, and on which requests can be held back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

_CHUNK = 1 << 18


class Line:
    """Passes what is sent to an endpoint of this machine, and what that answers.

    Args:
        endpoint: as `http://127.0.0.1:4567`.
    """

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._to = host, int(port)
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._lock = Lock()  # or a connection that is being made would outlive the cut
        self._passes = Event()
        self._passes.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all that is on it; nobody answers from now on."""
        with self._lock:
            self._is_cut = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Accept connections again."""
        self._is_cut = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let requests wait while the block runs; answers pass."""
        self._passes.clear()
        try:
            yield
        finally:
            self._passes.set()

    def close(self) -> None:
        """Accept nothing more."""
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                with self._lock:
                    if self._is_cut:
                        near.close()
                        continue
                    far = socket.create_connection(self._to)
                    self._open |= {near, far}
                for source, target, passes in ((near, far, self._passes), (far, near, None)):
                    Thread(target=self._pass, args=(source, target, passes), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, passes: Event | None) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if passes is not None:
                    passes.wait()
                target.sendall(data)
        with self._lock:
            self._open.discard(source)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        source.close()  # the thread of the other direction closes the other end


@contextmanager
def line_to(endpoint: str) -> Iterator[Line]:
    """Open a line while the block runs."""
    line = Line(endpoint)
    try:
        yield line
    finally:
        line.close()
