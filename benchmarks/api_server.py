"""One contender of the API's benchmark, on a port of its own: `python api_server.py ours|peer`.

Both read the same limits from a repository in memory, on the same server with the same settings.
"""

import gc
import socket
import sys
from collections.abc import Iterator
from decimal import Decimal

import uvicorn

from fastapi_peer import peer
from kinesis_handler import Aggregate
from kinesis_handler.repository import Change
from kinesis_handler.repository.memory import MemoryRepository
from user_limits.api.app import build_api
from user_limits.events import LimitType, Period
from user_limits.limit import LastReset, Limit

USERS = 500
TYPES: tuple[LimitType, ...] = ("DEPOSIT", "BET", "LOSS", "SESSION", "BALANCE")
PERIODS: tuple[Period, ...] = ("DAY", "CALENDAR_MONTH")
LIMITS_PER_USER = len(TYPES) * len(PERIODS)

_BEGIN = 1_763_800_000_000
_DAY = 86_400_000


def stored() -> Iterator[Change[Limit]]:
    for user in range(USERS):
        for place, (kind, period) in enumerate((kind, period) for kind in TYPES for period in PERIODS):
            at = _BEGIN + user * 7_919 + place * 104_729
            limit = Limit(
                user_id=f"user-{user}",
                limit_id=f"limit-{place}",
                value=Decimal(1_000 + user) + Decimal(place) / 10,
                progress=Decimal(user * 3 + place) / 4,
                active_from=at - 30 * _DAY,
                next_reset_time=at + _DAY,
                type=kind,
                period=period,
                currency_code="EUR",
                last_reset=LastReset(at - _DAY, Decimal(place) + Decimal("0.50"), Decimal("1.25")),
            )
            yield Change(
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
    app = build_api(limits) if contender == "ours" else peer(limits)
    gc.freeze()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
