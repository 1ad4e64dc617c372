"""Load: a table and a picture."""

from benchmarks.report.growth import ticks_to
from benchmarks.report.markdown import figure, machine, table
from benchmarks.report.svg import Axis, Line, line_chart
from benchmarks.results import Figures


def sections(part: Figures) -> dict[str, str]:
    """Return the tables of the page."""
    rows = [
        [
            f"{int(rate):,}",
            figure(told["rate"]),
            figure(told["age_ms"]["p50"]),
            figure(told["age_ms"]["p99"]),
            figure(told["cores"]),
        ]
        for rate, told in part["rates"].items()
    ]
    soak, memory = part["soak"], part["soak"]["memory"]
    text = [
        table(["events a second requested", "sent and applied", "age p50, ms", "age p99, ms", "cores"], rows),
        (
            f"The soak: {soak['sent']:,} events in {soak['seconds']:,.0f} seconds, {soak['failed']:,} "
            f"failed, age p50 "
            f"{figure(soak['age_ms']['p50'])} ms and p99 {figure(soak['age_ms']['p99'])} ms. Its process "
            f"held "
            f"{figure(memory['settled_mb'])} MB half-way and {figure(memory['end_mb'])} MB at the end."
        ),
        machine(part),
    ]
    return {"load": "\n\n".join(text)}


def pictures(part: Figures) -> dict[str, str]:
    """Return the memory over the time of the soak."""
    samples = part["soak"]["memory"]["samples"]
    x = Axis("seconds", ticks_to(samples[-1][0]))
    y = Axis("MB held", ticks_to(max(held for _, held in samples)))
    title = f"Memory under {figure(part['soak']['rate'])} events a second"
    return {"soak.svg": line_chart(title, x, y, [Line("the process", samples, 0)], height=260)}
