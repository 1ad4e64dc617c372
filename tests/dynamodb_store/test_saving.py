"""One save, answer by answer: what is sent, what is looked up, and what becomes of each change.

The answers are written down, and nothing is stored. What DynamoDB itself answers, the other tests show.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from msgspec.structs import replace

from kinesis_handler import Key
from kinesis_handler.aggregate import Aggregate, Parked
from kinesis_handler.deadline import Deadline, within
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.retry import ATTEMPTS, Backoff
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.dynamodb.answer import Meaning, Problem
from kinesis_handler.stores.dynamodb.attributes import EXPIRES_AT, Item, to_attribute
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.requests import Requests
from kinesis_handler.stores.dynamodb.saving import Failed, Saving
from kinesis_handler.stores.dynamodb.statement import Statement, Statements
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import after, aggregate

if TYPE_CHECKING:
    from kinesis_handler.stores.dynamodb.connection import Connection

NOW = 1_000.0
KEY = ("a", "1")

CODEC = ItemCodec(LawState, "pk", "sk", "table")
STATEMENTS: Statements[LawState] = Statements("table", CODEC, now=NOW, expiry=Expiry())

INSERT = Change(None, aggregate(KEY, note="mine"))
UPDATE = after(aggregate(KEY, note="first"), note="mine")
BOTH = pytest.mark.parametrize("change", [INSERT, UPDATE], ids=["new", "changed"])

LOST = Problem(Meaning.UNSURE, "ReadTimeoutError", "no answer")
TOO_LATE_SAYS = "TooLate: the deadline of the invocation came near"
DUPLICATE, CONFLICT, THROTTLED = "DuplicateItem", "ConditionalCheckFailed", "ThrottlingError"

Answer = Problem | Mapping[str, str]
"""The answer to one request: an error of the whole, or those of its statements, by the key's second part."""

Look = Mapping[Key, Item | RepositoryError]
"""What a look finds, and why it fails for a key."""

LOOK_FAILED = RepositoryError("the look failed")
LOOK_FAILED_FOR_LONG = RepositoryError("the look failed, and waited for long")


def item(stored: Aggregate[LawState | None], expires_at: float | None = None) -> Item:
    """Return the item of an aggregate, as DynamoDB would."""
    attributes = CODEC.attributes(stored) | ({} if expires_at is None else {EXPIRES_AT: expires_at})
    return {**CODEC.key(stored.key), **{name: to_attribute(each) for name, each in attributes.items()}}


def many(number: int) -> list[Change[LawState]]:
    return [Change(None, aggregate(("a", f"k{each:02d}"))) for each in range(number)]


def sorts(changes: Iterable[Change[LawState]]) -> list[str]:
    return [each.key[1] for each in changes]


class Table:
    """Stands for the connection and for the reading of items: each gives the next answer that a test has.

    Args:
        answers: to each request of statements; the last one to all that follow.
        looks: what each look finds; the last one in all that follow.
    """

    def __init__(self, *answers: Answer, looks: Sequence[Look] = ()) -> None:
        self.sent: list[list[Statement]] = []
        self.looked_up: list[list[Key]] = []
        self.pauses: list[float] = []
        self._answers = answers
        self._looks = looks

    @property
    def keys_sent(self) -> list[list[str]]:
        """The second part of the key of each statement, by request."""
        return [[*map(sort_of, each)] for each in self.sent]

    def save(self, *changes: Change[LawState]) -> Saved:
        """Save the changes, once."""
        requests = Requests(cast("Connection", self), self._make_backoff)
        return Saving(requests, STATEMENTS, CODEC, self._look, NOW).save(changes)

    def post(self, operation: str, body: bytes) -> bytes | Problem:
        """Answer a request of statements."""
        assert operation == "BatchExecuteStatement"
        statements = msgspec.json.decode(body, type=dict[str, list[Statement]])["Statements"]
        answer = self._answers[min(len(self.sent), len(self._answers) - 1)]
        self.sent.append(statements)
        return answer if isinstance(answer, Problem) else answered(map(sort_of, statements), answer)

    def _look(self, keys: Sequence[Key], backoff: Backoff) -> tuple[dict[Key, Item], Failed]:
        look = self._looks[min(len(self.looked_up), len(self._looks) - 1)]
        self.looked_up.append([*keys])
        failed: Failed = {key: each for key, each in look.items() if isinstance(each, RepositoryError)}
        while LOOK_FAILED_FOR_LONG in failed.values() and backoff.wait():
            pass
        return {key: each for key, each in look.items() if not isinstance(each, RepositoryError)}, failed

    def _make_backoff(self) -> Backoff:
        return Backoff(self.pauses.append, lambda _, longest: longest)


