"""The bank's events on the event source mapping: balances, ledger, and the messages to its customers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kinesis_handler import Key
from kinesis_handler.application import Application
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.testing import invocation

EVENTS = [json.loads(line) for line in Path(__file__).with_name("bank.jsonl").read_text().splitlines()]

BALANCES = {("accounts", "ada"): (-6_000, "m-3")}
LEDGER = {("ada", "2026-10"): (1, 10_000), ("ada", "2026-11"): (2, -16_000), ("bob", "2026-10"): (1, 5_000)}

Messages = Callable[[], list[str]]


@pytest.fixture
def messages(make_queue: Callable[[str], Messages]) -> Messages:
    """Make a queue for the owners of accounts; return what tells which messages are in it."""
    return make_queue("OVERDRAWN_QUEUE_URL")


def deliver(bank: Application, batch_size: int = 100) -> None:
    """Deliver all events as Lambda would."""
    given_up: list[DiscardedBatch] = []
    mapping = EventSourceMapping(
        bank.handler, batch_size=batch_size, maximum_retry_attempts=2, on_failure=given_up.append
    )
    assert sum(map(len, mapping.run(invocation(EVENTS)["Records"]))) == len(EVENTS)
    assert given_up == []


def stored(bank: Application) -> list[dict[Key, tuple[Any, ...]]]:
    """Return the fields of each state by its key, for each view."""
    return [
        {
            each.key: tuple(getattr(each.state, name) for name in each.state.__struct_fields__)
            for each in found
        }
        for found in (view.repository.scan() for view in bank.views)
    ]


@pytest.mark.parametrize("url", ["inmemory:", "sqlite:///{folder}/bank.db", "dynamodb://Bank-{name}"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_however_the_stream_is_cut_both_projections_have_each_event_once(
    url: str, batch_size: int, tmp_path: Path, messages: Messages
) -> None:
    from bank import application

    bank = application(url.format(folder=tmp_path, name=uuid4()))
    assert bank.store
    bank.store.provision()
    for _ in range(2):  # a replay of everything changes nothing, and tells nobody again
        deliver(bank, batch_size)
        assert stored(bank) == [BALANCES, LEDGER]
        [message] = messages()
        assert json.loads(message)["account"] == "ada"


def test_what_cannot_be_upcast_is_rejected_and_what_nobody_takes_is_ignored(messages: Messages) -> None:
    from bank import application

    counts = application().handler.handle(invocation(EVENTS)).counts()
    assert {status: count for status, count in counts.items() if count} == {
        "applied": 5,
        "duplicate": 1,
        "ignored": 1,
        "rejected": 1,
    }
    assert len(messages()) == 1


class Killed(BaseException):
    """The process is gone."""


def test_an_owner_is_informed_once_even_if_the_process_is_killed_between_the_save_and_the_message(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bank

    def killed(*_: object, **__: object) -> None:
        raise Killed

    application = bank.application()
    with monkeypatch.context() as patch:
        patch.setattr(bank, "notify_owner", killed)
        with pytest.raises(Killed):
            application.handler(invocation(EVENTS))
    assert messages() == []
    deliver(application)
    assert [json.loads(each) for each in messages()] == [{"account": "ada", "cents": -6_000}]
