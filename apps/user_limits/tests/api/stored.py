"""Limits in a repository, and a client to ask for them."""

from decimal import Decimal
from functools import cache
from typing import Any

from litestar.testing import TestClient

from kinesis_handler import Aggregate
from kinesis_handler.aggregate import Parked
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.api.app import Options, build_api
from user_limits.limit import LastReset, Limit

NOW = 1_705_329_000
"""2024-01-15T14:30:00Z, in seconds."""

DAY = 86_400


def limit(user_id: str, limit_id: str, **fields: Any) -> Limit:
    told = {"value": Decimal(1000), "progress": Decimal(750), "active_from": (NOW - DAY) * 1_000, **fields}
    return Limit(user_id=user_id, limit_id=limit_id, **told)


PARKED = Parked(
    count=2,
    since=(NOW + 60) * 1_000,
    reason="BusinessError: the event is in another currency than the limit",
    sequence_number=None,
    record_sequence_number="3",
    record_sub_sequence_number=0,
)


def aggregate(
    state: Limit, version: int = 1, updated_at: int = NOW * 1_000, parked: Parked | None = None
) -> Aggregate[Limit]:
    return Aggregate(
        key=(state.user_id, state.limit_id),
        state=state,
        version=version,
        updated_at=updated_at,
        record_sequence_number="1",
        record_sub_sequence_number=0,
        recent_event_ids=(),
        parked=parked,
    )


def repository_of(*limits: Limit) -> MemoryRepository[Limit]:
    repository: MemoryRepository[Limit] = MemoryRepository()
    save(repository, *map(aggregate, limits))
    return repository


def save(repository: MemoryRepository[Limit], *aggregates: Aggregate[Limit]) -> None:
    before = repository.load([each.key for each in aggregates]).found
    saved = repository.save([Change(before.get(each.key), each) for each in aggregates])
    assert not saved.conflicts


def client(repository: Any, options: Options | None = None, now: float = NOW) -> TestClient[Any]:
    """Return a client of the API on this repository, at this moment."""
    app: Any = build_api(repository, options, clock=lambda: now)
    return TestClient(app, raise_server_exceptions=False)


EXAMPLE = limit(
    "usr_456",
    "lmt_123",
    type="DEPOSIT",
    period="DAY",
    currency_code="EUR",
    value=Decimal("9800.10"),
    progress=Decimal("7350.075"),
    next_reset_time=1_705_363_199_000,
    last_reset=LastReset(1_705_276_799_000, Decimal("320.50"), Decimal("32.05")),
)


@cache
def example_client(options: Options | None = None) -> TestClient[Any]:
    """Return a client of the API on the example, for tests that only ask: it takes long to make one."""
    return client(repository_of(EXAMPLE), options)
