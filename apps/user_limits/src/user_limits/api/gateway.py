"""Runs the API behind API Gateway's HTTP API, or a function URL, as a Lambda handler."""

from typing import Any, cast

from mangum import Mangum

from kinesis_handler.application import ASGIApp

AS_TEXT = ["text/", "application/"]
"""Content types that need no base64: all that the API sends."""


def gateway_handler(app: ASGIApp) -> Mangum:
    """Return the handler of events in payload format 2.0."""

    async def with_raw_path(scope: Any, receive: Any, send: Any) -> None:
        # The adapter has decoded the path, and does not pass the original.
        path = scope["aws.event"]["requestContext"]["http"]["path"]
        await app({**scope, "raw_path": path.encode()}, receive, send)

    return Mangum(cast("Any", with_raw_path), lifespan="off", text_mime_types=AS_TEXT)
