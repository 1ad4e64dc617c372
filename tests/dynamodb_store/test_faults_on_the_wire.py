"""What goes wrong between the store and its table, on a real wire and by a proxy."""

from typing import Any

import pytest

from dynamodb_store.faulty_store import DELETE, KEY, READ, THROTTLED, WRITE, Store, new, save, stored
from kinesis_handler.stores import Change
from kinesis_handler.stores.dynamodb import Connection
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import aggregate, find_all, insert, load
from testkit.emulators.fault_proxy import FaultProxy
from testkit.emulators.wire import Wire


class TestOnTheWire:
    """Connections that really break: a proxy stands between the connection and DynamoDB Local."""

    @pytest.fixture
    def connection(self, proxied_connection: Connection) -> Connection:
        return proxied_connection

    @pytest.mark.parametrize("code", THROTTLED)
    def test_a_throttled_save_is_sent_again(
        self, store: Store, wire: Wire, proxy: FaultProxy, code: str
    ) -> None:
        proxy.fail_once(WRITE, error={"code": code, "status": 400})
        save(store, new())
        assert stored(store) == {KEY: aggregate(KEY)}
        assert (wire.count(WRITE), wire.count(READ)) == (2, 0)

    @pytest.mark.parametrize("code", THROTTLED)
    def test_a_throttled_load_is_sent_again(
        self, store: Store, wire: Wire, proxy: FaultProxy, code: str
    ) -> None:
        insert(store.other, aggregate(KEY))
        proxy.fail_once(READ, error={"code": code, "status": 400})
        assert load(store.faulty, KEY) == aggregate(KEY)
        assert wire.count(READ) == 2

    @pytest.mark.parametrize(
        "fault",
        [
            {"error": {"code": "InternalServerError", "status": 500}},
            {"error": {"code": "ServiceUnavailable", "status": 503}},
            {"reset": True},
        ],
        ids=["500", "503", "reset"],
    )
    def test_what_was_lost_before_the_write_is_written_once(
        self, store: Store, wire: Wire, proxy: FaultProxy, change: Change[LawState], fault: dict[str, Any]
    ) -> None:
        proxy.fail_once(WRITE, **fault)
        save(store, change)
        assert stored(store) == {KEY: change.after}
        assert (wire.count(WRITE), wire.count(READ)) == (2, 1)

    @pytest.mark.parametrize("part", [0.0, 0.5])
    def test_a_connection_cut_in_the_answer_to_a_write_is_no_failure_and_no_second_write(
        self, store: Store, wire: Wire, proxy: FaultProxy, change: Change[LawState], part: float
    ) -> None:
        proxy.fail_once(WRITE, response={"abort_frac": part})
        save(store, change)
        assert stored(store) == {KEY: change.after}
        assert (wire.count(WRITE), wire.count(READ)) == (1, 1)

    def test_an_answer_to_a_write_that_takes_too_long_is_no_failure_and_no_second_write(
        self, store: Store, wire: Wire, proxy: FaultProxy
    ) -> None:
        proxy.fail_once(WRITE, response={"bandwidth_kbps": 0.01})  # half a minute for this answer
        save(store, new())
        assert stored(store) == {KEY: aggregate(KEY)}
        assert (wire.count(WRITE), wire.count(READ)) == (1, 1)

    def test_an_answer_to_a_write_that_has_lost_its_end_is_no_failure_and_no_second_write(
        self, store: Store, wire: Wire, proxy: FaultProxy
    ) -> None:
        proxy.fail_once(WRITE, response={"truncate_frac": 0.5})
        save(store, new())
        assert stored(store) == {KEY: aggregate(KEY)}
        assert (wire.count(WRITE), wire.count(READ)) == (1, 1)

    def test_an_answer_to_a_read_that_has_lost_its_end_is_asked_for_again(
        self, store: Store, wire: Wire, proxy: FaultProxy
    ) -> None:
        insert(store.other, aggregate(KEY))
        proxy.fail_once(READ, response={"truncate_frac": 0.5})
        assert load(store.faulty, KEY) == aggregate(KEY)
        assert wire.count(READ) == 2

    @pytest.mark.parametrize("fault", [{"reset": True}, {"error": {"code": "ThrottlingException"}}])
    def test_find_scan_and_delete_are_sent_again(
        self, store: Store, wire: Wire, proxy: FaultProxy, fault: dict[str, Any]
    ) -> None:
        insert(store.other, aggregate(KEY))
        for operation in ("Query", "Scan", DELETE):
            proxy.fail_once(operation, **fault)
        assert find_all(store.faulty, "a", 10) == list(store.faulty.scan()) == [aggregate(KEY)]
        store.faulty.delete([KEY])
        assert stored(store) == {}
        assert (wire.count("Query"), wire.count(DELETE)) == (2, 2)
