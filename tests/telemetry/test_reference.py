"""What docs/telemetry.md says there is, is what there is."""

import re
from pathlib import Path

from kinesis_handler.moving.switch import NOT_READABLE
from kinesis_handler.outcome import Status
from kinesis_handler.telemetry.metrics import CONFLICTS, END_TO_END_AGE, RECORDS, metric_of
from user_limits import limit
from user_limits.scheduled_redrive import RELEASED, WAITING

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
REMARKS = (limit.DRIFT, limit.EXCEEDED, limit.REBUILT)


def test_the_page_has_a_row_for_each_metric_and_no_other() -> None:
    rows = re.findall(r"^\| (`.+?) \| (?:Count|Milliseconds) \|", PAGE, re.MULTILINE)
    named = {name.strip("` ") for row in rows for name in row.split(",")}
    counted = [*Status, CONFLICTS, NOT_READABLE, RELEASED, WAITING, *(remark.name for remark in REMARKS)]
    assert named == {RECORDS, END_TO_END_AGE, *map(metric_of, counted)}


def test_the_page_names_each_remark_as_the_log_does() -> None:
    assert all(f"`{remark.name}`" in PAGE for remark in REMARKS)
