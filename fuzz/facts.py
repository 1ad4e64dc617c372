"""Facts that must hold of the handler for any input: stated once, for the tests and for the search."""

import io
from collections import Counter
from collections.abc import Iterator
from types import NoneType
from typing import TYPE_CHECKING

from fuzz.carriers import GOOD_USER, NATIVE, Carrier
from fuzz.samples import aggregated, gzipped, sealed
from kinesis_handler import BusinessError, KinesisHandler, RejectedError
from kinesis_handler.errors import HeldBackError
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.outcome import BatchResult, Status
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores.memory import MemoryRepository
from user_limits.events import EXACT
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from kinesis_handler.lambda_types import LambdaRecord

LIMIT = 1024 * 1024
"""Bytes that a record may unpack to. A sixteenth of the default: bombs are as bad with it, and faster."""

LONGEST_REASON = 500
"""Maximum length of a reason, in characters. A longer one quotes its input."""

# UnexpectedError is not among them: an error that a processor does not foresee would block the shard.
_ERRORS: dict[Status, type[object] | tuple[type[object], ...]] = {
    **dict.fromkeys(Status, NoneType),
    Status.REJECTED: RejectedError,
    Status.FAILED: (BusinessError, HeldBackError),
}


def check(*data: bytes | str, good_inside: tuple[str, ...] = (), carrier: Carrier = NATIVE) -> BatchResult:
    """Handle records between two good ones, and check all facts.

    Args:
        data: data of each record; a string is used as its base64, valid or not.
        good_inside: limit ids of the good events in KPL records among these.
        carrier: the envelope of the records.
    """
    batch = Batch(*data, carrier=carrier)
    result = batch.handle()
    batch.check(result, good_inside)
    return result


def check_in_every_wrapping(data: bytes) -> BatchResult:
    """Check data as a record's data, and in every other part of a record that data can be."""
    inside = NATIVE.good("inside")
    return check(
        data,
        data.decode("latin-1"),
        gzipped(data),
        sealed(data),
        aggregated(data, inside, gzipped(data)),
        good_inside=("inside",),
    )


class Nowhere(io.StringIO):
    """Discards the log: stored, it would count as memory, and writing it may raise."""

    def write(self, text: str) -> int:
        return len(text)


class MemoryQuarantine:
    """Stores objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def keep(self, name: str, content: bytes) -> None:
        self.objects[name] = content

    def names(self) -> Iterator[str]:
        return iter(sorted(self.objects))

    def read(self, name: str) -> bytes:
        return self.objects[name]

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


class Batch:
    """Records between two good ones, and a handler of the application for them only."""

    def __init__(self, *data: bytes | str, carrier: Carrier = NATIVE) -> None:
        contents = [each if isinstance(each, bytes) else b"" for each in data]
        keyed = [("key", each) for each in (carrier.good("first"), *contents, carrier.good("last"))]
        self.records: list[LambdaRecord] = list(put_on_shard(keyed))
        for record, each in zip(self.records[1:], data, strict=False):
            if isinstance(each, str):
                record["kinesis"]["data"] = each
        self.quarantine = MemoryQuarantine()
        self._repository = MemoryRepository[Limit]()
        self._handler = KinesisHandler(
            [UserLimitEventProcessor(self._repository)],
            envelope=carrier.envelope,
            quarantine=self.quarantine,
            max_unpacked_bytes=LIMIT,
        )

    def handle(self) -> BatchResult:
        """Pass the records to the handler: an exception is a breach too."""
        return self._handler.handle({"Records": self.records})

    def check(self, result: BatchResult, good_inside: tuple[str, ...] = ()) -> None:
        """Raise AssertionError if a fact does not hold."""
        self._each_has_one_outcome(result)
        self._good_ones_are_applied(result, {"first", "last", *good_inside})
        self._rejected_ones_are_quarantined(result)
        self._amounts_are_exact()
        failed = [each.record.sequence_number for each in result if each.outcome.status is Status.FAILED]
        identifiers = [each["itemIdentifier"] for each in result.response()["batchItemFailures"]]
        assert identifiers == list(dict.fromkeys(failed)), (
            "the response names other records than those that failed"
        )

    def _each_has_one_outcome(self, result: BatchResult) -> None:
        positions = [(each.record.sequence_number, each.record.sub_sequence_number) for each in result]
        carried = Counter(number for number, _ in positions)
        numbers = [record["kinesis"]["sequenceNumber"] for record in self.records]
        assert positions == [(number, sub) for number in numbers for sub in range(carried[number])], (
            "the user records are not each there once, in stream order"
        )
        assert all(carried[number] for number in numbers), "a record has no outcome"
        assert sum(result.counts().values()) == len(positions), "the counts do not add up"
        assert result.counts() == {**dict.fromkeys(Status, 0), **Counter(e.outcome.status for e in result)}
        for each in result:
            status, error = each.outcome.status, each.outcome.error
            assert isinstance(error, _ERRORS[status]), f"it ended as {status} with {error!r}"
            assert len(str(error)) <= LONGEST_REASON, f"the reason is long: {str(error)[:LONGEST_REASON]}"

    def _good_ones_are_applied(self, result: BatchResult, limit_ids: set[str]) -> None:
        applied = {
            each.event.payload.user_limit_id
            for each in result
            if each.event is not None
            and each.outcome.status is Status.APPLIED
            and each.event.payload.user_id == GOOD_USER
        }
        assert applied == limit_ids, "a good record beside bad ones was not applied"
        stored = {each.key[1] for each in self._repository.find(GOOD_USER).aggregates}
        assert stored == limit_ids, "a good record beside bad ones was not stored"

    def _amounts_are_exact(self) -> None:
        for aggregate in self._repository.scan():
            limit = aggregate.state
            for amount in (limit.value, limit.progress, limit.previous_value):
                if amount is not None:
                    EXACT.plus(amount)  # it raises ArithmeticError if a store would have to round

    def _rejected_ones_are_quarantined(self, result: BatchResult) -> None:
        rejected = [
            (
                each.record.sequence_number,
                each.record.sub_sequence_number,
                each.record.source["kinesis"]["data"],
                str(each.outcome.error),
            )
            for each in result.rejected()
        ]
        stored = [
            (entry.sequence_number, entry.sub_sequence_number, entry.data, entry.reason)
            for _, _, entry in waiting_in([read_contents(self.quarantine)]).values()
        ]
        assert stored == rejected, "what is in the quarantine is not what was rejected, as it came"
