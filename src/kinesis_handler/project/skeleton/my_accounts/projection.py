"""The events, the state, and what an event does to the state."""

from decimal import Decimal

from kinesis_handler import Event, Key, Projection, Remark, Remarked
from msgspec import Struct

OVERDRAWN = Remark("overdrawn", "more was withdrawn than there was")


class Movement(Struct):
    """The payload of both types. Types are strict: a payload that does not match never reaches `apply`."""

    customer: str
    account: str
    amount: Decimal


class Account(Struct, frozen=True):
    """The state of one account."""

    balance: Decimal = Decimal(0)
    movements: int = 0


class Accounts(Projection[Account, Movement]):
    """Folds the movements of each account into its balance."""

    event_types = {"MONEY_DEPOSITED": Movement, "MONEY_WITHDRAWN": Movement}

    def key(self, event: Event[Movement]) -> Key:
        """Return which account it is about. All accounts of a customer can be read at once."""
        return event.payload.customer, event.payload.account

    def apply(self, state: Account | None, event: Event[Movement]) -> Account | Remarked[Account]:
        """Return the account after the event. This is called once for each event, in order."""
        before = state or Account()
        amount = event.payload.amount if event.type == "MONEY_DEPOSITED" else -event.payload.amount
        after = Account(before.balance + amount, before.movements + 1)
        return Remarked(after, (OVERDRAWN,)) if after.balance < 0 else after
