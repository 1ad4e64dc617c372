"""What the events of user limits mean, for each of its readers: from the text of the domain.

A limit is folded by the oracle of the chaos run. Its activity is written out here: a dictionary of lists.
"""

from decimal import Context, Decimal
from typing import Any

from chaos.oracle.reading import InvalidError, read_event
from chaos.oracle.rules import CREATED, EVENT_TYPES, PROGRESS_CHANGED, RESET, InexactError, after, is_exact
from chaos.oracle.rules import RefusedError as RefusedByLimitError
from simulation.oracle.ledger import Fields, Key, NeverError, RefusedError, Rules

CHANGES, PERIODS = 50, 12
"""How many changes and periods of a limit are remembered."""

_WIDE = Context(prec=1_000)
"""Rounds nothing."""

__all__ = ["EVENT_TYPES", "RULES", "InvalidError", "read_event"]


def _key(event: Fields) -> list[Key]:
    payload = event["payload"]
    return [(payload["userId"], payload["userLimitId"])] if event["type"] in EVENT_TYPES else []


def _limit(limit: Fields | None, event: Fields) -> Fields:
    try:
        return after(limit, event)[0]
    except RefusedByLimitError:
        raise RefusedError from None
    except InexactError:
        raise NeverError from None


def _says_all(limit: Fields | None, event: Fields) -> bool:
    payload: Fields = event["payload"]
    if int(payload["userId"][-1]) % 2:  # a user with troubles: there it could not be predicted
        return False
    if event["type"] == PROGRESS_CHANGED:
        return _FIGURES[PROGRESS_CHANGED] <= payload.keys()
    if event["type"] == RESET:
        return _FIGURES[RESET] | {"type", "period"} <= payload.keys()
    return limit is None or "progress" in payload


def _activity(activity: Fields | None, event: Fields) -> Fields:
    """List the change, and keep the totals of the period.

    An event in another currency, or of too many digits, is listed without figures. One that says all figures
    may change the currency.
    """
    payload, kind = event["payload"], event["type"]
    old = activity or {"changes": [], "periods": [_period(None)], "currency": None}
    periods = [dict(each) for each in old["periods"]]
    running = periods[-1]
    currency, stated = old["currency"], payload.get("currencyCode")
    says_all = _FIGURES[kind] <= payload.keys()
    takes_any = currency is None and running["progress"] is not None
    if stated and stated != currency and (says_all or takes_any):
        if currency is not None:
            running["progress"] = running["value"] = None
        currency = stated
    without_figures = [event["createdAt"], _NAMES[kind], None, running["progress"], running["value"]]
    is_other = stated and currency and stated != currency
    try:
        change = without_figures if is_other else _RECORD[kind](periods, event, is_first=activity is None)
    except InexactError:
        change = without_figures
    return {
        "changes": [*old["changes"], change][-CHANGES:],
        "periods": periods[-PERIODS:],
        "currency": currency,
    }


def _created(periods: list[Fields], event: Fields, *, is_first: bool) -> list[Any]:
    payload, running, at = event["payload"], periods[-1], event["createdAt"]
    value = payload["value"] if "value" in payload else payload["maxValue"]
    progress = payload.get("progress", running["progress"])
    if progress is None and is_first:
        progress = Decimal(0)
    running |= {"progress": progress, "value": value}
    if not is_first or "previousLimitValue" in payload:
        return [at, "REDEFINED", value, progress, value]
    running["since"] = at
    return [at, "CREATED", value, progress, value]


def _changed(periods: list[Fields], event: Fields, *, is_first: bool) -> list[Any]:  # noqa: ARG001 - as the others
    payload, running = event["payload"], periods[-1]
    base = payload.get("previousProgress", running["progress"])
    progress, value = None, running["value"]
    if base is not None:
        progress = _sum(base, payload["amount"])
        if "remainingAmount" in payload:
            value = _sum(progress, payload["remainingAmount"])
    running |= {"progress": progress, "value": value, "changes": running["changes"] + 1}
    return [event["createdAt"], "PROGRESS", payload["amount"], progress, value]


def _reset(periods: list[Fields], event: Fields, *, is_first: bool) -> list[Any]:  # noqa: ARG001 - as the others
    payload, running, at = event["payload"], periods[-1], event["createdAt"]
    value = running["value"]
    if _FIGURES[RESET] <= payload.keys():
        value = _sum(payload["resetAmount"], payload["unusedAmount"])
    used = payload.get("resetAmount", running["progress"])
    if used is None and not running["changes"]:
        periods.pop()
    running |= {"until": at, "progress": used, "value": value}
    periods.append({**_period(at), "progress": Decimal(0), "value": value})
    return [at, "RESET", used, Decimal(0), value]


def _period(since: int | None) -> Fields:
    return {"since": since, "until": None, "progress": None, "value": None, "changes": 0}


def _sum(one: Decimal, other: Decimal) -> Decimal:
    total = _WIDE.add(one, other)
    if not is_exact(total):
        raise InexactError
    return total


_FIGURES = {
    CREATED: set[str](),
    PROGRESS_CHANGED: {"previousProgress", "remainingAmount"},
    RESET: {"resetAmount", "unusedAmount"},
}
"""By the type of an event, what it has to carry to say all figures."""
_NAMES = {CREATED: "REDEFINED", PROGRESS_CHANGED: "PROGRESS", RESET: "RESET"}
_RECORD = {CREATED: _created, PROGRESS_CHANGED: _changed, RESET: _reset}

RULES = {"limits": Rules(_key, _limit, _says_all), "activity": Rules(_key, _activity)}
