"""Serves the API's description: for tools, and as a page for people."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from kinesis_handler.page_parts import CONTENT_TYPES
from user_limits.api.page import Asset, asset_route

STYLE = Path(__file__).with_name("docs.css")


def description_routes(describe: Callable[[], dict[str, Any]]) -> list[HTTPRouteHandler]:
    """Return the handlers of `/openapi.json` and `/docs`, made at the first request."""

    @cache
    def document() -> Asset:
        encoder = msgspec.json.Encoder(decimal_format="number")
        return Asset(encoder.encode(describe()), "application/json")

    @cache
    def page() -> Asset:
        from user_limits.api.reference import reference_page  # noqa: PLC0415 - most starts never need it

        return Asset(reference_page(describe()).encode(), CONTENT_TYPES[".html"])

    @get("/openapi.json", include_in_schema=False, sync_to_thread=False)
    def send_document() -> Asset:
        return document()

    @get("/docs", include_in_schema=False, sync_to_thread=False)
    def send_page() -> Asset:
        return page()

    style = Asset(STYLE.read_bytes(), CONTENT_TYPES[".css"])
    return [send_document, send_page, asset_route(["/docs.css"], style)]
