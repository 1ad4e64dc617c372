"""A bank. Its projections count each event: nothing that is lost, doubled or out of order heals."""

from typing import Any

from msgspec import Struct

from kinesis_handler import DELETED, Deleted, Event, Key, Projection
from kinesis_handler.processor import EventProcessor
from kinesis_handler.stores import Repository
from simulation.troubles import Options, Troubled


class Moved(Struct, frozen=True):
    """Money came into an account, or went out of it."""

    customer: str
    account: str
    number: int


class Paid(Struct, frozen=True):
    """Money went from one account of a customer to another."""

    customer: str
    account: str
    to: str
    number: int


class Closed(Struct, frozen=True):
    """The account is no more."""

    customer: str
    account: str


class Account(Struct, frozen=True):
    """The movements of an account since it was opened, as text: a store checks a tuple number by number."""

    movements: str = ""


class Accounts(Projection[Account, Moved | Closed]):
    """The accounts of a bank, by customer."""

    event_types = {"MOVED": Moved, "CLOSED": Closed}

    def key(self, event: Event[Moved | Closed]) -> Key:
        """Return (customer, account)."""
        return event.payload.customer, event.payload.account

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        """Append the movement, or close the account."""
        if isinstance(event.payload, Closed):
            return DELETED
        return _moved(state, event.payload.number)


class Journal(Projection[Account, Moved | Paid]):
    """What has moved on each account, payments between two of them too: a second reader, of several keys."""

    event_types = {"MOVED": Moved, "PAID": Paid}

    def keys(self, event: Event[Moved | Paid]) -> list[Key]:
        """Return the key of each account that takes part."""
        payload = event.payload
        if isinstance(payload, Paid):
            return [(payload.customer, payload.account), (payload.customer, payload.to)]
        return [(payload.customer, payload.account)]

    def apply(self, state: Account | None, event: Event[Moved | Paid]) -> Account:
        """Append the movement."""
        return _moved(state, event.payload.number)


def readers(first: Repository[Any], second: Repository[Any], options: Options) -> list[EventProcessor]:
    """Return the readers of a handler."""
    return [_Accounts(first, "accounts", options), _Journal(second, "journal", options)]


class _Accounts(Troubled[Account, Moved | Closed], Accounts):  # type: ignore[misc] # its `apply` calls the other's
    pass


class _Journal(Troubled[Account, Moved | Paid], Journal):  # type: ignore[misc] # its `apply` calls the other's
    pass


def _moved(account: Account | None, number: int) -> Account:
    return Account(f"{account.movements} {number}" if account else str(number))
