"""The hot path: tables and pictures."""

from benchmarks.report.markdown import figure, machine, table, times
from benchmarks.report.svg import Axis, Bar, Line, Panel, bar_chart, line_chart
from benchmarks.results import Figures

NAMES = {
    "floor": "floor: base64 and untyped JSON decoding, and nothing else",
    "validated": "validated: each event decoded by its schema, and nothing else",
    "ours": "**kinesis-handler**",
    "powertools": "Powertools for AWS Lambda and pydantic",
    "node": "Node, yup and pino",
}
SHORT = {
    "floor": ("floor: only decoding", 1),
    "validated": ("only decoded by schema", 1),
    "ours": ("kinesis-handler", 0),
    "powertools": ("Powertools, pydantic", 2),
    "node": ("Node, yup, pino", 3),
}
RATIOS = ("floor", "validated", "powertools", "node")
SHOWN = "10000"
"""The batch size that stands for the others where there is room for one."""


def contenders(part: Figures) -> str:
    """Return the table of one batch size: the README's."""
    of_size = part["sizes"][SHOWN]
    rows = []
    for name, title in NAMES.items():
        us = of_size["us"][name]
        ratio = "" if name == "ours" else f"{us / of_size['us']['ours']:.2f}"
        if name in {"floor", "validated"}:
            ratio = f"1 / {times(of_size[f'times_{name}']['ratio'])}"
        elif name != "ours":
            ratio = times(of_size[f"times_{name}"]["ratio"])
        rows.append([title, figure(us), f"{float(f'{1_000_000 / us:.3g}'):,.0f}", ratio])
    return table(["", "µs an event", "events a second", "times ours"], rows)


def sections(part: Figures) -> dict[str, str]:
    """Return the tables of the page."""
    sizes = part["sizes"]
    rows = [
        [
            f"{int(size):,}",
            *(figure(each["us"][name]) for name in NAMES),
            *(_compared(each[f"times_{name}"]) for name in RATIOS),
        ]
        for size, each in sizes.items()
    ]
    mixes = [
        [
            name,
            *(figure(each["us"][contender]) if contender in each["us"] else "" for contender in NAMES),
            *(_compared(each[f"times_{other}"]) if f"times_{other}" in each else "" for other in RATIOS),
        ]
        for name, each in part["mixes"].items()
    ]
    names = ["floor", "validated", "ours", "Powertools", "Node"]
    short = [*names, "ours / floor", "ours / validated", "Powertools / ours", "Node / ours"]
    text = [
        (
            f"{part['events']:,} events of {part['limits']:,} limits, {figure(part['record_bytes'])} "
            f"bytes each, "
            f"in µs an event; ratios are medians of {part['rounds']} rounds, with the range of the "
            f"middle half of the rounds. Node {part['node']}."
        ),
        table(["records in a batch", *short], rows),
        (
            f"Other mixes of types, in batches of {part['mix_size']:,}. The handler ignores unknown "
            "types; pydantic fails if none of its models matches."
        ),
        table(["mix", *short], mixes),
        machine(part),
    ]
    return {"hot path": "\n\n".join(text)}


def pictures(part: Figures) -> dict[str, str]:
    """Return bars of one batch size, and lines over all."""
    us = part["sizes"][SHOWN]["us"]
    bars = [
        Bar(label, [(1 / us[name], colour)], figure(1_000_000 / us[name]))
        for name, (label, colour) in SHORT.items()
    ]
    title = f"Events a second on one core, in memory, {int(SHOWN):,} in a batch"
    sizes = [int(size) for size in part["sizes"]]
    lines = [
        Line(label, [(int(size), each["us"][name]) for size, each in part["sizes"].items()], colour)
        for name, (label, colour) in SHORT.items()
        if name != "validated"  # it would lie beside the floor
    ]
    x = Axis("records in a batch", [(size, f"{size:,}") for size in sizes], logarithmic=True)
    y = Axis("µs an event", [(each, f"{each:,}") for each in (1, 10, 100, 1_000)], logarithmic=True)
    return {
        "hot-path.svg": bar_chart(title, [Panel("", bars)]),
        "batch-sizes.svg": line_chart("Time for an event, by the size of its batch", x, y, lines),
    }


def _compared(ratio: Figures) -> str:
    return f"{times(ratio['ratio'])} ({times(ratio['from'])} to {times(ratio['to'])})"