def answered(sorts: Iterable[str], codes: Mapping[str, str]) -> bytes:
    """Return the answer to some statements, of which those with a code have failed."""
    return msgspec.json.encode(
        {
            "Responses": [
                {"Error": {"Code": codes[sort], "Message": "why"}} if sort in codes else {} for sort in sorts
            ]
        }
    )


def sort_of(statement: Statement) -> str:
    """Return the second part of a statement's key: all have the same first one."""
    parameters = msgspec.json.decode(statement.parameters)
    sort: str = parameters[parameters.index({"S": KEY[0]}) + 1]["S"]
    return sort


def written(change: Change[LawState]) -> Statement:
    return STATEMENTS.write(change)


@BOTH
def test_what_is_written_is_sent_once_and_not_looked_up(change: Change[LawState]) -> None:
    table = Table({})
    assert table.save(change) == Saved()
    assert (table.sent, table.looked_up, table.pauses) == ([[written(change)]], [], [])


@pytest.mark.parametrize(
    ("change", "code", "saved"),
    [
        (UPDATE, CONFLICT, Saved(conflicts={KEY})),
        (INSERT, CONFLICT, Saved(conflicts={KEY})),
        (INSERT, "ValidationError", UnstorableError),
        (UPDATE, "AccessDenied", RepositoryError),
    ],
)
def test_an_error_that_is_final_ends_a_write_at_once(
    change: Change[LawState], code: str, saved: Saved | type[Exception]
) -> None:
    table = Table({"1": code})
    result = table.save(change)
    if isinstance(saved, Saved):
        assert result == saved
    else:
        [(key, error)] = result.failed.items()
        assert (key, type(error), str(error)) == (KEY, saved, f"DynamoDB: {code}: why")
        assert not result.conflicts
    assert (len(table.sent), table.looked_up, table.pauses) == (1, [], [])


@BOTH
def test_a_throttled_write_is_sent_again_after_a_pause(change: Change[LawState]) -> None:
    table = Table({"1": THROTTLED}, {"1": THROTTLED}, {})
    assert table.save(change) == Saved()
    assert (table.sent, table.looked_up) == ([[written(change)]] * 3, [])
    assert table.pauses == [0.05, 0.1]


def test_a_write_fails_with_the_error_of_its_last_attempt_and_others_that_were_throttled_do_not() -> None:
    changes = many(3)
    first, second, third = sorts(changes)
    table = Table({first: THROTTLED, second: THROTTLED}, {second: THROTTLED}, {second: "TransactionConflict"})
    saved = table.save(*changes)
    assert {key: str(error) for key, error in saved.failed.items()} == {
        changes[1].key: "DynamoDB: TransactionConflict: why"
    }
    assert table.keys_sent == [[first, second, third], [first, second], *[[second]] * (ATTEMPTS - 2)]


def test_what_has_failed_for_good_has_failed_when_the_attempts_of_others_end() -> None:
    changes = many(2)
    table = Table(dict(zip(sorts(changes), ["AccessDenied", THROTTLED], strict=True)))
    assert [str(error) for error in table.save(*changes).failed.values()] == [
        "DynamoDB: AccessDenied: why",
        "DynamoDB: ThrottlingError: why",
    ]


@BOTH
def test_a_lost_write_that_is_found_is_done(change: Change[LawState]) -> None:
    table = Table(LOST, looks=[{KEY: item(change.after)}])
    assert table.save(change) == Saved()
    assert (len(table.sent), table.looked_up, table.pauses) == (1, [[KEY]], [])


@BOTH
def test_a_lost_write_of_which_nothing_is_found_is_sent_again_as_it_was(change: Change[LawState]) -> None:
    before = {} if change.before is None else {KEY: item(change.before)}
    table = Table(LOST, {}, looks=[before])
    assert table.save(change) == Saved()
    assert table.sent == [[written(change)]] * 2
    assert (len(table.looked_up), table.pauses) == (1, [0.05])


PARKED = Parked(1, 1, "why", None, "2", 0)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (INSERT, item(aggregate(KEY, note="theirs"))),
        (UPDATE, {}),
        (UPDATE, item(aggregate(KEY, 2, note="theirs"))),
        (UPDATE, item(aggregate(KEY, 3, note="theirs"))),
        (UPDATE, item(replace(aggregate(KEY, note="first"), parked=PARKED))),
        (UPDATE, item(aggregate(KEY, note="first"), NOW)),
    ],
    ids=["new", "gone", "another of this version", "a later version", "parked", "expired"],
)
def test_a_lost_write_where_another_is_found_is_a_conflict(change: Change[LawState], found: Item) -> None:
    table = Table(LOST, looks=[{KEY: found} if found else {}])
    assert table.save(change) == Saved(conflicts={KEY})
    assert (len(table.sent), table.pauses) == (1, [])


