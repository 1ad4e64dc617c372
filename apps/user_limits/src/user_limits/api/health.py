"""Reports whether the process runs, and whether it can read its store."""

from typing import Any, Literal

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from kinesis_handler.stores import ReadableRepository
from user_limits.api.problems import unavailable


class Health(Struct, frozen=True):
    """The process is healthy: otherwise the answer is a problem."""

    status: Literal["ok"] = "ok"


def health_routes(limits: ReadableRepository[Any], *, in_threads: bool) -> list[HTTPRouteHandler]:
    """Return the handlers: `/healthz` checks the process, `/readyz` its store."""

    @get("/healthz", operation_id="health", summary="Does the process run?", sync_to_thread=False)
    def health() -> Health:
        """Answer: the process runs. Without an answer, restart it."""
        return Health()

    @get("/readyz", operation_id="ready", summary="Can the limits be read?", sync_to_thread=in_threads)
    def ready() -> Health:
        """Read a key that does not exist. If that fails, send no requests to this process."""
        try:
            failed = limits.load([("readyz", "readyz")]).failed
        except Exception as error:  # after any exception, it cannot read
            raise unavailable(error) from error
        for problem in failed.values():
            raise unavailable(problem)
        return Health()

    return [health, ready]
