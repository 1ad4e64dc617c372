"""Projections in which each event counts: nothing that is lost, doubled or out of order heals."""

from collections.abc import Callable

from msgspec import Struct

from kinesis_handler import (
    DELETED,
    BusinessError,
    Deleted,
    Event,
    Key,
    Projection,
    RejectedError,
)
from kinesis_handler.stores import Repository

Failing = tuple[str, str]
"""Name of a projection, and the id of an event that it cannot apply."""


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
    """The movements of an account since it was opened."""

    movements: tuple[int, ...] = ()


class Troubles:
    """The events that cannot be applied, for now or never. An operator mends them one by one.

    Args:
        failing: what fails, and whether it is rejected when that has been mended.
    """

    def __init__(self, failing: dict[Failing, bool]) -> None:
        self.failing = failing
        self.rejecting: set[Failing] = set()

    def mend(self, failing: Failing) -> None:
        """Let an event be applied from now on, or be rejected for good."""
        if self.failing.pop(failing):
            self.rejecting.add(failing)

    def check(self, projection: str, event: Event[object]) -> None:
        """Raise BusinessError if an event cannot be applied yet, RejectedError if it never can."""
        name = projection, event.id
        if name in self.failing:
            raise BusinessError(f"{event.id} cannot be applied yet")
        if name in self.rejecting:
            raise RejectedError(f"{event.id} never can be applied")


class Accounts(Projection[Account, Moved | Closed]):
    """The accounts of a bank, by customer."""

    event_types = {"MOVED": Moved, "CLOSED": Closed}

    def __init__(
        self,
        repository: Repository[Account],
        troubles: Troubles,
        perhaps_fail: Callable[[], None],
        slice_size: int,
        park_after: float | None,
    ) -> None:
        super().__init__(repository, slice_size=slice_size, park_after=park_after)
        self._troubles = troubles
        self._perhaps_fail = perhaps_fail

    def key(self, event: Event[Moved | Closed]) -> Key:
        """Return (customer, account)."""
        return event.payload.customer, event.payload.account

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        """Append the movement, or close the account."""
        self._perhaps_fail()
        self._troubles.check("accounts", event)
        if isinstance(event.payload, Closed):
            return DELETED
        return Account((*(state.movements if state else ()), event.payload.number))


class Journal(Projection[Account, Moved | Paid]):
    """What has moved on each account, payments between two of them too: a second reader, of several keys."""

    event_types = {"MOVED": Moved, "PAID": Paid}

    def __init__(
        self,
        repository: Repository[Account],
        troubles: Troubles,
        perhaps_fail: Callable[[], None],
        slice_size: int,
        park_after: float | None,
    ) -> None:
        super().__init__(repository, slice_size=slice_size, park_after=park_after)
        self._troubles = troubles
        self._perhaps_fail = perhaps_fail

    def keys(self, event: Event[Moved | Paid]) -> list[Key]:
        """Return the key of each account that takes part."""
        payload = event.payload
        if isinstance(payload, Paid):
            return [(payload.customer, payload.account), (payload.customer, payload.to)]
        return [(payload.customer, payload.account)]

    def apply(self, state: Account | None, event: Event[Moved | Paid]) -> Account:
        """Append the movement."""
        self._perhaps_fail()
        self._troubles.check("journal", event)
        return Account((*(state.movements if state else ()), event.payload.number))
