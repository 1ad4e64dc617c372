"""How long a load and a save go on trying."""

from collections.abc import Callable, Mapping
from threading import Barrier, Lock

import pytest

from dynamodb_store.faulty_store import (
    DELETE,
    KEY,
    LONGEST_PATIENCE,
    READ,
    WRITE,
    Store,
    keys,
    many,
    new,
    save,
    stored,
)
from kinesis_handler import Key
from kinesis_handler.aggregate import Aggregate  # noqa: TC001 - Python 3.11 evaluates it
from kinesis_handler.deadline import Deadline, within
from kinesis_handler.errors import RepositoryError
from kinesis_handler.retry import (
    ATTEMPTS,
    FIRST_PAUSE,
    LONGEST_PAUSE,
)
from kinesis_handler.stores.dynamodb.connection import CONNECTIONS, READ_TIMEOUT
from kinesis_handler.testing import LawState  # noqa: TC001 - likewise
from kinesis_handler.testing.law_states import insert
from testkit.emulators.wire import (
    FOR_EVER,
    Answer,
    Call,
    Fault,
    Wire,
    after,
    cut,
    error,
    response,
    server_error,
    then,
    undelivered,
    unreachable,
)
from testkit.tables import Tables
from user_limits.wiring import RESERVE_MS

Attempt = Callable[[Store], Mapping[Key, Exception]]


ATTEMPTED = pytest.mark.parametrize(
    ("operation", "attempt"),
    [
        (WRITE, lambda store: store.faulty.save([new()]).failed),
        (READ, lambda store: store.faulty.load([KEY]).failed),
    ],
    ids=["save", "load"],
)