def test_a_lost_change_of_what_expires_later_is_sent_again() -> None:
    table = Table(LOST, {}, looks=[{KEY: item(aggregate(KEY, note="first"), NOW + 1)}])
    assert table.save(UPDATE) == Saved()
    assert table.sent == [[written(UPDATE)]] * 2


@BOTH
def test_a_conflict_with_a_lost_write_that_arrived_late_is_none(change: Change[LawState]) -> None:
    before = {} if change.before is None else {KEY: item(change.before)}
    code = DUPLICATE if change.before is None else CONFLICT
    table = Table(LOST, {"1": code}, looks=[before, {KEY: item(change.after)}])
    assert table.save(change) == Saved()
    assert (len(table.sent), len(table.looked_up)) == (2, 2)


def test_an_expired_item_is_replaced_by_a_new_one() -> None:
    expired = item(aggregate(KEY, 5, note="old"), NOW)
    table = Table({"1": DUPLICATE}, {}, looks=[{KEY: expired}])
    assert table.save(INSERT) == Saved()
    assert table.sent == [[written(INSERT)], [STATEMENTS.replace(expired, INSERT.after)]]
    assert (table.looked_up, table.pauses) == ([[KEY]], [])


def test_a_new_item_whose_key_is_taken_is_a_conflict() -> None:
    table = Table({"1": DUPLICATE}, looks=[{KEY: item(INSERT.after)}])
    assert table.save(INSERT) == Saved(conflicts={KEY}), "though it is equal: nothing of ours can be there"
    assert (len(table.sent), table.pauses) == (1, [])


def test_an_expired_item_that_is_removed_before_it_is_replaced_lets_the_new_one_be_inserted() -> None:
    expired = item(aggregate(KEY, 5, note="old"), NOW)
    table = Table({"1": DUPLICATE}, LOST, {}, looks=[{KEY: expired}, {}])
    assert table.save(INSERT) == Saved()
    replacement = STATEMENTS.replace(expired, INSERT.after)
    assert table.sent == [[written(INSERT)], [replacement], [written(INSERT)]]


def test_a_new_item_whose_key_is_taken_again_after_the_look_is_a_conflict() -> None:
    table = Table({"1": DUPLICATE}, looks=[{}])
    assert table.save(INSERT) == Saved(conflicts={KEY})
    assert (len(table.sent), len(table.looked_up)) == (2, 1)


def test_an_item_that_comes_and_goes_ends_with_the_attempts() -> None:
    table = Table(LOST, {"1": DUPLICATE}, looks=[{}])
    saved = table.save(INSERT)
    assert {key: str(error) for key, error in saved.failed.items()} == {
        KEY: "DynamoDB: the item keeps changing"
    }
    assert (len(table.sent), len(table.looked_up)) == (ATTEMPTS, ATTEMPTS)


@BOTH
def test_a_lost_write_whose_look_fails_is_sent_again_and_looked_up_again(change: Change[LawState]) -> None:
    table = Table(LOST, {"1": CONFLICT}, looks=[{KEY: LOOK_FAILED}, {KEY: item(change.after)}])
    assert table.save(change) == Saved()
    assert (table.sent, len(table.looked_up)) == ([[written(change)]] * 2, 2)
    assert table.pauses == [0.05]


def test_a_look_that_fails_for_one_key_settles_the_others() -> None:
    first, second = changes = many(2)
    table = Table(LOST, {}, looks=[{first.key: LOOK_FAILED, second.key: item(second.after)}])
    assert table.save(*changes) == Saved()
    assert table.keys_sent == [sorts(changes), sorts([first])]


def test_a_write_and_its_look_share_their_attempts() -> None:
    table = Table(LOST, looks=[{KEY: LOOK_FAILED_FOR_LONG}])
    assert table.save(INSERT) == Saved(failed={KEY: LOOK_FAILED_FOR_LONG})
    assert (len(table.sent), len(table.looked_up), len(table.pauses)) == (1, 1, ATTEMPTS - 1)


def test_what_is_found_and_cannot_be_read_fails_alone_and_for_good() -> None:
    changes = many(2)
    found = {each.key: item(each.after) for each in changes}
    damaged = {**found, changes[0].key: {**found[changes[0].key], "version": {"S": "x"}}}
    table = Table(LOST, looks=[damaged])
    saved = table.save(*changes)
    assert {key: type(error) for key, error in saved.failed.items()} == {changes[0].key: UnreadableError}
    assert (saved.conflicts, len(table.sent), table.pauses) == (set(), 1, [])


def test_each_write_of_a_request_is_settled_by_itself() -> None:
    changes = many(6)
    done, conflict, refused, throttled, lost, taken = sorts(changes)
    codes = {
        conflict: CONFLICT,
        refused: "AccessDenied",
        throttled: THROTTLED,
        lost: "InternalServerError",
        taken: DUPLICATE,
    }
    theirs = item(aggregate(changes[5].key, note="theirs"))
    table = Table(codes, {}, looks=[{changes[5].key: theirs}])
    saved = table.save(*changes)
    assert saved.conflicts == {changes[1].key, changes[5].key}
    assert saved.failed.keys() == {changes[2].key}
    assert table.keys_sent == [[done, conflict, refused, throttled, lost, taken], [throttled, lost]]
    assert table.looked_up == [[changes[4].key, changes[5].key]]


