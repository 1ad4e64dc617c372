"""Reports on each request: a span, and the counters of its handling."""

from typing import TYPE_CHECKING, Any

from kinesis_handler.application import ASGIApp
from kinesis_handler.telemetry.metrics import EmbeddedMetrics, counting
from kinesis_handler.telemetry.spans import request_span
from user_limits.api.http_guard import ROUTE

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

CORRELATION_ID = "x-correlation-id"
MAX_CORRELATION_ID = 1_024

FIRST_SERVER_ERROR = 500


def instrumented(app: ASGIApp, metrics: EmbeddedMetrics | None, tracer: "Tracer | None") -> ASGIApp:
    """Return the application with metrics and spans for its requests, where they are configured."""
    if metrics is not None:
        app = _counted(app, metrics)
    return app if tracer is None else _traced(app, tracer)


def _counted(app: ASGIApp, metrics: EmbeddedMetrics) -> ASGIApp:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        with counting() as counted:
            await app(scope, receive, send)
        metrics.counts(counted)

    return answer


def _traced(app: ASGIApp, tracer: "Tracer") -> ASGIApp:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with request_span(tracer, scope["method"], headers) as begun:
            if CORRELATION_ID in headers:
                begun.set_attribute("correlation_id", headers[CORRELATION_ID][:MAX_CORRELATION_ID])

            async def send_and_record(message: Any) -> None:
                if message["type"] == "http.response.start":
                    _record_status(begun, message["status"])
                await send(message)

            route: dict[str, str | None] = {}
            extensions = {**(scope.get("extensions") or {}), ROUTE: route}
            await app({**scope, "extensions": extensions}, receive, send_and_record)
            if template := route.get("template"):
                # Not the path itself: it has ids in it, as many as there are players.
                begun.set_attribute("http.route", template)
                begun.update_name(f"{scope['method']} {template}")

    return answer


def _record_status(begun: "Span", status: int) -> None:
    begun.set_attribute("http.response.status_code", status)
    if status >= FIRST_SERVER_ERROR:
        begun.set_attribute("error.type", str(status))
