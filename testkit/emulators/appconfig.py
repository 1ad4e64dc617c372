"""Answers as AppConfig's extension does: a real HTTP server on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Extension:
    """What the extension would answer, a status and a body for each path, and the paths it was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.port = 0


@contextmanager
def running_extension() -> Iterator[Extension]:
    """Run one for as long as the context lasts."""
    extension = Extension()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            extension.asked.append(self.path)
            status, body = extension.answers.get(self.path, (404, b"not found"))
            self.send_response(status)
            self.end_headers()
            with suppress(ConnectionError):  # the client reads a part of a long answer only
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        extension.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield extension
        server.shutdown()
