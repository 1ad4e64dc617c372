"""Growth: tables and pictures."""

from collections.abc import Mapping

from benchmarks.report.markdown import figure, machine, table
from benchmarks.report.svg import Axis, Line, line_chart
from benchmarks.results import Figures

STORES = {"memory": ("in memory", 0), "sqlite": ("SQLite", 2), "dynamodb": ("DynamoDB Local", 3)}


def sections(part: Figures) -> dict[str, str]:
    """Return a table of each thing that the cost could grow with."""
    stored, keys = part["stored"], part["keys"]
    text = [
        f"By records in a batch, each with limits of its own, in memory; {part['events']:,} events in total:",
        _table("records in a batch", {"in memory": part["batch_sizes"]}),
        "By limits already in the store; a batch of 1,000 events changes 200 of them:",
        _table("limits in the store", {STORES[name][0]: each for name, each in stored.items()}),
        f"By limits in a batch of {part['events']:,} events; none is in the store yet:",
        _table("limits of a batch", {STORES[name][0]: each for name, each in keys.items()}),
        f"Ratios are medians of {part['rounds']} rounds. {machine(part)}",
    ]
    return {"growth": "\n\n".join(text)}


def _table(what: str, columns: Mapping[str, Figures]) -> str:
    counts = sorted({int(count) for each in columns.values() for count in each})
    headings = [what, *(text for name in columns for text in (f"{name}, µs an event", "times the first"))]
    rows = [
        [f"{count:,}"] + [cell for each in columns.values() for cell in _cells(each, count)]
        for count in counts
    ]
    return table(headings, rows)


def _cells(column: Figures, count: int) -> list[str]:
    told = column.get(str(count))
    return [figure(told["us"]), f"{told['times_first']['ratio']:.2f}"] if told else ["", ""]


def pictures(part: Figures) -> dict[str, str]:
    """Return a line chart of each."""
    return {
        "growth-batch.svg": _chart(
            "Time for an event, by the records of its batch",
            "records in a batch",
            {"memory": part["batch_sizes"]},
        ),
        "growth-store.svg": _chart(
            "Time for an event, by the limits that are stored", "limits in the store", part["stored"]
        ),
        "growth-keys.svg": _chart(
            "Time for an event, by the limits of a batch of 10,000", "limits of a batch", part["keys"]
        ),
    }


def _chart(title: str, what: str, series: Mapping[str, Figures]) -> str:
    lines = [
        Line(STORES[name][0], [(int(count), told["us"]) for count, told in each.items()], STORES[name][1])
        for name, each in series.items()
    ]
    counts = sorted({int(count) for each in series.values() for count in each})
    x = Axis(what, [(count, f"{count:,}") for count in counts], logarithmic=True)
    highest = max(us for line in lines for _, us in line.points)
    return line_chart(title, x, Axis("µs an event", ticks_to(highest)), lines, height=260)


def ticks_to(highest: float) -> list[tuple[float, str]]:
    """Return ticks from 0 to what is at least the highest, at round figures."""
    steps = (mantissa * 10.0**power for power in range(-3, 9) for mantissa in (1, 2, 5))
    step = next(each for each in steps if each * 5 >= highest)
    count = -int(-highest // step)
    return [(number * step, figure(number * step)) for number in range(count + 1)]
