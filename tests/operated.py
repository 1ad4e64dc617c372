"""An application to be operated: accounts, of which some cannot be applied until the cause is mended."""

import itertools
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.json import encode

from accounts import Account, Accounts, Closed, Moved
from kinesis_handler import BusinessError, Deleted, Event, KinesisHandler, RejectedError
from kinesis_handler.application import Application, Operators, plain_view
from kinesis_handler.json_api import JsonApi
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.local.shard import lambda_record
from kinesis_handler.operator_page.server import OperatorPage
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.opening import open_store
from testkit.serving import serving

STREAM = "arn:aws:kinesis:eu-north-1:123456789012:stream/bank"
SHARD = "shardId-000000000000"
ARRIVED = 1_795_000_000.0


class Strict(Accounts):
    """Fails for accounts that are broken, and rejects numbers below zero for a reason."""

    def __init__(self, repository: Any, broken: set[str], reasons: dict[int, str]) -> None:
        super().__init__(repository, park_after=0)
        self._broken = broken
        self._reasons = reasons

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if event.payload.account in self._broken:
            raise BusinessError(f"the ledger of {event.payload.account} is closed")
        if isinstance(event.payload, Moved) and event.payload.number in self._reasons:
            raise RejectedError(self._reasons[event.payload.number])
        return super().apply(state, event)


class Operated:
    """The application, and what its stream delivers.

    Args:
        folder: for its store and its quarantine.
        clock: seconds since epoch.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._at = clock()
        self.broken: set[str] = set()
        self.reasons: dict[int, str] = {}
        """Numbers that are rejected, each with the reason."""
        self.minutes = Minutes()
        self.store = open_store(f"sqlite:///{folder}/state.db")
        self.repository = self.store.repository(Account)
        self.quarantine = DirectoryQuarantine(folder / "quarantine")
        handler = KinesisHandler(
            [Strict(self.repository, self.broken, self.reasons)],
            quarantine=self.quarantine,
            now=lambda: self._at,
        )
        views = [plain_view("accounts", self.repository, Account)]
        self.application = Application(
            handler, views, self.store, self.quarantine, default_region="eu-north-1"
        )
        self._numbers = itertools.count(1)

    def move(self, account: str, *numbers: int, at: float = ARRIVED) -> list[Status]:
        """Deliver movements of an account; return what became of them."""
        return self.deliver([{"account": account, "number": number} for number in numbers], at=at)

    def deliver(self, payloads: Iterable[object], at: float = ARRIVED) -> list[Status]:
        """Deliver an event for each payload, or a record of just those bytes."""
        records = []
        for payload in payloads:
            number = next(self._numbers)
            event = {
                "eventId": f"e{number}",
                "type": "MOVED",
                "createdAt": int(at * 1_000),
                "payload": payload,
            }
            data = payload if isinstance(payload, bytes) else encode(event)
            key = payload["account"] if isinstance(payload, dict) else "nobody"
            arrived = at - 2 + number / 1_000
            text = b64encode(data).decode()
            records.append(lambda_record(STREAM, SHARD, str(number), key, text, arrived))
        self._at = at
        result = self.application.handler.handle({"Records": records})
        self.minutes.add(list(result), at)
        return [each.outcome.status for each in result]

    def movements(self, account: str) -> tuple[int, ...]:
        """Return what has been applied to an account."""
        found = self.repository.load([("bank", account)]).found
        return found["bank", account].state.movements if found else ()

    def waiting(self) -> int:
        """Return how many records wait."""
        return len(waiting_in([read_contents(self.quarantine)]))

    def page(self, operators: Operators | None = None, *, reports: bool = True) -> OperatorPage:
        """Return the page of the application, before its API."""
        minutes = self.minutes if reports else None
        inner = JsonApi(self.application.views)
        return OperatorPage(
            self.application, inner, operators=operators, minutes=minutes, user="ops", clock=self._clock
        )


@contextmanager
def served(page: OperatorPage) -> Iterator[str]:
    """Serve a page on a free port of loopback; yield its address."""
    try:
        with serving(page) as url:
            yield url
    finally:
        page.close()
