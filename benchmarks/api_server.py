"""One contender of the API's benchmark, on a port of its own: `python -m benchmarks.api_server ours|fastapi`.

Both read the same limits from a repository in memory, on the same server with the same settings.
"""

import gc
import socket
import sys
from collections.abc import Iterator
from decimal import Decimal

import uvicorn

from benchmarks.fastapi_peer import Shared, peer
from kinesis_handler import Aggregate
from kinesis_handler.repository import Change
from kinesis_handler.repository.memory import MemoryRepository
from user_limits.api.app import build_api
from user_limits.api.etag import is_known, tag_of, tag_of_list
from user_limits.events import LimitType, Period
from user_limits.limit import LastReset, Limit
from user_limits.view import PERIOD_TYPES, percentage, remaining, rfc3339

USERS = 500
TYPES: tuple[LimitType, ...] = ("DEPOSIT", "BET", "LOSS", "SESSION", "BALANCE")
PERIODS: tuple[Period, ...] = ("DAY", "CALENDAR_MONTH")
LIMITS_PER_USER = len(TYPES) * len(PERIODS)

MANY = "many"
"""The user who has MANY_LIMITS."""
MANY_LIMITS = 10_000

_BEGIN = 1_763_800_000_000
_DAY = 86_400_000


def stored() -> Iterator[Change[Limit]]:
    kinds = [(kind, period) for kind in TYPES for period in PERIODS]
    for user in range(USERS):
        for place, (kind, period) in enumerate(kinds):
            yield _change(f"user-{user}", user, place, kind, period)
    for place in range(MANY_LIMITS):
        yield _change(MANY, place % USERS, place, *kinds[place % len(kinds)])


def _change(user_id: str, number: int, place: int, kind: LimitType, period: Period) -> Change[Limit]:
    at = _BEGIN + number * 7_919 + place * 104_729
    limit = Limit(
        user_id=user_id,
        limit_id=f"limit-{place}",
        value=Decimal(1_000 + number) + Decimal(place) / 10,
        progress=Decimal(number * 3 + place) / 4,
        active_from=at - 30 * _DAY,
        next_reset_time=at + _DAY,
        type=kind,
        period=period,
        currency_code="EUR",
        last_reset=LastReset(at - _DAY, Decimal(place) + Decimal("0.50"), Decimal("1.25")),
    )
    return Change(
        None,
        Aggregate(
            key=(limit.user_id, limit.limit_id),
            state=limit,
            version=place + 1,
            updated_at=at,
            record_sequence_number="1",
            record_sub_sequence_number=0,
            recent_event_ids=(),
        ),
    )


def main(contender: str) -> None:
    limits: MemoryRepository[Limit] = MemoryRepository()
    limits.save(list(stored()))
    shared = Shared(PERIOD_TYPES, rfc3339, tag_of, tag_of_list, is_known, percentage, remaining)
    app = build_api(limits) if contender == "ours" else peer(limits, shared)
    gc.freeze()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
