"""Each part's table, from the templates in tables.md.j2, and the pictures. DynamoDB's are in dynamodb.py."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.prices import PRICE_LIST
from benchmarks.report import dynamodb, scale
from benchmarks.report.markdown import dollars, figure, times
from benchmarks.report.svg import Bar, Panel, bar_chart
from benchmarks.results import Figures

EVENTS_OF_A_LIMIT = {number: f"known {number}" for number in ("1", "5", "50")}
"""Names of our contenders on DynamoDB whose figures stand for all, by the events of a limit in a batch."""

CONTENDERS = {
    "floor": ("floor: only decoding", 1),
    "validated": ("only decoded by schema", 1),
    "ours": ("kinesis-handler", 0),
    "powertools": ("Powertools, pydantic", 2),
    "node": ("Node, yup, pino", 3),
}
"""What a picture calls each contender, and its colour."""

STARTS = {
    "dynamodb": ("consumer with DynamoDB", 0),
    "memory": ("consumer in memory", 0),
    "powertools": ("Powertools, boto3", 2),
    "api": ("API", 0),
    "fastapi": ("FastAPI, pydantic", 2),
}
APIS = {"ours": ("Litestar, msgspec", 0), "fastapi": ("FastAPI, pydantic", 2)}

_templates = Environment(  # noqa: S701 - Markdown, from our own figures
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "dollars": dollars,
    "figure": figure,
    "times": times,
    "whole": lambda value: f"{round(float(value)):,}",
}
_templates.globals |= {"scale": scale, "PRICE_LIST": PRICE_LIST}
_tables = _templates.get_template("tables.md.j2").module


def section(part: str, figures: Figures) -> dict[str, str]:
    """Return what stands at the mark of a part."""
    return {part.replace("_", " "): _filled(part, figures)}


def readme(results: dict[str, Figures]) -> dict[str, str]:
    """Return the README's part: the main tables, and one figure of each other part."""
    per_1000 = _by_events_of_a_limit(results)
    return {"readme": _filled("readme", results, per_1000, dynamodb.contenders(results["dynamodb"]))}


def at_any_size(results: dict[str, Figures]) -> dict[str, str]:
    """Return the tables of docs/scale.md."""
    per_1000, record_bytes = _by_events_of_a_limit(results), results["hot_path"]["record_bytes"]
    least = results["memory"]["peak_mb"]["dynamodb"]["handled"]
    return {
        "scale shapes": _filled("scale_shapes", per_1000["5"], record_bytes),
        "scale memory": _filled("scale_memory", per_1000["5"], least),
        "scale batches": _filled("scale_batches"),
        "scale cost": _filled("scale_cost", per_1000, record_bytes),
    }


def _by_events_of_a_limit(results: dict[str, Figures]) -> dict[str, Figures]:
    return {events: results["dynamodb"]["per_1000"][name] for events, name in EVENTS_OF_A_LIMIT.items()}


def _filled(macro: str, *arguments: object) -> str:
    text: str = getattr(_tables, macro)(*arguments)
    return text.strip()


def pictures(results: dict[str, Figures]) -> dict[str, str]:
    """Return the pictures by their names."""
    us, ms = results["hot_path"]["sizes"]["10000"]["us"], results["start"]["ms"]
    events = [
        Bar(label, [(1 / us[name], colour)], figure(1_000_000 / us[name]))
        for name, (label, colour) in CONTENDERS.items()
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
            "Events a second on one core, in memory, 10,000 in a batch", [Panel("", events)]
        ),
        "start.svg": bar_chart(
            "Cold start: imports and building; in grey the first invocation", [Panel("", starts)]
        ),
        "api.svg": bar_chart("Requests a second that the API answers on one core", requests),
        **dynamodb.pictures(results["dynamodb"]),
    }
