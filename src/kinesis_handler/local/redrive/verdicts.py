"""Judges what became of a record that was sent through the handler, for whom it waits. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from kinesis_handler.errors import ParkedError
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.outcome import HandledRecord, Outcome, Status
from kinesis_handler.quarantine.entry import EVERYBODY, Entry, Part

TOO_LATE = "later events of its key have been applied; whether this one was before them is not known"

_RESULTS = {
    Status.FAILED: Result.FAILED,
    Status.REJECTED: Result.REJECTED,
    Status.SUPERSEDED: Result.TOO_LATE,
    Status.APPLIED: Result.APPLIED,
    Status.DUPLICATE: Result.DUPLICATE,
    Status.IGNORED: Result.IGNORED,
}
"""Results by status, the worst first: a record has the result of its worst user record."""

_ORDER = list(_RESULTS)


class Judge(Struct, frozen=True):
    """Says which entries have been dealt with.

    Args:
        readers: the names of the handler's processors, each with the event types that it takes.
        has_quarantine: whether what is rejected now has an entry of its own.
        accept_too_late: take records that come too late for dealt with.
    """

    readers: Mapping[str, Sequence[str]]
    has_quarantine: bool
    accept_too_late: bool

    def on_entry(
        self, entry: Entry, handled: Sequence[HandledRecord], settled: Sequence[Outcome] = ()
    ) -> Verdict:
        """Return the verdict on an entry: the worst of those for whom it waits.

        Args:
            entry: that was sent.
            handled: what became of its record, or of all user records in it.
            settled: what became of it before, in this redrive, for some of all that it is for.
        """
        [first, *others] = (self.on_part(part, entry, handled, settled) for part in entry.parts)
        for each in others:
            first = first.and_also(each)
        return first

    def on_part(
        self, part: Part, entry: Entry, handled: Sequence[HandledRecord], settled: Sequence[Outcome] = ()
    ) -> Verdict:
        """Return the verdict on an entry for one of those for whom it waits."""
        outcomes = [_outcome_for(part, each) for each in handled]
        worst = min((*outcomes, *settled), key=lambda each: _ORDER.index(each.status))
        if worst.status is Status.IGNORED and (problem := self._not_taken(part, handled)):
            return problem
        if isinstance(worst.error, ParkedError):
            return Verdict(Result.HELD_BACK, str(worst.error), done=False)
        waiting = {Status.FAILED, Status.REJECTED, Status.SUPERSEDED}
        if self.accept_too_late or part.is_parked:
            waiting.remove(Status.SUPERSEDED)
        if self._has_new_entry(part, entry, handled):
            waiting.remove(Status.REJECTED)
        done = waiting.isdisjoint(each.status for each in outcomes)
        parts = frozenset({part} if done else ())
        if worst.status is Status.SUPERSEDED:
            if part.is_parked:
                return Verdict(Result.SUPERSEDED, parts=parts)
            return Verdict(Result.TOO_LATE, TOO_LATE, done, parts)
        return Verdict(_RESULTS[worst.status], str(worst.error or ""), done, parts)

    def _has_new_entry(self, part: Part, entry: Entry, handled: Iterable[HandledRecord]) -> bool:
        """Return whether what is rejected now waits on in an entry that says by whom it was."""
        is_named = all(each.event is not None for each in handled)
        if part == EVERYBODY:
            return self.has_quarantine and (is_named or entry.sub_sequence_number is None)
        return self.has_quarantine and is_named and part.is_parked

    def _not_taken(self, part: Part, handled: Iterable[HandledRecord]) -> Verdict | None:
        """Return why a record still waits for a reader that did not take it; None if it does not."""
        reader, is_taken = part.who.reader, False
        for each in handled:
            event_type = each.event.type if each.event is not None else None
            is_taken |= any(event_type in types for types in self.readers.values())
        if part == EVERYBODY or not is_taken:
            return None
        if reader not in self.readers:
            return Verdict(
                Result.NO_READER,
                f"it waits for the reader {reader}, and this application has {', '.join(self.readers)}: "
                f"if it was renamed, set `reader_name = {reader!r}`",
                done=False,
            )
        if part.is_parked:
            return Verdict(
                Result.HELD_BACK,
                f"{reader} names other keys for it than the one that is parked: is its `key` as it was?",
                done=False,
            )
        return None


def of_entry(entry: Entry, handled: Sequence[HandledRecord]) -> Sequence[HandledRecord]:
    """Return what became of what an entry stands for. A record that cannot be unpacked has one outcome."""
    number = entry.sub_sequence_number
    if number is None:
        return handled
    return [each for each in handled if each.record.sub_sequence_number == number] or handled


def _outcome_for(part: Part, handled: HandledRecord) -> Outcome:
    """Return what became of a record for one reader and key, or for all.

    If it was rejected for a key that the reader does not name any more, it went to all of its keys.
    """
    parts = handled.parts
    if part == EVERYBODY or not parts:
        return handled.outcome
    if part.who in parts:
        return parts[part.who]
    of_reader = [outcome for who, outcome in parts.items() if who.reader == part.who.reader]
    return min(of_reader, key=lambda each: _ORDER.index(each.status), default=Outcome(Status.IGNORED))
