"""Builds the API from its parameters: it reads nothing from the environment."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from litestar import Litestar, Router
from msgspec import Struct

from kinesis_handler.application import ASGIApp
from kinesis_handler.stores import ReadableRepository
from user_limits.api.access import Access, guard_of
from user_limits.api.cors import Cors
from user_limits.api.docs import description_routes
from user_limits.api.health import health_routes
from user_limits.api.http_guard import HttpGuard
from user_limits.api.page import page_routes
from user_limits.api.problems import EXCEPTION_HANDLERS
from user_limits.api.routes import limit_routes
from user_limits.limit import Limit


class Options(Struct, frozen=True, kw_only=True):
    """Options of the API.

    Args:
        in_threads: read the store in threads, because reading blocks.
        timeout: seconds within which a request is answered; None if nothing blocks.
        access: identifies the caller by a token; None if anybody may read everything.
        cors_origins: the origins whose pages may read the answers.
        with_page: serve the page too. It sends no tokens.
        local: refuse requests for any host but this machine.
    """

    in_threads: bool = False
    timeout: float | None = None
    access: Access | None = None
    cors_origins: Sequence[str] = ()
    with_page: bool = False
    local: bool = False


def build_api(
    limits: ReadableRepository[Limit],
    options: Options | None = None,
    *,
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """Return the API as an ASGI application.

    Args:
        limits: the stored limits.
        options: the options of the API.
        clock: seconds since epoch.
    """
    options = options or Options()
    of_limits = limit_routes(limits, clock, in_threads=options.in_threads)
    of_health = health_routes(limits, in_threads=options.in_threads)

    def description() -> dict[str, Any]:
        from user_limits.api.description import describe  # noqa: PLC0415 - most starts never need it

        return describe([*of_limits, *of_health], with_tokens=options.access is not None)

    guards = [guard_of(options.access)] if options.access is not None else []
    app = Litestar(
        [
            Router("/", route_handlers=of_limits, guards=guards),
            *of_health,
            *description_routes(description),
            *(page_routes() if options.with_page else []),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    return HttpGuard(
        app,
        cors=Cors(options.cors_origins),
        timeout=options.timeout,
        local=options.local,
    )