def test_a_request_has_25_statements_at_most() -> None:
    changes = many(51)
    table = Table({})
    assert table.save(*changes) == Saved()
    assert sorted(map(len, table.sent)) == [1, 25, 25]
    assert sorted(sort for request in table.keys_sent for sort in request) == sorts(changes)


def test_of_a_request_that_is_not_valid_the_writes_are_found_that_are_to_blame() -> None:
    changes = many(5)
    blamed = {changes[1].key, changes[4].key}

    class Strict(Table):
        def post(self, operation: str, body: bytes) -> bytes | Problem:
            answer = super().post(operation, body)
            is_invalid = any((KEY[0], sort) in blamed for sort in self.keys_sent[-1])
            return Problem(Meaning.NEVER, "ValidationException", "why") if is_invalid else answer

    table = Strict({})
    saved = table.save(*changes)
    assert {key: type(error) for key, error in saved.failed.items()} == dict.fromkeys(blamed, UnstorableError)
    assert (saved.conflicts, table.pauses) == (set(), [])
    first, second, third, fourth, fifth = sorts(changes)
    assert table.keys_sent == [
        [first, second, third, fourth, fifth],
        [first, second],
        [first],
        [second],
        [third, fourth, fifth],
        [third],
        [fourth, fifth],
        [fourth],
        [fifth],
    ]


@pytest.mark.parametrize("meaning", [Meaning.REFUSED, Meaning.NOT_NOW])
def test_any_other_error_of_a_request_is_one_of_each_write(meaning: Meaning) -> None:
    changes = many(3)
    table = Table(Problem(meaning, "Code", "why"))
    saved = table.save(*changes)
    assert {key: str(error) for key, error in saved.failed.items()} == {
        each.key: "DynamoDB: Code: why" for each in changes
    }
    assert [*map(len, table.sent)] == [3] * (1 if meaning is Meaning.REFUSED else ATTEMPTS)


def test_an_answer_about_fewer_statements_than_were_sent_is_a_lost_one() -> None:
    changes = many(2)

    class Short(Table):
        def post(self, operation: str, body: bytes) -> bytes | Problem:
            super().post(operation, body)
            return answered(["k00"], {})

    table = Short({}, looks=[{each.key: item(each.after) for each in changes}])
    assert table.save(*changes) == Saved()
    assert (len(table.sent), table.looked_up) == (1, [[each.key for each in changes]])


def test_what_can_never_be_stored_is_not_sent_and_the_others_are() -> None:
    changes = many(3)
    huge = Change(None, aggregate(changes[1].key, note="x" * 410_000))
    table = Table({})
    saved = table.save(changes[0], huge, changes[2])
    assert {key: type(error) for key, error in saved.failed.items()} == {huge.key: UnstorableError}
    assert table.keys_sent == [sorts([changes[0], changes[2]])]


def test_nothing_to_save_is_sent_nowhere() -> None:
    table = Table({})
    assert table.save() == Saved()
    assert table.sent == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [(LOST, "DynamoDB: ReadTimeoutError: no answer"), ({"1": DUPLICATE}, f"DynamoDB: {TOO_LATE_SAYS}")],
)
def test_what_is_answered_when_the_time_is_up_is_not_looked_up(answer: Answer, error: str) -> None:
    left = [1.0]

    class Late(Table):
        def post(self, operation: str, body: bytes) -> bytes | Problem:
            left[0] = 0.0
            return super().post(operation, body)

    table = Late(answer, looks=[{}])
    with within(Deadline(lambda: left[0])):
        saved = table.save(INSERT)
    assert {key: str(each) for key, each in saved.failed.items()} == {KEY: error}
    assert (len(table.sent), table.looked_up, table.pauses) == (1, [], [])


def test_with_no_time_from_the_start_what_is_sent_is_looked_up() -> None:
    table = Table(LOST, looks=[{KEY: item(INSERT.after)}])
    with within(Deadline(lambda: 0.0)):
        assert table.save(INSERT) == Saved()


def test_what_no_time_was_left_to_send_fails_and_says_so() -> None:
    left = iter([1.0, 1.0])  # when the save begins, and when its requests do
    changes = many(26)
    table = Table({})
    with within(Deadline(lambda: next(left, 0.0))):
        saved = table.save(*changes)
    assert {key: str(error) for key, error in saved.failed.items()} == {
        each.key: f"DynamoDB: {TOO_LATE_SAYS}" for each in changes
    }
    assert table.sent == []
