"""What README shows of a terminal is what a reader will see."""

from command_line import ROOT
from page.terminal import terminal_picture


def test_the_picture_of_a_run_is_up_to_date_and_loads_nothing_from_elsewhere() -> None:
    shown = (ROOT / "docs" / "pictures" / "run.svg").read_text()
    assert shown == terminal_picture("run")
    assert "url(http" not in shown
