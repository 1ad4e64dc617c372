"""The one place where the parts are put together, for Lambda, the command line and the tests."""

import os

from kinesis_handler import KinesisHandler, open_quarantine, open_store
from kinesis_handler.application import Application, plain_view
from kinesis_handler.telemetry.metrics import Metrics

from my_accounts.projection import Account, Accounts


def application(store: str | None = None, metrics: Metrics | None = None) -> Application:
    """Build the application on the store of STORE_URL, or on another one."""
    opened = open_store(store or os.environ.get("STORE_URL") or "inmemory:")
    accounts = opened.repository(Account, keys=("customer", "account"))
    quarantine = open_quarantine(os.environ.get("QUARANTINE_URL", ""))
    # A request to DynamoDB takes up to 4 seconds, and must not outlast the invocation: hence the reserve.
    handler = KinesisHandler([Accounts(accounts)], quarantine=quarantine, reserve_ms=5_000, metrics=metrics)
    return Application(handler, [plain_view("accounts", accounts, Account)], opened, quarantine)
