"""Delivers the events as Lambda would, cut into batches of any size, and looks at what is stored."""

from decimal import Decimal
from pathlib import Path

import pytest
from kinesis_handler.local.event_source import EventSourceMapping
from kinesis_handler.testing import invocation

from my_accounts.application import application
from my_accounts.projection import Account

EVENTS = (Path(__file__).parents[1] / "events.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_each_account_has_its_balance_however_often_an_event_is_sent(batch_size: int) -> None:
    accounts = application("inmemory:")
    mapping = EventSourceMapping(accounts.handler, batch_size=batch_size, maximum_retry_attempts=2)
    sent_twice = invocation(EVENTS + EVENTS)["Records"]
    assert sum(map(len, mapping.run(sent_twice))) == len(sent_twice)
    [view] = accounts.views
    assert {stored.key: stored.state for stored in view.repository.scan()} == {
        ("ada", "daily"): Account(Decimal("100.25"), movements=2),
        ("ada", "savings"): Account(Decimal(900), movements=1),
        ("bob", "daily"): Account(Decimal(-5), movements=1),
    }
