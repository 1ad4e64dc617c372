"""Serves `/metrics`, in Prometheus's text, and `/health`, beside a command that reads a stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from kinesis_handler.cli.figures import ConsumerFigures
from kinesis_handler.errors import ConfigurationError

TIMEOUT = 10.0
"""Seconds that a client has for its request."""


@contextmanager
def serve_figures(figures: ConsumerFigures, port: int, host: str) -> Iterator[int]:
    """Serve the figures while the block runs; yield the port.

    Raises ConfigurationError if it cannot listen there.
    """
    registry = CollectorRegistry()
    registry.register(figures)
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, figures, registry))
    except OSError as error:
        raise ConfigurationError(
            f"--metrics-port is {port} and --metrics-host {host!r}: {error.strerror}; allowed: a free port "
            "of this machine"
        ) from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers the two paths."""

    timeout = TIMEOUT

    def __init__(self, figures: ConsumerFigures, registry: CollectorRegistry, *connection: object) -> None:
        self._figures = figures
        self._registry = registry
        super().__init__(*connection)  # type: ignore[arg-type] # as the server calls it

    def do_GET(self) -> None:
        """Answer a request."""
        match urlsplit(self.path).path:
            case "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, content_type, encode(self._registry))
            case "/health":
                health = self._figures.health()
                status = HTTPStatus.OK if health.is_well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", msgspec.json.encode(health))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /health\n")

    def log_message(self, *_: object) -> None:
        """Log nothing: a probe comes every few seconds."""

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
