"""Puts the API together, out of what it is given: it reads nothing from the environment."""

import time
from collections.abc import Callable, Sequence

from litestar import Litestar
from msgspec import Struct

from kinesis_handler.application import ASGIApp
from kinesis_handler.repository import Repository
from user_limits.api.cors import Cors
from user_limits.api.edge import TIMEOUT, Edge
from user_limits.api.health import health_routes
from user_limits.api.problems import EXCEPTION_HANDLERS
from user_limits.api.rate_limit import RateLimit
from user_limits.api.routes import limit_routes
from user_limits.limit import Limit


class Options(Struct, frozen=True, kw_only=True):
    """How the API is to behave.

    Args:
        blocking: reading the store waits for something else, so that others have to go on meanwhile.
        cors_origins: the origins whose pages may read the answers.
        rate_limit: requests that one client may make in a minute; 0 for any number.
    """

    blocking: bool = False
    cors_origins: Sequence[str] = ()
    rate_limit: int = 0


def build_api(
    limits: Repository[Limit], options: Options | None = None, *, clock: Callable[[], float] = time.time
) -> ASGIApp:
    """Return the API as an ASGI application.

    Args:
        limits: what it shows.
        options: how it is to behave.
        clock: seconds since epoch.
    """
    options = options or Options()
    app = Litestar(
        [
            *limit_routes(limits, clock, blocking=options.blocking),
            *health_routes(limits, blocking=options.blocking),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    rate_limit = RateLimit(options.rate_limit, clock) if options.rate_limit else None
    timeout = TIMEOUT if options.blocking else None
    return Edge(app, cors=Cors(options.cors_origins), rate_limit=rate_limit, timeout=timeout)
