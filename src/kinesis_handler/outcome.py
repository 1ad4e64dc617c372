"""What became of each record, and the response that Lambda gets. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Key
from kinesis_handler.errors import (
    HeldBackError,
    InvalidEventError,
    OutOfTimeError,
    ProcessingError,
    RejectedError,
    UnexpectedError,
)
from kinesis_handler.ingest.event import Event
from kinesis_handler.ingest.record import Record
from kinesis_handler.lambda_types import BatchResponse

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - it is in the public signature: Remarked[State]
Keyed = TypeVar("Keyed")
Payload = TypeVar("Payload")
"""Stands for the payload of events, wherever these get their outcomes."""

__all__ = ["DELETED", "BatchResult", "Deleted", "HandledRecord", "Outcome", "Remark", "Remarked", "Status"]


class Status(StrEnum):
    """Every record ends as exactly one of these. All but FAILED are acknowledged."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """Applied before: the same event, delivered again by Lambda or sent again by its producer."""
    SUPERSEDED = "superseded"
    """Older than what has been applied to its aggregate."""
    IGNORED = "ignored"
    """No processor takes its type."""
    REJECTED = "rejected"
    """It can never succeed."""
    PARKED = "parked"
    """It, or an earlier one of its key, failed for too long: it waits in the quarantine."""
    FAILED = "failed"
    """It may succeed later: Lambda delivers it again."""


_NONE_YET = dict.fromkeys(Status, 0)


class Remark(Struct, frozen=True):
    """An anomaly of an event that was applied all the same: a warning and a metric.

    Args:
        name: what is counted, such as `drift`.
        detail: what was expected and what came, for the log. No value of the payload.
    """

    name: str
    detail: str = ""


class Remarked(Struct, Generic[State], frozen=True):
    """A state, or `DELETED`, with the anomalies of the event that led to it."""

    state: State
    remarks: tuple[Remark, ...]


class Deleted(Enum):
    """The type of `DELETED`."""

    DELETED = "deleted"


DELETED = Deleted.DELETED
"""What `apply` returns when its key has no state any more: the next event of the key begins from None."""


class ReaderKey(Struct, frozen=True, omit_defaults=True):
    """A reader of an event, by its name, and one of the keys that it names of it; None for all of them."""

    reader: str
    key: Key | None = None


class Outcome(Struct, frozen=True):
    """What became of one event.

    Args:
        status: in one word.
        error: why it was rejected or parked, or failed; None of any other.
        remarks: on an event that was applied.
        parked: for whom it waits in the quarantine until its key is released.
        rejected: who rejected it.
    """

    status: Status
    error: ProcessingError | None = None
    remarks: tuple[Remark, ...] = ()
    parked: tuple[ReaderKey, ...] = ()
    rejected: tuple[ReaderKey, ...] = ()

    def named(self, who: ReaderKey) -> "Outcome":
        """Return the outcome with who rejected or parked the event, if it was and does not say it yet."""
        if self.status is Status.REJECTED and not self.rejected:
            return replace(self, rejected=(who,))
        if self.status is Status.PARKED and not self.parked:
            return replace(self, parked=(who,))
        return self


APPLIED = Outcome(Status.APPLIED)
DUPLICATE = Outcome(Status.DUPLICATE)
SUPERSEDED = Outcome(Status.SUPERSEDED)
IGNORED = Outcome(Status.IGNORED)
OUT_OF_TIME = Outcome(Status.FAILED, OutOfTimeError("the deadline of the invocation came near"))
HELD_BACK = Outcome(Status.FAILED, HeldBackError("an earlier event of the same key failed"))


def not_applied(error: Exception) -> Outcome:
    """Return the outcome of an event that was not applied: rejected or failed, by the class of the error.

    An error that is no ProcessingError is taken for a bug, which may be fixed by the next delivery: failed.
    """
    if isinstance(error, ProcessingError):
        error.__traceback__ = None  # its frames hold the whole batch, for as long as the error is held
    else:
        error = UnexpectedError(error)
    return Outcome(Status.REJECTED if isinstance(error, RejectedError) else Status.FAILED, error)


_WORST_FIRST = {
    status: rank
    for rank, status in enumerate(
        (
            Status.FAILED,
            Status.PARKED,
            Status.REJECTED,
            Status.SUPERSEDED,
            Status.APPLIED,
            Status.DUPLICATE,
            Status.IGNORED,
        )
    )
}
"""By what each status calls for: another delivery, a person, a look, nothing."""


def worst(one: Outcome, other: Outcome) -> Outcome:
    """Return the outcome of an event that has two, of two processors or two keys: the worse one.

    It has the remarks of both, and for whom it was parked or rejected. What succeeded is found to be a
    duplicate when the event is delivered again.
    """
    worse, better = sorted((one, other), key=lambda outcome: _WORST_FIRST[outcome.status])
    if not (one.remarks or other.remarks or worse.parked or better.rejected):
        return worse
    return replace(
        worse,
        remarks=one.remarks + other.remarks,
        parked=one.parked + other.parked,
        rejected=one.rejected + other.rejected,
    )


def add_outcomes(known: dict[Keyed, Outcome], further: Mapping[Keyed, Outcome]) -> None:
    """Add the outcomes of some events; one that has an outcome already gets the worse of the two."""
    worse = {each: worst(known[each], further[each]) for each in known.keys() & further.keys()}
    known.update(further)
    known.update(worse)


class Identity(NamedTuple):
    """What an event calls itself, as far as it could be read."""

    event_id: str | None
    event_type: str | None
    correlation_id: str | None


Parts = Mapping[ReaderKey, Outcome]
"""What became of one event for each reader and key that took it."""

_NO_PARTS: Parts = {}


class HandledRecord(Struct, frozen=True):
    """A record with its outcome, and its event if it could be decoded.

    `parts` has the outcomes of which this is the worst, if the record was redriven.
    """

    record: Record
    event: Event[Any] | None
    outcome: Outcome
    parts: Parts = {}

    @property
    def identity(self) -> Identity:
        """What the event calls itself, even if only its envelope could be read."""
        if self.event is not None:
            return Identity(self.event.id, self.event.type, self.event.correlation_id)
        error = self.outcome.error
        if isinstance(error, InvalidEventError):
            return Identity(error.event_id, error.event_type, error.correlation_id)
        return Identity(None, None, None)


class BatchResult:
    """What became of the records of one batch: one outcome each, in stream order.

    Args:
        in_order: the events of the batch; for a record that is no event, the record itself.
        outcomes: one for each of them.
        readers: where there are several processors: by the name of each, how many of its events had which
            outcome.
        parts: where records are redriven: by event, what became of it for each reader and key.
        rejections: the events that a reader or key rejected, whatever became of them elsewhere.
    """

    def __init__(
        self,
        in_order: Sequence[Event[Any] | Record],
        outcomes: Mapping[Event[Any] | Record, Outcome],
        readers: Mapping[str, Mapping[Status, int]] | None = None,
        parts: Mapping[Event[Any], Parts] | None = None,
        rejections: Mapping[Event[Any], Outcome] | None = None,
    ) -> None:
        self._rejections = rejections or {}
        self._parts = parts or {}
        self._in_order = in_order
        self._outcomes = outcomes
        self.readers = readers or {}
        """By the name of a processor, its outcomes; empty if there is only one."""
        self.notable = [self._handled(each) for each in in_order if outcomes[each] is not APPLIED]
        """Records that were not simply applied: what there is to count, to report and to log."""

    def __len__(self) -> int:
        return len(self._in_order)

    def __iter__(self) -> Iterator[HandledRecord]:
        return map(self._handled, self._in_order)

    def _handled(self, each: Event[Any] | Record) -> HandledRecord:
        if isinstance(each, Record):
            return HandledRecord(each, None, self._outcomes[each])
        return HandledRecord(each.record, each, self._outcomes[each], self._parts.get(each, _NO_PARTS))

    def applied(self) -> list[Event[Any]]:
        """Return the events that were applied, in stream order."""
        outcomes = self._outcomes
        return [
            each
            for each in self._in_order
            if isinstance(each, Event) and outcomes[each].status is Status.APPLIED
        ]

    def needs_attention(self) -> Iterator[HandledRecord]:
        """Return the records that a person should look at: rejected, parked, failed, or with a remark."""
        return (each for each in self.notable if each.outcome.error is not None or each.outcome.remarks)

    def rejected(self) -> list[HandledRecord]:
        """Return the records that can never succeed, for one of their processors or keys at least.

        One that comes again for others is among them: what lies behind it may be redriven before that, and
        then it would be superseded where it was rejected.
        """
        found = []
        for each in self.notable:
            rejection = self._rejections.get(each.event) if each.event is not None else None
            if rejection is not None:
                found.append(replace(each, outcome=rejection))
            elif each.outcome.status is Status.REJECTED:
                found.append(each)
        return found

    def counts(self) -> dict[Status, int]:
        """Count the records by status: every status is there, and the counts add up to the batch."""
        counts = _NONE_YET.copy()
        counts[Status.APPLIED] = len(self) - len(self.notable)
        for each in self.notable:
            counts[each.outcome.status] += 1
        return counts

    def remarks(self) -> dict[str, int]:
        """Count the remarks by name."""
        counts: dict[str, int] = {}
        for each in self.notable:
            for remark in each.outcome.remarks:
                counts[remark.name] = counts.get(remark.name, 0) + 1
        return counts

    def response(self) -> BatchResponse:
        """Return the response to Lambda: each failed record's sequence number, once, in stream order."""
        failed = dict.fromkeys(
            each.record.sequence_number for each in self.notable if each.outcome.status is Status.FAILED
        )
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
