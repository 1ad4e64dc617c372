"""Formats a limit as a row of the command line's table. Pure."""

from decimal import Context, Decimal
from unicodedata import category

from kinesis_handler import Aggregate
from kinesis_handler.application import Cell
from user_limits.limit import Limit
from user_limits.view import PERIOD_TYPES, ends_first, rfc3339, shown_percentage

HEADINGS = ("limit", "used", "", "progress", "resets", "note")

BAR_WIDTH = 10
NEAR = 80
"""Percentage from which a limit counts as nearly used up."""
MOST = 9_999
"""Highest percentage that is written out: of a limit of 1E-130, an amount of 1E125 may be used."""
MOST_WHOLE, MOST_FRACTION = 21, 12
"""Most digits before and after the decimal point; of longer amounts the first digits are written."""
_FIRST_DIGITS = Context(prec=6)

_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that look blank."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def limit_row(aggregate: Aggregate[Limit]) -> tuple[Cell, ...]:
    """Return the cells of a row, by HEADINGS."""
    limit, parked = aggregate.state, aggregate.parked
    percent, exceeded = shown_percentage(limit), limit.progress > limit.value
    style = "red" if exceeded else "yellow" if percent >= NEAR else "green"
    notes = [
        *([] if limit.status == "ACTIVE" else [limit.status.lower().replace("_", " ")]),
        *(["exceeded"] if exceeded else []),
        *(["rebuilt"] if limit.rebuilt else []),
        *(["drift"] if limit.drifted_at is not None else []),
        *([] if parked is None else [f"waiting since {rfc3339(parked.since)[:10]}"]),
    ]
    return (
        Cell(_title(limit), "bold"),
        Cell(bar(percent), style),
        Cell(_percent(percent), style),
        Cell(_progress(limit)),
        Cell(_next(limit), "dim"),
        Cell(", ".join(notes), "yellow"),
    )


def bar(percent: Decimal) -> str:
    """Draw a percentage as a bar of BAR_WIDTH characters, full from 100 up."""
    eighths = int(min(max(percent, Decimal(0)), Decimal(100)) * BAR_WIDTH * 8 / 100)
    full, part = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[part] if part else "")
    return drawn.ljust(BAR_WIDTH, "░")


def _progress(limit: Limit) -> str:
    """Write progress and value in the limit's unit: hours and minutes for a session."""
    if limit.type == "SESSION":
        return f"{_duration(limit.progress)} of {_duration(limit.value)}"
    return f"{_amount(limit.progress)} of {_amount(limit.value)} {limit.currency_code or ''}".rstrip()


def _percent(percent: Decimal) -> str:
    if abs(percent) > MOST:
        return f"> {MOST:,} %" if percent > 0 else f"< -{MOST:,} %"
    return f"{percent:f} %"


def _amount(amount: Decimal) -> str:
    """Write an amount with all its digits, unless there are too many to read."""
    return f"{amount:,f}" if _is_readable(amount) else f"{amount.normalize(_FIRST_DIGITS):E}"


def _is_readable(amount: Decimal) -> bool:
    _, digits, exponent = amount.as_tuple()
    fraction = -min(int(exponent), 0)
    return len(digits) + int(exponent) <= MOST_WHOLE and fraction <= MOST_FRACTION


def _duration(seconds: Decimal) -> str:
    """Write seconds as hours and minutes, with the remaining seconds: they add up."""
    if not _is_readable(seconds):
        return f"{_amount(seconds)} s"
    hours, rest = divmod(abs(seconds), 3_600)
    minutes, rest = divmod(rest, 60)
    whole, fraction = divmod(rest, 1)
    sign = "-" if seconds < 0 else ""
    besides = f":{whole:02f}{f'{fraction:f}'[1:] if fraction else ''}" if rest else ""
    return f"{sign}{hours:,f}:{minutes:02f}{besides} h"


def _next(limit: Limit) -> str:
    """Write the day of the next reset, or the day on which the limit ends, if that is earlier."""
    if limit.status == "CANCELED":
        return ""
    if limit.active_until is not None and ends_first(limit):
        return f"ends {rfc3339(limit.active_until)[:10]}"
    return rfc3339(limit.next_reset_time)[:10] if limit.next_reset_time is not None else ""


def _title(limit: Limit) -> str:
    kind = [PERIOD_TYPES[limit.period] if limit.period is not None else "", limit.type or ""]
    name = limit.name if limit.name is not None and _is_seen(limit.name) else ""
    return name or " ".join(filter(None, kind)).lower().replace("_", " ") or limit.limit_id


def _is_seen(name: str) -> bool:
    """Tell whether a name has a visible character: a letter, digit, mark, punctuation or symbol."""
    return any(category(each)[0] in "LMNPS" and each not in _BLANK for each in name)
