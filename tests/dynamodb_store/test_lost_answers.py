"""G8: a write whose answer was lost is settled by reading."""

import pytest

from dynamodb_store.faulty_store import (
    DELETE,
    KEY,
    LOST_ANSWERS,
    READ,
    WRITE,
    Store,
    keys,
    many,
    new,
    save,
    stored,
)
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.retry import (
    ATTEMPTS,
)
from kinesis_handler.stores import Change
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import after as changed
from kinesis_handler.testing.law_states import aggregate, insert
from testkit.emulators.wire import (
    FOR_EVER,
    Answer,
    Call,
    Fault,
    Wire,
    after,
    cut,
    error,
    left_unprocessed,
    server_error,
    statement_error,
    then,
    undelivered,
    unreachable,
)


class TestLostAnswers:
    @LOST_ANSWERS
    def test_a_write_whose_answer_was_lost_is_looked_up_and_not_repeated(
        self, store: Store, wire: Wire, change: Change[LawState], lost: Fault
    ) -> None:
        wire.on(WRITE, lost)
        save(store, change)
        assert stored(store) == {KEY: change.after}
        assert (wire.count(WRITE), wire.count(READ)) == (1, 1)

    def test_the_look_is_consistent(self, store: Store, wire: Wire) -> None:
        wire.on(WRITE, cut)
        save(store, new())
        [body] = wire.bodies(READ)
        assert body["RequestItems"][store.table]["ConsistentRead"] is True

    @LOST_ANSWERS
    def test_another_writers_change_on_top_of_a_lost_write_is_a_conflict(
        self, store: Store, wire: Wire, change: Change[LawState], lost: Fault
    ) -> None:
        later = changed(change.after, note="theirs")
        wire.on(WRITE, then(lost, lambda: store.other.save([later])))
        saved = store.faulty.save([change])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(store) == {KEY: later.after}

    @LOST_ANSWERS
    def test_another_writers_change_in_the_place_of_a_lost_write_is_a_conflict(
        self, store: Store, wire: Wire, change: Change[LawState], lost: Fault
    ) -> None:
        theirs = changed(change.before, note="theirs") if change.before is not None else new(note="theirs")
        wire.on(WRITE, after(lambda: store.other.save([theirs]), lost))
        saved = store.faulty.save([change])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(store) == {KEY: theirs.after}

    def test_a_change_of_what_was_deleted_behind_a_lost_answer_is_a_conflict(
        self, store: Store, wire: Wire
    ) -> None:
        first = aggregate(KEY)
        insert(store.other, first)
        wire.on(WRITE, then(cut, store.remove))
        saved = store.faulty.save([changed(first)])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(store) == {}

    def test_a_lost_answer_from_a_store_that_is_gone_is_a_failure_and_the_load_after_it_shows_which(
        self, store: Store, wire: Wire, change: Change[LawState]
    ) -> None:
        wire.on(WRITE, cut)
        wire.on(WRITE, unreachable, times=FOR_EVER, expected=False)
        wire.on(READ, unreachable, times=FOR_EVER)
        saved = store.faulty.save([change])
        assert not saved.conflicts
        assert type(saved.failed[KEY]) is RepositoryError
        assert stored(store) == {KEY: change.after}

    @pytest.mark.parametrize("fault", [unreachable, error("ThrottlingException"), server_error])
    def test_a_look_that_fails_at_first_is_repeated(
        self, store: Store, wire: Wire, change: Change[LawState], fault: Fault
    ) -> None:
        wire.on(WRITE, cut)
        wire.on(READ, fault)
        save(store, change)
        assert stored(store) == {KEY: change.after}

    def test_a_look_that_keeps_failing_does_not_make_a_conflict_of_a_write_that_was_done(
        self, store: Store, wire: Wire, change: Change[LawState]
    ) -> None:
        wire.on(WRITE, cut)
        wire.on(READ, unreachable, times=ATTEMPTS)
        saved = store.faulty.save([change])
        assert not saved.conflicts
        assert stored(store) == {KEY: change.after}

    def test_a_lost_write_that_arrives_after_the_look_is_no_conflict_with_ourselves(
        self, store: Store, wire: Wire, change: Change[LawState]
    ) -> None:
        late: list[Call] = []

        def delayed(call: Call) -> Answer:
            late.append(call)
            return undelivered(call)

        wire.on(WRITE, delayed)
        wire.on(WRITE, after(lambda: [each.send() for each in late], Call.send))
        save(store, change)
        assert stored(store) == {KEY: change.after}
        assert (wire.count(WRITE), wire.count(READ)) == (2, 2)

    def test_a_conflict_with_another_writer_after_a_lost_write_is_a_conflict(
        self, store: Store, wire: Wire, change: Change[LawState]
    ) -> None:
        theirs = changed(change.before, note="theirs") if change.before is not None else new(note="theirs")
        wire.on(WRITE, undelivered)
        wire.on(WRITE, after(lambda: store.other.save([theirs]), Call.send))
        saved = store.faulty.save([change])
        assert (saved.conflicts, saved.failed) == ({KEY}, {})
        assert stored(store) == {KEY: theirs.after}

    def test_of_a_chunk_whose_answer_was_lost_each_key_is_settled_by_itself(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(60)
        theirs = new(changes[30].key, note="theirs")
        insert(store.other, theirs.after)
        wire.on(WRITE, cut, about="k030")
        saved = store.faulty.save(changes)
        assert (saved.conflicts, saved.failed) == ({theirs.key}, {})
        found = stored(store, *keys(changes))
        assert found == {change.key: change.after for change in changes} | {theirs.key: theirs.after}
        assert wire.count(WRITE) == 3


class TestOneStatementOfMany:
    @pytest.mark.parametrize(
        ("code", "done"),
        [
            ("ThrottlingError", False),
            ("ProvisionedThroughputExceeded", False),
            ("RequestLimitExceeded", False),
            ("TransactionConflict", False),
            ("InternalServerError", False),
            ("InternalServerError", True),
        ],
    )
    def test_a_statement_that_fails_for_now_is_settled_and_no_other_is_sent_again(
        self, store: Store, wire: Wire, code: str, *, done: bool
    ) -> None:
        wire.on(WRITE, statement_error(code, "k007", done=done))
        changes = many(25)
        save(store, *changes)
        assert stored(store, *keys(changes)) == {change.key: change.after for change in changes}
        assert [len(body["Statements"]) for body in wire.bodies(WRITE)] == ([25] if done else [25, 1])

    @pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
    def test_a_statement_that_can_never_be_done_is_unstorable(
        self, store: Store, wire: Wire, code: str
    ) -> None:
        wire.on(WRITE, statement_error(code, "k007"))
        changes = many(25)
        saved = store.faulty.save(changes)
        assert {key: type(each) for key, each in saved.failed.items()} == {changes[7].key: UnstorableError}
        assert (wire.count(WRITE), store.pauses) == (1, [])

    @pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFound"])
    def test_a_statement_that_is_refused_fails_at_once(self, store: Store, wire: Wire, code: str) -> None:
        wire.on(WRITE, statement_error(code, "k007"))
        changes = many(25)
        saved = store.faulty.save(changes)
        assert {key: type(each) for key, each in saved.failed.items()} == {changes[7].key: RepositoryError}
        assert (wire.count(WRITE), store.pauses) == (1, [])

    def test_keys_left_unprocessed_are_read_again_and_consistently(self, store: Store, wire: Wire) -> None:
        changes = many(20)
        insert(store.other, *(change.after for change in changes))
        wire.on(READ, left_unprocessed("k00"))
        loaded = store.faulty.load([change.key for change in changes])
        assert loaded.found == {change.key: change.after for change in changes}
        assert not loaded.failed
        asked = [body["RequestItems"][store.table] for body in wire.bodies(READ)]
        assert [len(each["Keys"]) for each in asked] == [20, 10]
        assert all(each["ConsistentRead"] for each in asked)

    def test_keys_that_are_never_processed_fail_and_the_others_are_found(
        self, store: Store, wire: Wire
    ) -> None:
        changes = many(20)
        insert(store.other, *(change.after for change in changes))
        wire.on(READ, left_unprocessed("k007"), times=FOR_EVER)
        loaded = store.faulty.load([change.key for change in changes])
        assert loaded.found.keys() == keys(changes) - {changes[7].key}
        assert {key: type(each) for key, each in loaded.failed.items()} == {changes[7].key: RepositoryError}

    def test_deletions_left_unprocessed_are_sent_again(self, store: Store, wire: Wire) -> None:
        changes = many(30)
        insert(store.other, *(change.after for change in changes))
        wire.on(DELETE, left_unprocessed("k00"))
        store.faulty.delete(keys(changes))
        assert stored(store, *keys(changes)) == {}

    def test_a_deletion_that_is_never_processed_raises(self, store: Store, wire: Wire) -> None:
        wire.on(DELETE, left_unprocessed("k007"), times=FOR_EVER)
        with pytest.raises(RepositoryError, match="unprocessed"):
            store.faulty.delete(keys(many(10)))
