"""The applications that are simulated: each with its stream, its two readers, and its oracle."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, structs

from kinesis_handler import Aggregate
from kinesis_handler.processor import EventProcessor
from kinesis_handler.stores import Repository
from simulation import bank, bank_events, limit_events, limits
from simulation.oracle import bank_rules, limit_rules
from simulation.oracle.ledger import REMEMBERED_IDS, Book, Fields, Rules
from simulation.stream import Sent
from simulation.troubles import Options
from user_limits.activity import Activity
from user_limits.limit import Limit

Name = Literal["bank", "limits"]


class Application(Struct, frozen=True):
    """What is simulated.

    Args:
        states: type of the states of each reader. The first one's store is moved.
        events_of: generates the events of a seed.
        readers: makes the readers of a handler.
        rules: of each reader, for the oracle.
        read_event: decodes an event for the oracle.
        stored: returns a stored state in the oracle's form.
        may_expire: whether all that waits can be mended, so that states may expire.
    """

    states: Mapping[str, type]
    events_of: Callable[[int, int], list[Sent]]
    readers: Callable[[Repository[Any], Repository[Any], Options], list[EventProcessor]]
    rules: Mapping[str, Rules]
    read_event: Callable[[bytes], Fields]
    stored: Callable[[Any], Any]
    may_expire: bool = True


def described(application: Application, aggregate: Aggregate[Any]) -> tuple[Any, ...]:
    """Return what is stored in the oracle's form."""
    state = application.stored(aggregate.state) if aggregate.state is not None else None
    return aggregate.version, aggregate.recent_event_ids, state


def expected(book: Book) -> tuple[Any, ...]:
    """Return what is expected, in the same form."""
    return book.version, tuple(book.ids[-REMEMBERED_IDS:]), book.state


def _fields(state: Struct) -> Fields:
    """Return the fields of a limit with the names of the stream, without those that are null."""
    found = ((each.encode_name, getattr(state, each.name)) for each in structs.fields(state))
    return {
        name: _fields(value) if isinstance(value, Struct) else value
        for name, value in found
        if value is not None
    }


def _of_limit_or_activity(state: Limit | Activity) -> Any:
    if isinstance(state, Limit):
        return _fields(state)
    return {
        "changes": _lists(state.changes),
        "periods": [
            dict(zip(("since", "until", "progress", "value", "changes"), structs.astuple(each), strict=True))
            for each in state.periods
        ],
        "currency": state.currency_code,
    }


def _lists(structures: Iterable[Struct]) -> list[list[Any]]:
    return [list(structs.astuple(each)) for each in structures]


APPLICATIONS: dict[Name, Application] = {
    "bank": Application(
        states={"accounts": bank.Account, "journal": bank.Account},
        events_of=bank_events.events_of,
        readers=bank.readers,
        rules=bank_rules.RULES,
        read_event=json.loads,
        stored=lambda account: list(map(int, account.movements.split())),
    ),
    "limits": Application(
        states={"limits": Limit, "activity": Activity},
        events_of=limit_events.events_of,
        readers=limits.readers,
        rules=limit_rules.RULES,
        read_event=limit_rules.read_event,
        stored=_of_limit_or_activity,
        may_expire=False,  # what no snapshot has released would wait for longer than states last
    ),
}
