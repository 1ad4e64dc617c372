"""A bank on CloudEvents: the balance of each account, and its ledger by months, out of the same events."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from bank_alarm import notify_owner
from kinesis_handler import DELETED, Aggregate, Deleted, Event, Key, KinesisHandler, Projection
from kinesis_handler.application import Application, plain_view
from kinesis_handler.envelopes import CloudEvents
from kinesis_handler.quarantine import open_quarantine
from kinesis_handler.stores import open_store

Id = Annotated[str, Meta(min_length=1, max_length=100)]


class Moved(Struct):
    account: Id
    cents: int


class Closed(Struct):
    account: Id


def moved_from_v1(payload: dict[str, Any]) -> dict[str, Any]:
    """The first version had euros."""
    return {"account": payload["account"], "cents": int(Decimal(payload["euros"]) * 100)}


UPCAST = {("bank.moved", 1): moved_from_v1}


class Account(Struct, frozen=True, rename="camel"):
    cents: int = 0
    overdrawn_by: str | None = None  # the last event that took it below zero


class Accounts(Projection[Account, Moved | Closed]):
    event_types = {"bank.moved": Moved, "bank.closed": Closed}
    upcast = UPCAST

    def key(self, event: Event[Moved | Closed]) -> Key:
        return "accounts", event.payload.account

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if isinstance(event.payload, Closed):
            return DELETED
        before = state or Account()
        cents = before.cents + event.payload.cents
        overdraws = cents < 0 <= before.cents
        return Account(cents, event.id if overdraws else before.overdrawn_by)

    def on_change(
        self,
        before: Aggregate[Account | None] | None,
        after: Aggregate[Account | None],
        events: Sequence[Event[Moved | Closed]],
    ) -> None:
        known = before.state.overdrawn_by if before and before.state else None
        if after.state and after.state.overdrawn_by and after.state.overdrawn_by != known:
            notify_owner(after.key[1], after.state.cents, idempotency_key=after.state.overdrawn_by)


class Month(Struct, frozen=True):
    movements: int = 0
    cents: int = 0


class Ledger(Projection[Month, Moved]):
    event_types = {"bank.moved": Moved}
    upcast = UPCAST

    def key(self, event: Event[Moved]) -> Key:
        # Of each account: its events are in order. Those of a month alone are on many shards, in no order.
        return event.payload.account, f"{datetime.fromtimestamp(event.created_at / 1_000, UTC):%Y-%m}"

    def apply(self, state: Month | None, event: Event[Moved]) -> Month:
        month = state or Month()
        return Month(month.movements + 1, month.cents + event.payload.cents)


def application(store: str | None = None) -> Application:
    opened = open_store(store or os.environ.get("BANK_STORE") or "inmemory:")
    accounts, ledger = opened.repository(Account), opened.repository(Month, name="ledger")
    quarantine = open_quarantine(os.environ.get("QUARANTINE_URL", ""))
    handler = KinesisHandler(
        [Accounts(accounts), Ledger(ledger)], envelope=CloudEvents(), quarantine=quarantine
    )
    return Application(
        handler,
        [plain_view("accounts", accounts, Account), plain_view("ledger", ledger, Month)],
        opened,
        quarantine,
    )
