"""Events of limits on a shard, what keeps them from being applied, and where they wait."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chaos.oracle import Expected, Oracle
from chaos.verdict import as_expected
from kinesis_handler import BusinessError, Event, KinesisHandler, Remarked
from kinesis_handler.aggregate import Key
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping, lambda_record
from kinesis_handler.local.redrive import Redrive, RedriveTarget, Sent
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine import Quarantine, ReadableQuarantine
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.entry import Entry
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.events import LimitPayload, UserLimitCreated
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/limits"
SHARD = "shardId-000000000000"
ARRIVED_AT = 1_795_000_000.25
FIRST_NUMBER = 49590338271490256608559692538361571095921575989136588898


def event(event_id: str, kind: str, user: str = "anna", limit: str = "bet", **more: Any) -> dict[str, Any]:
    """Return an event of a user's limit."""
    payload = {"userId": user, "userLimitId": limit, **more}
    return {"eventId": event_id, "type": f"USER_LIMIT_{kind}", "createdAt": 1, "payload": payload}


def created(event_id: str, user: str = "anna", limit: str = "bet", **more: Any) -> dict[str, Any]:
    return event(event_id, "CREATED", user, limit, value="100", **more)


def progress(event_id: str, amount: int, user: str = "anna", limit: str = "bet") -> dict[str, Any]:
    return event(event_id, "PROGRESS_CHANGED", user, limit, amount=str(amount))


def data_of(content: object) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def on_shard(
    contents: Iterable[object], *, first: int = 0, shard: str = SHARD, stream: str = STREAM
) -> list[LambdaRecord]:
    """Return a record for each event, whose partition key is its user; bytes are taken for the data."""
    return [
        lambda_record(
            stream,
            shard,
            str(FIRST_NUMBER + place),
            content["payload"]["userId"] if isinstance(content, dict) else "anna",
            base64.b64encode(data_of(content)).decode(),
            ARRIVED_AT + place,
        )
        for place, content in enumerate(contents, start=first)
    ]


class CreatedWithBrand(UserLimitCreated, kw_only=True):
    brand_id: str


class StrictProcessor(UserLimitEventProcessor):
    """Its schema asks for more than the producer sends."""

    reader_name = "UserLimitEventProcessor"
    event_types = {**UserLimitEventProcessor.event_types, "USER_LIMIT_CREATED": CreatedWithBrand}

    def __init__(self, repository: Repository[Limit]) -> None:
        super().__init__(repository, park_after=None)


class FailingProcessor(UserLimitEventProcessor):
    """Fails at some events, by their ids."""

    reader_name = "UserLimitEventProcessor"

    def __init__(self, repository: Repository[Limit], *failing: str, park_after: float | None = None) -> None:
        super().__init__(repository, park_after=park_after)
        self.failing = set(failing)
        self.seen: list[str] = []

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        self.seen.append(event.id)
        if event.id in self.failing:
            raise BusinessError(f"{event.id} is refused for now")
        return super().apply(state, event)


def give_up(
    quarantine: Quarantine, records: Sequence[LambdaRecord], *, at: float = ARRIVED_AT
) -> tuple[str, bytes]:
    """Keep records as a batch that was given up; return its object."""
    kept = failed_batch(DiscardedBatch("RetryAttemptsExhausted", list(records), 3), at).object()
    quarantine.keep(*kept)
    return kept


def deliver(
    handler: KinesisHandler,
    records: Sequence[LambdaRecord],
    on_failure: Quarantine,
    *,
    batch_size: int = 100,
    bisect: bool = False,
) -> None:
    """Deliver records as Lambda does, and keep what is given up."""
    mapping = EventSourceMapping(
        handler,
        batch_size=batch_size,
        maximum_retry_attempts=1,
        bisect_batch_on_function_error=bisect,
        retry_wait=0,
        on_failure=lambda discarded: on_failure.keep(*failed_batch(discarded, ARRIVED_AT).object()),
    )
    for _ in mapping.run(records):
        pass


def through_handler(
    repository: Repository[Limit],
    quarantine: Quarantine,
    processor: UserLimitEventProcessor | None = None,
    batch_size: int = 100,
    *,
    accept_too_late: bool = False,
) -> ThroughHandler:
    """Return the way through a handler whose schema has been mended, if no other is given."""
    handler = KinesisHandler([processor or UserLimitEventProcessor(repository)], quarantine=quarantine)
    return ThroughHandler(handler, quarantine, accept_too_late=accept_too_late, batch_size=batch_size)


def redrive(
    way: RedriveTarget,
    *quarantines: ReadableQuarantine,
    chosen: Callable[[Entry], bool] = lambda _: True,
) -> list[Sent]:
    """Send all that waits, once."""
    return list(Redrive([read_contents(each) for each in quarantines], chosen).run(way))


def results_of(sent: Iterable[Sent]) -> list[tuple[int, str]]:
    """Return the place on the shard of each entry, and what became of it in a word."""
    return [(place_of(entry), verdict.result) for each in sent for entry, verdict in each]


def left_of(sent: Iterable[Sent]) -> list[tuple[int, str]]:
    """Return the place on the shard of what is left, and why."""
    return [(place_of(entry), verdict.reason) for each in sent for entry, verdict in each if not verdict.done]


def done_of(sent: Iterable[Sent]) -> list[int]:
    """Return the places on the shard of what is done with."""
    return [place_of(entry) for each in sent for entry, verdict in each if verdict.done]


def place_of(entry: Entry) -> int:
    return int(entry.sequence_number) - FIRST_NUMBER


def open_in(*quarantines: ReadableQuarantine) -> list[int]:
    """Return the places on the shard of what waits, in stream order, each as often as something waits."""
    waiting = waiting_in([read_contents(each) for each in quarantines])
    return [place.sequence_number - FIRST_NUMBER for place in waiting]


State = dict[Key, Expected]


def state_of(repository: Repository[Limit]) -> State:
    """Return each limit with its version and its lineage."""
    return {each.key: as_expected(each) for each in repository.scan()}


def clean_pass(records: Sequence[LambdaRecord]) -> State:
    """Return what one clean pass leads to."""
    return Oracle(records).limits


def repository() -> MemoryRepository[Limit]:
    return MemoryRepository()
