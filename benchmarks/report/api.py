"""The API: a table and a picture."""

from benchmarks.report.markdown import figure, machine, table, times
from benchmarks.report.svg import Bar, Panel, bar_chart
from benchmarks.results import Figures

NAMES = {"ours": "**Litestar, msgspec**", "fastapi": "FastAPI, pydantic"}


def sections(part: Figures) -> dict[str, str]:
    """Return the table of the page."""
    rows = [
        [
            kind if name == "ours" else "",
            title,
            figure(asked[name]["rate"]),
            figure(asked[name]["p50"]),
            figure(asked[name]["p99"]),
            figure(asked[name]["cpu"]),
            times(asked["times_rate"]["ratio"]) if name == "ours" else "",
            times(asked["times_cpu"]) if name == "ours" else "",
        ]
        for kind, asked in part["asked"].items()
        for name, title in NAMES.items()
    ]
    headings = [
        "a request for",
        "",
        "requests/s",
        "p50, ms",
        "p99, ms",
        "CPU, µs",
        "times the rate",
        "times less CPU",
    ]
    text = [
        table(headings, rows),
        (
            f"{part['connections']} connections on loopback, medians of {part['rounds']} rounds of "
            f"{part['seconds']} seconds; the CPU is the server's, its kernel's part included."
        ),
        machine(part),
    ]
    return {"api": "\n\n".join(text)}


def pictures(part: Figures) -> dict[str, str]:
    """Return the requests a second as bars."""
    panels = [
        Panel(
            kind,
            [
                Bar(label, [(asked[name]["rate"], colour)], figure(asked[name]["rate"]))
                for name, label, colour in (
                    ("ours", "Litestar, msgspec", 0),
                    ("fastapi", "FastAPI, pydantic", 2),
                )
            ],
        )
        for kind, asked in part["asked"].items()
    ]
    return {"api.svg": bar_chart("Requests a second that the API answers on one core", panels)}
