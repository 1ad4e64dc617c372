"""Effects of events on a limit, sentence by sentence of the domain. Limits and events are dictionaries."""

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

Fields = dict[str, Any]
"""Fields of a limit or an event, with the names of the stream. A field that is null is left out."""

CREATED, PROGRESS_CHANGED, RESET = EVENT_TYPES = (
    "USER_LIMIT_CREATED",
    "USER_LIMIT_PROGRESS_CHANGED",
    "USER_LIMIT_RESET",
)

DIGITS = 38
LOWEST_EXPONENT, HIGHEST_EXPONENT = -130, 125
"""Range of the exponent of the first digit. These are the numbers of DynamoDB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

_wide = Context(prec=1_000)
"""Context with enough digits for any sum of two such numbers: it rounds nothing, so long results show."""


class InexactError(Exception):
    """A sum has more digits than can be stored: the event can never be applied."""


class RefusedError(Exception):
    """The event is valid, but its limit is not known, or has another currency."""


def is_exact(amount: Decimal) -> bool:
    """Return whether a number can be stored exactly, apart from trailing zeros."""
    digits = _wide.normalize(amount)
    return len(digits.as_tuple().digits) <= DIGITS and (
        not digits or LOWEST_EXPONENT <= digits.adjusted() <= HIGHEST_EXPONENT
    )


def after(limit: Fields | None, event: Fields) -> tuple[Fields, list[str]]:
    """Return the limit after an event, and the remarks about the event.

    Raises InexactError, RefusedError.
    """
    payload = event["payload"]
    currency, known = payload.get("currencyCode"), (limit or {}).get("currencyCode")
    if currency and known and currency != known:
        raise RefusedError
    changed, remarks = _EFFECTS[event["type"]](limit, payload, event["createdAt"])
    for name in ("brandId", "currencyCode"):
        if name in payload:
            changed[name] = payload[name]
    if "drift" in remarks:
        changed["driftedAt"] = event["createdAt"]
    if changed["progress"] > changed["value"]:
        remarks.append("exceeded")
    return changed, remarks


def _created(limit: Fields | None, payload: Fields, created_at: int) -> tuple[Fields, list[str]]:
    """Create the limit. An existing one gets the new definition; fields outside of a definition stay."""
    before = limit or {}
    definition = {
        "userId": payload["userId"],
        "limitId": payload["userLimitId"],
        "value": payload["value"] if "value" in payload else payload["maxValue"],
        "progress": payload.get("progress", before.get("progress", Decimal(0))),
        "status": payload.get("status", "ACTIVE"),
        "activeFrom": payload.get("activeFrom", created_at),
        "rebuilt": False,
    }
    for name in ("name", "period", "activeUntil", "nextResetTime"):
        if name in payload:
            definition[name] = payload[name]
    if "previousLimitValue" in payload:
        definition["previousValue"] = payload["previousLimitValue"]
    if "type" in payload:
        definition["type"] = payload["type"]
    for name in ("type", "brandId", "currencyCode", "lastReset", "driftedAt"):
        if name in before:
            definition.setdefault(name, before[name])
    return definition, []


def _progress_changed(limit: Fields | None, payload: Fields, created_at: int) -> tuple[Fields, list[str]]:
    """Change the progress, and adopt the value as the producer knows it."""
    if limit is None:
        if not {"previousProgress", "remainingAmount"} <= payload.keys():
            raise RefusedError
        return _rebuilt_from_progress(payload, created_at), ["rebuilt"]
    changed = dict(limit)
    base = payload["previousProgress"] if "previousProgress" in payload else limit["progress"]
    changed["progress"] = _sum(base, payload["amount"])
    if "remainingAmount" in payload:
        changed["value"] = _sum(changed["progress"], payload["remainingAmount"])
    if "nextResetTime" in payload:
        changed["nextResetTime"] = payload["nextResetTime"]
    missed = base != limit["progress"] or changed["value"] != limit["value"]
    return changed, ["drift"] if missed else []


def _rebuilt_from_progress(payload: Fields, created_at: int) -> Fields:
    """Rebuild an unknown limit. Its type and period stay unknown."""
    progress = _sum(payload["previousProgress"], payload["amount"])
    rebuilt = {
        "userId": payload["userId"],
        "limitId": payload["userLimitId"],
        "value": _sum(progress, payload["remainingAmount"]),
        "progress": progress,
        "status": "ACTIVE",
        "activeFrom": created_at,
        "rebuilt": True,
    }
    if "nextResetTime" in payload:
        rebuilt["nextResetTime"] = payload["nextResetTime"]
    return rebuilt


def _reset(limit: Fields | None, payload: Fields, created_at: int) -> tuple[Fields, list[str]]:
    """Start a new period; rebuild an unknown limit if the event contains everything needed."""
    figures: Fields = {}
    if "resetAmount" in payload:
        figures["progress"] = payload["resetAmount"]
        if "unusedAmount" in payload:
            figures["value"] = _sum(payload["resetAmount"], payload["unusedAmount"])
    if limit is None:
        if not ("value" in figures and {"type", "period"} <= payload.keys()):
            raise RefusedError
        ids = {"userId": payload["userId"], "limitId": payload["userLimitId"]}
        changed = {**ids, "activeFrom": created_at, "rebuilt": True}
        remarks = ["rebuilt"]
    else:
        changed = dict(limit)
        remarks = ["drift"] if any(limit[name] != figure for name, figure in figures.items()) else []
    last = {"at": created_at}
    for name, figure in (("amount", "resetAmount"), ("percentage", "resetPercentage")):
        if figure in payload:
            last[name] = payload[figure]
    changed |= {**figures, "progress": Decimal(0), "status": "ACTIVE", "lastReset": last}
    for name in ("type", "period", "nextResetTime"):
        if name in payload:
            changed[name] = payload[name]
    return changed, remarks


def _sum(one: Decimal, other: Decimal) -> Decimal:
    total = _wide.add(one, other)
    if not is_exact(total):
        raise InexactError
    return total


_Effect = Callable[[Fields | None, Fields, int], tuple[Fields, list[str]]]
_EFFECTS: dict[str, _Effect] = {CREATED: _created, PROGRESS_CHANGED: _progress_changed, RESET: _reset}
