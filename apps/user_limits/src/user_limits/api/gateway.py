"""Runs the API behind API Gateway's HTTP API, or a function URL, as a Lambda handler."""

from collections.abc import Callable
from typing import Any, cast

from mangum import Mangum

from kinesis_handler.application import ASGIApp

AS_TEXT = ["text/", "application/"]
"""Content types that need no base64: all that the API sends."""


_NOT_PASSED = {"host", "x-forwarded-port"}
"""Headers that the adapter parses, and fails at if they are wrong. Nothing in the API reads them."""


def gateway_handler(app: ASGIApp) -> Callable[[Any, Any], Any]:
    """Return the handler of events in payload format 2.0."""

    async def with_raw_path(scope: Any, receive: Any, send: Any) -> None:
        # The adapter has decoded the path, and does not pass the original.
        path = scope["aws.event"]["requestContext"]["http"]["path"]
        await app({**scope, "raw_path": path.encode()}, receive, send)

    adapter = Mangum(cast("Any", with_raw_path), lifespan="off", text_mime_types=AS_TEXT)

    def handler(event: Any, context: Any) -> Any:
        headers = {name: value for name, value in event["headers"].items() if name not in _NOT_PASSED}
        return adapter({**event, "headers": headers}, context)

    return handler
