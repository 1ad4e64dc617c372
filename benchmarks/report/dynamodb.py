"""DynamoDB: tables and pictures."""

from benchmarks.prices import PRICE_LIST, dollars_per_million
from benchmarks.report.markdown import dollars, figure, machine, table, times
from benchmarks.report.svg import Bar, Panel, bar_chart
from benchmarks.results import Figures

EVENTS = 1_000
SHOWN = "known 5"
"""The one of ours that stands beside the peers in the README and the picture."""
HEADINGS = [
    "1,000 events",
    "requests",
    "read units",
    "write units",
    "client CPU, ms",
    "wall, ms",
    "$ / million",
]
PEERS = {"get_and_put": "get and put for each event", "idempotent": "Powertools' idempotency, get and put"}


def _title(name: str) -> str:
    if name in PEERS:
        return PEERS[name]
    if name == "mix":
        return "**kinesis-handler**, 5 events of a limit, half of the limits known"
    of, _, number = name.partition(" ")
    return f"**kinesis-handler**, {number} event{'s' if number != '1' else ''} of a {of} limit"


def rows(part: Figures, names: list[str]) -> list[list[str]]:
    """Return the rows of some contenders."""
    shown = ("requests", "reads", "writes", "cpu_ms", "wall_ms")
    return [
        [_title(name), *(figure(each[field]) for field in shown), dollars(cost(each))]
        for name, each in part["per_1000"].items()
        if name in names
    ]


def cost(each: Figures) -> float:
    """Return the cost of the table for a million events, in dollars."""
    return dollars_per_million(each["writes"], each["reads"], events=EVENTS)


def contenders(part: Figures) -> str:
    """Return the table of the README."""
    return table(HEADINGS, rows(part, [SHOWN, *PEERS]))


def sections(part: Figures) -> dict[str, str]:
    """Return the tables of the page."""
    figures = part["per_1000"]
    plain, idempotent = figures["get_and_put"], figures["idempotent"]
    ours = {name: each for name, each in figures.items() if name not in PEERS}
    compared = [
        [
            name,
            times(each["times_memory"]),
            times(plain["requests"] / each["requests"]),
            times(each["get_and_put_cpu"]),
            times(plain["writes"] / each["writes"]),
            times(idempotent["requests"] / each["requests"]),
            times(each["idempotent_cpu"]),
            times(idempotent["writes"] / each["writes"]),
        ]
        for name, each in ours.items()
    ]
    of = ("requests", "CPU", "write units")
    items = [
        [name, *(figure(each[field]) for field in ("median", "all_event_ids", "all_uuids"))]
        for name, each in part["item_bytes"].items()
    ]
    text = [
        table(HEADINGS, rows(part, list(figures))),
        (
            f"In batches of {part['batch_size']:,}, medians of {part['rounds']} rounds; the peers had "
            f"{part['peer_events']} events, and their figures are scaled. Dollars: read and write units by "
            f"{PRICE_LIST}. How many times as much CPU the handler needs as in memory, and how many times as "
            "much the peers need as the handler:"
        ),
        table(
            [
                "limits, and events of each",
                "handler: CPU, to memory's",
                *(f"get + put: {each}" for each in of),
                *(f"idempotency: {each}" for each in of),
            ],
            compared,
        ),
        (
            "Bytes of an item, of which one unit writes 1,024; as stored, and with the largest number of "
            "event ids, of 20 and of 36 characters:"
        ),
        table(["events of a limit", "as stored", "with all ids", "with all ids, UUIDs"], items),
        machine(part),
    ]
    return {"dynamodb": "\n\n".join(text)}


def pictures(part: Figures) -> dict[str, str]:
    """Return requests, write units and CPU as bars."""
    names = {
        SHOWN: ("kinesis-handler", 0),
        "get_and_put": ("get and put", 2),
        "idempotent": ("idempotency", 3),
    }
    panels = [
        Panel(
            title,
            [
                Bar(label, [(part["per_1000"][name][field], colour)], figure(part["per_1000"][name][field]))
                for name, (label, colour) in names.items()
            ],
        )
        for field, title in (
            ("requests", "requests"),
            ("writes", "write units"),
            ("cpu_ms", "ms of client CPU"),
        )
    ]
    return {"dynamodb.svg": bar_chart("1,000 events into DynamoDB, five for each of its limits", panels)}