class TestPatience:
    def test_what_is_throttled_for_ever_fails_and_is_not_written(self, store: Store, wire: Wire) -> None:
        wire.on(WRITE, error("ThrottlingException"), times=FOR_EVER)
        saved = store.faulty.save([new()])
        assert not saved.conflicts
        assert type(saved.failed[KEY]) is RepositoryError
        assert stored(store) == {}
        assert wire.count(WRITE) == ATTEMPTS

    def test_a_chunk_that_is_throttled_for_ever_keeps_no_other_from_being_saved(
        self, store: Store, wire: Wire
    ) -> None:
        wire.on(WRITE, error("ThrottlingException"), times=FOR_EVER, about="k030")
        changes = many(60)
        saved = store.faulty.save(changes)
        assert saved.failed.keys() == keys(changes[25:50])
        assert not saved.conflicts
        assert stored(store, *keys(changes)).keys() == keys(changes[:25] + changes[50:])
        assert wire.count(WRITE) == 2 + ATTEMPTS

    def test_a_chunk_that_cannot_be_read_keeps_no_other_from_being_loaded(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(101)
        insert(store.other, changes[0].after, changes[100].after)
        wire.on(READ, error("ThrottlingException"), times=FOR_EVER, about="k000")
        loaded = store.faulty.load([change.key for change in changes])
        assert loaded.found == {changes[100].key: changes[100].after}
        assert loaded.failed.keys() == keys(changes[:100])
        assert {type(each) for each in loaded.failed.values()} == {RepositoryError}

    def test_pauses_grow_up_to_a_bound(self, store: Store, wire: Wire) -> None:
        wire.on(WRITE, error("ThrottlingException"), times=FOR_EVER)
        store.faulty.save([new()])
        assert store.pauses[0] == FIRST_PAUSE
        assert store.pauses == sorted(store.pauses)
        assert len(set(store.pauses)) == len(store.pauses)
        assert store.pauses[-1] == LONGEST_PAUSE
        assert sum(store.pauses) <= LONGEST_PATIENCE

    @ATTEMPTED
    @pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3, 1.0])
    def test_no_pause_is_begun_that_would_go_beyond_the_time_left(
        self, store: Store, wire: Wire, operation: str, attempt: Attempt, seconds: float
    ) -> None:
        wire.on(operation, error("ThrottlingException"), times=FOR_EVER)
        deadline = store.clock() + seconds
        with within(Deadline(lambda: deadline - store.clock())):
            assert attempt(store).keys() == {KEY}
        assert store.clock() <= deadline

    @ATTEMPTED
    @pytest.mark.parametrize("fault", [unreachable, error("ThrottlingException")], ids=["away", "throttled"])
    def test_a_store_that_takes_nothing_is_given_up_after_one_patience(
        self, store: Store, wire: Wire, operation: str, attempt: Attempt, fault: Fault
    ) -> None:
        wire.on(operation, fault, times=FOR_EVER)
        assert {key: type(each) for key, each in attempt(store).items()} == {KEY: RepositoryError}
        assert wire.count(operation) == ATTEMPTS
        assert sum(store.pauses) <= LONGEST_PATIENCE

    @pytest.mark.parametrize("lost", [undelivered, server_error])
    def test_a_save_whose_answers_are_lost_and_cannot_be_looked_up_has_one_patience_too(
        self, store: Store, wire: Wire, lost: Fault
    ) -> None:
        wire.on(WRITE, lost, times=FOR_EVER)
        wire.on(READ, unreachable, times=FOR_EVER)
        assert type(store.faulty.save([new()]).failed[KEY]) is RepositoryError
        assert sum(store.pauses) <= LONGEST_PATIENCE

    def test_a_save_begun_at_the_last_moment_ends_within_the_reserve(self, store: Store, wire: Wire) -> None:
        too_slow = after(lambda: store.clock.advance(READ_TIMEOUT), undelivered)
        wire.on(WRITE, too_slow)
        wire.on(READ, too_slow, times=FOR_EVER, expected=False)
        deadline = store.clock() + 0.01
        with within(Deadline(lambda: deadline - store.clock())):
            assert store.faulty.save([new()]).failed.keys() == {KEY}
        assert store.clock() - deadline <= RESERVE_MS / 1_000

    def test_when_the_time_is_up_no_further_chunk_is_sent_and_what_was_sent_counts(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(3 * CONNECTIONS * 25)
        deadline = store.clock() + 1
        wire.on(WRITE, then(Call.send, lambda: store.clock.advance(2)), times=FOR_EVER)
        with within(Deadline(lambda: deadline - store.clock())):
            saved = store.faulty.save(changes)
        assert not saved.conflicts
        assert 0 < wire.count(WRITE) <= CONNECTIONS
        assert len(saved.failed) == len(changes) - wire.count(WRITE) * 25
        assert {type(each) for each in saved.failed.values()} == {RepositoryError}
        assert stored(store, *keys(changes)).keys() == keys(changes) - saved.failed.keys()

    def test_when_the_time_is_up_no_further_chunk_is_read_and_what_was_read_counts(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(3 * CONNECTIONS * 100)
        insert(store.other, changes[0].after)
        deadline = store.clock() + 1
        wire.on(READ, then(Call.send, lambda: store.clock.advance(2)), times=FOR_EVER)
        with within(Deadline(lambda: deadline - store.clock())):
            loaded = store.faulty.load([change.key for change in changes])
        assert loaded.found.keys() == {changes[0].key}
        assert 0 < wire.count(READ) <= CONNECTIONS
        assert len(loaded.failed) == len(changes) - wire.count(READ) * 100

    def test_with_no_time_from_the_start_one_attempt_is_made_and_seen_through(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(50)
        wire.on(WRITE, cut)
        with within(Deadline(lambda: 0.0)):
            save(store, *changes)
        assert (wire.count(WRITE), wire.count(READ)) == (2, 1)

    def test_a_scan_that_is_overtaken_by_the_deadline_raises_or_goes_on(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(12, note="x" * 200_000)
        insert(store.other, *(change.after for change in changes))
        deadline = store.clock() + 1
        wire.on("Scan", then(Call.send, lambda: store.clock.advance(2)), times=FOR_EVER)
        found: list[Aggregate[LawState]] = []
        with within(Deadline(lambda: deadline - store.clock())):
            try:
                found.extend(store.faulty.scan())
            except RepositoryError:
                return
        assert len(found) == len(changes)

    @pytest.mark.parametrize("operation", ["Query", "Scan", DELETE])
    def test_find_scan_and_delete_raise_when_patience_ends(
        self, store: Store, wire: Wire, operation: str
    ) -> None:
        wire.on(operation, error("ThrottlingException"), times=FOR_EVER)
        calls: dict[str, Callable[[], object]] = {
            "Query": lambda: store.faulty.find("a"),
            "Scan": lambda: list(store.faulty.scan()),
            DELETE: lambda: store.faulty.delete([KEY]),
        }
        with pytest.raises(RepositoryError, match="ThrottlingException"):
            calls[operation]()

    @pytest.mark.parametrize(
        ("code", "member"),
        [
            ("ThrottlingException", "throttlingReasons"),
            ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
            ("RequestLimitExceeded", "ThrottlingReasons"),
        ],
    )
    def test_what_throttles_is_in_the_reason_with_the_table_or_index(
        self, store: Store, wire: Wire, code: str, member: str
    ) -> None:
        resource = "arn:aws:dynamodb:eu-west-1:123456789012:table/Limits"
        reason = "TableWriteKeyRangeThroughputExceeded"
        answer = {
            "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
            "message": "injected",
            member: [{"reason": reason, "resource": resource}, {"reason": "IndexReadAccountLimitExceeded"}],
        }
        wire.on(WRITE, lambda _: response(400, answer), times=FOR_EVER)
        failed = store.faulty.save([new()]).failed
        assert str(failed[KEY]) == (
            f"DynamoDB: {code}: injected ({reason} of {resource}, IndexReadAccountLimitExceeded)"
        )

    @pytest.mark.parametrize(
        "code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"]
    )
    def test_what_is_refused_fails_at_once(self, store: Store, wire: Wire, code: str) -> None:
        wire.on(WRITE, error(code))
        wire.on(READ, error(code))
        failures = [store.faulty.save([new()]).failed, store.faulty.load([KEY]).failed]
        for failed in failures:
            assert type(failed[KEY]) is RepositoryError
            assert code in str(failed[KEY])
        assert not store.pauses

    def test_a_table_that_is_gone_fails_at_once(self, store: Store, wire: Wire, tables: Tables) -> None:
        tables.client.delete_table(TableName=store.table)
        failures = [store.faulty.save([new()]).failed, store.faulty.load([KEY]).failed]
        for failed in failures:
            assert type(failed[KEY]) is RepositoryError
            assert "ResourceNotFound" in str(failed[KEY])
        assert (wire.count(WRITE), wire.count(READ)) == (1, 1)

    def test_no_more_requests_are_under_way_than_there_are_connections(
        self, store: Store, wire: Wire
    ) -> None:
        barrier = Barrier(CONNECTIONS, timeout=10)  # with fewer at once it would break
        lock = Lock()
        under_way: list[Call] = []
        most = 0

        def together(call: Call) -> Answer:
            nonlocal most
            with lock:
                under_way.append(call)
                most = max(most, len(under_way))
            barrier.wait()
            answer = call.send()
            with lock:
                under_way.remove(call)
            return answer

        wire.on(READ, together, times=FOR_EVER)
        loaded = store.faulty.load(sorted(keys(many(2 * CONNECTIONS * 100))))
        assert not loaded.failed
        assert (wire.count(READ), most) == (2 * CONNECTIONS, CONNECTIONS)
