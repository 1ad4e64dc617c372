"""One contender of the API's benchmark, on a port of its own: `python -m benchmarks.api_server ours|fastapi`.

Both read the same limits from a repository in memory, on the same server with the same settings.
"""

import gc
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import uvicorn

from benchmarks.fastapi_peer import peer
from benchmarks.stored_limits import stored_limit
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from user_limits import view
from user_limits.api import etag
from user_limits.api.app import build_api
from user_limits.limit import Limit

USERS = 500
LIMITS_PER_USER = 10
MANY = "many"
"""The user who has MANY_LIMITS."""
MANY_LIMITS = 10_000


def stored() -> Iterator[Change[Limit]]:
    for user in range(USERS):
        for number in range(LIMITS_PER_USER):
            yield stored_limit(f"user-{user}", f"limit-{number}", user + number)
    for number in range(MANY_LIMITS):
        yield stored_limit(MANY, f"limit-{number}", number)


def main(contender: str) -> None:
    limits: MemoryRepository[Limit] = MemoryRepository()
    limits.save(list(stored()))
    shown = SimpleNamespace(**{**vars(view), **vars(etag)})
    app = build_api(limits) if contender == "ours" else peer(limits, shown)
    gc.freeze()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
