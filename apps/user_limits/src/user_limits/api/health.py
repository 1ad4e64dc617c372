"""Whether the process runs, and whether it can read."""

from typing import Any, Literal

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from kinesis_handler.stores import ReadableRepository
from user_limits.api.problems import unavailable


class Health(Struct, frozen=True):
    """All is well: otherwise there is a problem in its place."""

    status: Literal["ok"] = "ok"


def health_routes(limits: ReadableRepository[Any], *, in_threads: bool) -> list[HTTPRouteHandler]:
    """Return the handlers: `/healthz` asks for the process, `/readyz` for its store."""

    @get("/healthz", operation_id="health", summary="Does the process run?", sync_to_thread=False)
    def health() -> Health:
        """Answer, and so say that the process runs. A reason to restart it, if it does not."""
        return Health()

    @get("/readyz", operation_id="ready", summary="Can the limits be read?", sync_to_thread=in_threads)
    def ready() -> Health:
        """Read a key that does not exist. A reason to send nobody here, if that cannot be done."""
        try:
            failed = limits.load([("readyz", "readyz")]).failed
        except Exception as error:  # whatever it is, it cannot read
            raise unavailable(error) from error
        for problem in failed.values():
            raise unavailable(problem)
        return Health()

    return [health, ready]
