"""Each part's table, and the picture of those that are compared with peers. DynamoDB's are in dynamodb.py."""

from benchmarks.report import dynamodb
from benchmarks.report.markdown import figure, machine, table, times
from benchmarks.report.svg import Bar, Panel, bar_chart
from benchmarks.results import Figures

CONTENDERS = {
    "floor": ("floor: base64 and untyped JSON decoding, and nothing else", "floor: only decoding", 1),
    "validated": (
        "validated: each event decoded by its schema, and nothing else",
        "only decoded by schema",
        1,
    ),
    "ours": ("**kinesis-handler**", "kinesis-handler", 0),
    "powertools": ("Powertools for AWS Lambda and pydantic", "Powertools, pydantic", 2),
    "node": ("Node, yup and pino", "Node, yup, pino", 3),
}
"""Each contender of the hot path: how a table calls it, how a picture does, and its colour."""

RATIOS = {
    "floor": "ours / floor",
    "validated": "ours / validated",
    "powertools": "Powertools / ours",
    "node": "Node / ours",
}
LARGEST = "10000"
"""Batch size that represents the others where only one is shown."""

STARTS = {
    "dynamodb": ("consumer with DynamoDB", 0),
    "memory": ("consumer in memory", 0),
    "powertools": ("Powertools, boto3", 2),
    "api": ("API", 0),
    "fastapi": ("FastAPI, pydantic", 2),
}
APIS = {"ours": ("Litestar, msgspec", 0), "fastapi": ("FastAPI, pydantic", 2)}
MEMORIES = {
    "memory": "**in memory**, limits included",
    "dynamodb": "**with DynamoDB**",
    "powertools": "Powertools and pydantic, in memory",
}
STORES = {"memory": "in memory", "sqlite": "SQLite"}


def hot_path(part: Figures) -> str:
    """Return the table of all batch sizes."""
    rows = [
        [
            f"{int(size):,}",
            *(figure(each["us"][name]) for name in CONTENDERS),
            *(_range(each[f"times_{name}"]) for name in RATIOS),
        ]
        for size, each in part["sizes"].items()
    ]
    names = ["floor", "validated", "ours", "Powertools", "Node"]
    return _page(
        part,
        f"{part['events']:,} events of {part['limits']:,} limits, {figure(part['record_bytes'])} bytes "
        f"each, in µs an event; ratios are medians of {part['rounds']} rounds, with the range of the middle "
        f"half of the rounds. Node {part['node']}.",
        table(["records in a batch", *names, *RATIOS.values()], rows),
    )


def largest_batch(part: Figures) -> str:
    """Return the table of one batch size: the README's."""
    of_size, rows = part["sizes"][LARGEST], []
    for name, (title, _, _) in CONTENDERS.items():
        us, ratio = of_size["us"][name], ""
        if name != "ours":
            ratio = times(of_size[f"times_{name}"]["ratio"])
        if name in {"floor", "validated"}:
            ratio = f"1 / {ratio}"
        rows.append([title, figure(us), f"{float(f'{1_000_000 / us:.3g}'):,.0f}", ratio])
    return table(["", "µs an event", "events a second", "times ours"], rows)


def start(part: Figures) -> str:
    """Return the table of the starts."""
    rows = [
        [
            f"**{title}**" if colour == 0 else title,
            figure(ms["start"]),
            figure(ms["first"]),
            figure(sum(ms.values())),
        ]
        for name, (title, colour) in STARTS.items()
        for ms in [part["ms"][name]]
    ]
    consumer, api = part["consumer_of_powertools"], part["api_of_fastapi"]
    return _page(
        part,
        table(["ms, in a fresh process", "import and build", "first invocation", "both"], rows),
        f"Medians of {part['rounds']} starts. The consumer with DynamoDB takes {consumer['ratio']:.2f} "
        f"times as long as the peer (half of the rounds: {consumer['from']:.2f} to {consumer['to']:.2f}), "
        f"the API {api['ratio']:.2f} times as long as FastAPI ({api['from']:.2f} to {api['to']:.2f}). The "
        "consumer's start includes a request to its table; its first invocation is a batch of "
        f"{part['first_batch']}.",
    )


def memory(part: Figures) -> str:
    """Return the table of the memory."""
    rows = [
        [
            title,
            *map(
                figure, (peak["start"], peak["invocation"], peak["handled"], peak["handled"] - peak["start"])
            ),
        ]
        for name, title in MEMORIES.items()
        for peak in [part["peak_mb"][name]]
    ]
    return _page(
        part,
        f"10,000 records: {part['base64_mb']:.1f} MB of data in base64, {part['json_mb']:.1f} MB as an "
        f"invocation. Peak memory of the process in MB, the highest of {part['runs']} runs:",
        table(["", "at the start", "with the invocation", "handled", "above the start"], rows),
    )


def api(part: Figures) -> str:
    """Return the table of the API."""
    rows = []
    for kind, asked in part["asked"].items():
        ratios = [times(asked["times_rate"]["ratio"]), times(asked["times_cpu"])]
        for name, first, title, last in (
            ("ours", kind, "**Litestar, msgspec**", ratios),
            ("fastapi", "", "FastAPI, pydantic", ["", ""]),
        ):
            shown = [figure(asked[name][each]) for each in ("rate", "p50", "p99", "cpu")]
            rows.append([first, title, *shown, *last])
    headings = ["requests/s", "p50, ms", "p99, ms", "CPU, µs", "times the rate", "times less CPU"]
    return _page(
        part,
        table(["a request for", "", *headings], rows),
        f"{part['connections']} connections on loopback, medians of {part['rounds']} rounds of "
        f"{part['seconds']} seconds; the CPU is the server's, its kernel's part included.",
    )


