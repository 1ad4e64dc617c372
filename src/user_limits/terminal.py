"""A limit as a row of the command line's table. Pure."""

from decimal import Decimal

from kinesis_handler import Aggregate
from kinesis_handler.application import Cell
from user_limits.limit import Limit
from user_limits.view import PERIOD_TYPES, percentage, rfc3339

HEADINGS = ("limit", "used", "", "progress", "resets", "note")

BAR_WIDTH = 10
NEAR, FULL = 80, 100
"""The percentages from which a limit counts as nearly used up, and above which it is exceeded."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def limit_row(aggregate: Aggregate[Limit]) -> tuple[Cell, ...]:
    """Return the cells under HEADINGS."""
    limit = aggregate.state
    percent = percentage(limit)
    style = "red" if percent > FULL else "yellow" if percent >= NEAR else "green"
    notes = [
        *([] if limit.status == "ACTIVE" else [limit.status.lower().replace("_", " ")]),
        *(["exceeded"] if percent > FULL else []),
        *(["rebuilt"] if limit.rebuilt else []),
        *(["drift"] if limit.drifted_at is not None else []),
    ]
    return (
        Cell(_title(limit), "bold"),
        Cell(bar(percent), style),
        Cell(f"{percent:f} %", style),
        Cell(_progress(limit)),
        Cell(rfc3339(limit.next_reset_time)[:10] if limit.next_reset_time is not None else "", "dim"),
        Cell(", ".join(notes), "yellow"),
    )


def bar(percent: Decimal) -> str:
    """Draw a percentage as a bar of BAR_WIDTH characters; what is above 100 does not show."""
    eighths = int(min(max(percent, Decimal(0)), Decimal(100)) * BAR_WIDTH * 8 / 100)
    full, part = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[part] if part else "")
    return drawn.ljust(BAR_WIDTH, "░")


def _progress(limit: Limit) -> str:
    """Write progress and value in the limit's unit: a session's in hours and minutes."""
    if limit.type == "SESSION":
        return f"{_duration(limit.progress)} of {_duration(limit.value)}"
    return " ".join(filter(None, (f"{limit.progress:,f} of {limit.value:,f}", limit.currency_code)))


def _duration(seconds: Decimal) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours}:{minutes:02} h"


def _title(limit: Limit) -> str:
    kind = [PERIOD_TYPES[limit.period] if limit.period is not None else "", limit.type or ""]
    return limit.name or " ".join(filter(None, kind)).lower().replace("_", " ") or limit.limit_id
