"""Serves `/metrics`, in Prometheus's text, and `/health`, beside a command that reads a stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry, MetricsHandler

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
    handler = type("Handler", (_Handler,), {"registry": registry, "figures": figures})
    try:
        server = ThreadingHTTPServer((host, port), handler)
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


class _Handler(MetricsHandler):
    """Answers the two paths. A subclass has the registry and the figures."""

    timeout = TIMEOUT
    figures: ConsumerFigures

    def do_GET(self) -> None:  # noqa: N802 - the server calls it so
        """Answer a request."""
        match urlsplit(self.path).path:
            case "/metrics":
                super().do_GET()
            case "/health":
                health = self.figures.health()
                status = HTTPStatus.OK if health.is_well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", msgspec.json.encode(health))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /health\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