def growth(part: Figures) -> str:
    """Return a table for each quantity that the cost could grow with."""
    return _page(
        part,
        "By limits already in the store; a batch of 1,000 events changes 200 of them:",
        _growth("limits in the store", part["stored"]),
        f"By limits in a batch of {part['events']:,} events; none is in the store yet:",
        _growth("limits of a batch", part["keys"]),
        f"Ratios are medians of {part['rounds']} rounds.",
    )


def _growth(what: str, columns: Figures) -> str:
    headings = [text for name in columns for text in (f"{STORES[name]}, µs an event", "times the first")]
    rows = [
        [f"{int(count):,}"]
        + [
            text
            for each in columns.values()
            for text in (figure(each[count]["us"]), f"{each[count]['times_first']['ratio']:.2f}")
        ]
        for count in next(iter(columns.values()))
    ]
    return table([what, *headings], rows)


def load(part: Figures) -> str:
    """Return the table of the rates, and what the soak found."""
    rows = [
        [
            f"{int(rate):,}",
            *map(figure, (each["rate"], each["age_ms"]["p50"], each["age_ms"]["p99"], each["cores"])),
        ]
        for rate, each in part["rates"].items()
    ]
    soak, held = part["soak"], part["soak"]["memory"]
    return _page(
        part,
        table(["events a second requested", "sent and applied", "age p50, ms", "age p99, ms", "cores"], rows),
        f"The soak: {soak['sent']:,} events in {soak['seconds']:,.0f} seconds, {soak['failed']:,} failed, "
        f"age p50 {figure(soak['age_ms']['p50'])} ms and p99 {figure(soak['age_ms']['p99'])} ms. Its "
        f"process held {figure(held['settled_mb'])} MB half-way and {figure(held['end_mb'])} MB at the end.",
    )


def readme(results: dict[str, Figures]) -> str:
    """Return the README's part: the main tables, and one figure of each other part."""
    hot, stored, starts = results["hot_path"], results["dynamodb"], results["start"]
    five, plain, one = (stored["per_1000"][name] for name in ("5", "get_and_put", "1"))
    asked, soak = next(iter(results["api"]["asked"].values())), results["load"]["soak"]
    return _page(
        hot,
        f"{hot['events']:,} records of {hot['limits']:,} limits in one batch, through the whole handler, in "
        "memory, on one core:",
        largest_batch(hot),
        "![Events a second, beside peers](docs/pictures/hot-path.svg)",
        "Into DynamoDB (Local, on the same machine), five events for each limit of a batch:",
        dynamodb.contenders(stored),
        f"That is {times(plain['requests'] / five['requests'])} times fewer requests and "
        f"{times(five['get_and_put_cpu'])} times less client CPU than get and put; with one event for each "
        f"limit, {times(plain['requests'] / one['requests'])} and {times(one['get_and_put_cpu'])} times.",
        "A cold start with DynamoDB and the first batch take "
        f"{figure(sum(starts['ms']['dynamodb'].values()))} ms, "
        f"{starts['consumer_of_powertools']['ratio']:.2f} times as long as with Powertools and boto3. A "
        f"batch of 6 MB needs {figure(results['memory']['peak_mb']['dynamodb']['handled'])} MB of memory in "
        f"total. The API answers {figure(asked['ours']['rate'])} requests for a limit a second, "
        f"{times(asked['times_rate']['ratio'])} times as many as FastAPI. Over {soak['sent']:,} events at "
        f"{figure(soak['rate'])} a second, the 99th percentile of their age is "
        f"{figure(soak['age_ms']['p99'])} ms.",
    )


def pictures(results: dict[str, Figures]) -> dict[str, str]:
    """Return the pictures by their names."""
    us, ms = results["hot_path"]["sizes"][LARGEST]["us"], results["start"]["ms"]
    events = [
        Bar(label, [(1 / us[name], colour)], figure(1_000_000 / us[name]))
        for name, (_, label, colour) in CONTENDERS.items()
    ]
    starts = [
        Bar(
            title,
            [(ms[name]["start"], colour), (ms[name]["first"], 1)],
            f"{figure(sum(ms[name].values()))} ms",
        )
        for name, (title, colour) in STARTS.items()
    ]
    requests = [
        Panel(
            kind,
            [
                Bar(label, [(asked[name]["rate"], colour)], figure(asked[name]["rate"]))
                for name, (label, colour) in APIS.items()
            ],
        )
        for kind, asked in results["api"]["asked"].items()
    ]
    return {
        "hot-path.svg": bar_chart(
            f"Events a second on one core, in memory, {int(LARGEST):,} in a batch", [Panel("", events)]
        ),
        "start.svg": bar_chart(
            "Cold start: imports and building; in grey the first invocation", [Panel("", starts)]
        ),
        "api.svg": bar_chart("Requests a second that the API answers on one core", requests),
        **dynamodb.pictures(results["dynamodb"]),
    }


def _page(part: Figures, *paragraphs: str) -> str:
    return "\n\n".join([*paragraphs, machine(part)])


def _range(ratio: Figures) -> str:
    return f"{times(ratio['ratio'])} ({times(ratio['from'])} to {times(ratio['to'])})"
