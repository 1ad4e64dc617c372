"""One save: each of its conditional writes is tried until it is known what became of it.

    sent ─┬─▶ done
          ├─▶ conflict; never possible; refused                     that is how it ends
          ├─▶ throttled                                             sent again after a pause
          └─▶ answer lost; or a new item whose key is taken         looked up, then one of the above

An answer that was lost is never guessed at (G8): the item is read, and says if it was written. So it is for
a conflict after a lost answer, for it may be with ourselves: what was lost can arrive late.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic

from msgspec import Struct

from kinesis_handler.aggregate import Key
from kinesis_handler.deadline import current_deadline
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.retry import Backoff
from kinesis_handler.stores import Change, Saved, State
from kinesis_handler.stores.dynamodb.answer import (
    DUPLICATE_ITEM,
    TOO_LATE,
    Meaning,
    Problem,
    problem_of_statement,
)
from kinesis_handler.stores.dynamodb.attributes import Item
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.operations import BATCH_EXECUTE_STATEMENT
from kinesis_handler.stores.dynamodb.requests import Requests
from kinesis_handler.stores.dynamodb.statement import Statement, Statements

STATEMENTS_PER_REQUEST = 25

_NOT_OF_ALL = Problem(Meaning.UNSURE, "IncompleteAnswer", "it is not about each of the statements")

Failed = dict[Key, RepositoryError | UnstorableError]
Read = Callable[[Sequence[Key], Backoff], tuple[dict[Key, Item], Failed]]


class _Write(Struct, Generic[State]):
    """A change being written. `unsure`: it may have been. `looked`: its key has been looked up."""

    change: Change[State]
    statement: Statement
    unsure: bool = False
    looked: bool = False


class Saving(Generic[State]):
    """Saves changes, once.

    Args:
        requests: by which they are sent.
        statements: of the table.
        codec: of its items.
        read: reads items, consistently; says which keys it could not read, and why.
        now: seconds since epoch.
    """

    def __init__(
        self,
        requests: Requests,
        statements: Statements[State],
        codec: ItemCodec[State],
        read: Read,
        now: float,
    ) -> None:
        self._requests = requests
        self._statements = statements
        self._codec = codec
        self._read = read
        self._now = now
        self._backoff = requests.make_backoff()
        self._deadline = current_deadline().for_a_first_attempt()
        self._saved = Saved()
        self._open: dict[Key, _Write[State]] = {}
        self._problems: Failed = {}

    def save(self, changes: Iterable[Change[State]]) -> Saved:
        """Write the changes, and return which of them were not written."""
        for change in changes:
            try:
                self._open[change.key] = _Write(change, self._statements.write(change))
            except UnstorableError as error:
                self._saved.failed[change.key] = error
        while self._open:
            self._problems.clear()
            self._send_all()
            if self._problems and not self._backoff.wait():
                self._saved.failed |= self._problems
                for key in self._problems:
                    del self._open[key]
        return self._saved

    def _send_all(self) -> None:
        """Send what is open, and see what comes of it: what is open then is to be sent again."""
        doubtful: list[_Write[State]] = []
        writes = list(self._open.values())
        for chunk, answers in self._requests.in_chunks(STATEMENTS_PER_REQUEST, writes, self._send):
            for write, problem in zip(chunk, answers or [TOO_LATE] * len(chunk), strict=True):
                if problem is None:
                    del self._open[write.change.key]
                elif self._is_doubtful(write, problem):
                    doubtful.append(write)
        if not doubtful:
            return
        if not self._deadline.has_passed():
            self._look_up(doubtful)
        else:
            for write in doubtful:
                self._problems.setdefault(write.change.key, TOO_LATE.of_writing())

    def _send(self, writes: Sequence[_Write[State]]) -> list[Problem | None]:
        """Send up to 25 statements in one request, and return the problem of each, if it has one."""
        statements = [write.statement for write in writes]
        answer = self._requests.send(BATCH_EXECUTE_STATEMENT, {"Statements": statements})
        if not isinstance(answer, Problem):
            if len(answer.responses) != len(writes):
                return [_NOT_OF_ALL] * len(writes)
            errors = [each.error for each in answer.responses]
            return [None if error is None else problem_of_statement(error) for error in errors]
        if answer.meaning is Meaning.NEVER and len(writes) > 1:
            # A value that DynamoDB cannot even read fails the whole request: find out whose it is.
            middle = len(writes) // 2
            return [*self._send(writes[:middle]), *self._send(writes[middle:])]
        return [answer] * len(writes)

    def _is_doubtful(self, write: _Write[State], problem: Problem) -> bool:
        """Handle the problem of a write; return whether its key has to be looked up."""
        key = write.change.key
        match problem.meaning:
            case Meaning.CONFLICT:
                # In the way of a new item there may be an expired one.
                if write.unsure or (problem.code == DUPLICATE_ITEM and not write.looked):
                    return True
                self._conflict(key)
            case Meaning.UNSURE:
                write.unsure = True
                self._problems[key] = problem.of_writing()
                return True
            case Meaning.NOT_NOW:
                self._problems[key] = problem.of_writing()
            case Meaning.NEVER | Meaning.REFUSED:
                self._saved.failed[key] = problem.of_writing()
                self._end(key)
        return False

    def _look_up(self, writes: Sequence[_Write[State]]) -> None:
        """Read what is stored where these were to be written, and settle what became of them."""
        items, failed = self._read([write.change.key for write in writes], self._backoff)
        for write in writes:
            key = write.change.key
            if key in failed:
                self._problems[key] = failed[key]
                continue
            seen_before, write.looked = write.looked, True
            try:
                self._settle(write, items.get(key))
            except RepositoryError as error:  # what is stored there is something else
                self._saved.failed[key] = error
                self._end(key)
            if seen_before and key in self._open:  # or it might go on for ever, without a pause
                self._problems.setdefault(key, RepositoryError("DynamoDB: the item keeps changing"))

    def _settle(self, write: _Write[State], item: Item | None) -> None:
        key, before = write.change.key, write.change.before
        if item is None or self._codec.has_expired(item, self._now):
            if before is not None:
                self._conflict(key)
            elif item is not None:
                write.statement = self._statements.replace(item, write.change.after)
            else:
                write.statement = self._statements.write(write.change)
            return
        stored = self._codec.aggregate(item)
        if write.unsure and stored == write.change.after:
            self._end(key)
        elif before is None or (stored.version, stored.parked) != (before.version, before.parked):
            self._conflict(key)

    def _conflict(self, key: Key) -> None:
        self._saved.conflicts.add(key)
        self._end(key)

    def _end(self, key: Key) -> None:
        del self._open[key]
        self._problems.pop(key, None)
