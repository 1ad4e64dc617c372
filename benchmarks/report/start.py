"""The start: tables and pictures."""

from benchmarks.report.markdown import figure, machine, table
from benchmarks.report.svg import Bar, Panel, bar_chart
from benchmarks.results import Figures

NAMES = {
    "dynamodb": "consumer with DynamoDB",
    "memory": "consumer in memory",
    "powertools": "Powertools, boto3",
    "api": "API",
    "fastapi": "FastAPI, pydantic",
}
OURS = {"dynamodb", "memory", "api"}


def sections(part: Figures) -> dict[str, str]:
    """Return the tables of the page."""
    rows = [
        [
            f"**{title}**" if name in OURS else title,
            figure(ms["start"]),
            figure(ms["first"]),
            figure(sum(ms.values())),
        ]
        for name, title in NAMES.items()
        for ms in [part["ms"][name]]
    ]
    consumer, api = part["consumer_of_powertools"], part["api_of_fastapi"]
    text = [
        table(["ms, in a fresh process", "import and build", "first invocation", "both"], rows),
        (
            f"Medians of {part['rounds']} starts. The consumer with DynamoDB takes "
            f"{consumer['ratio']:.2f} times as "
            f"long as the peer (half of the rounds: {consumer['from']:.2f} to {consumer['to']:.2f}), the API "
            f"{api['ratio']:.2f} times as long as FastAPI ({api['from']:.2f} to {api['to']:.2f}). The "
            f"consumer's start "
            f"includes a request to its table; its first invocation is a batch of {part['first_batch']}."
        ),
        *(_tree(NAMES[name], tree) for name, tree in part["trees"].items()),
        machine(part),
    ]
    return {"start": "\n\n".join(text)}


def _tree(title: str, tree: Figures) -> str:
    parts = [*tree["largest"].items(), ("all others", tree["others"]), ("building", tree["building"])]
    rows = [[name, figure(ms), f"{ms / tree['total']:.0%}"] for name, ms in parts]
    return table([f"{title}: where the start goes, traced", "ms", "share"], rows)


def pictures(part: Figures) -> dict[str, str]:
    """Return the starts as bars of two parts."""
    bars = [
        Bar(
            title,
            [(part["ms"][name]["start"], 0 if name in OURS else 2), (part["ms"][name]["first"], 1)],
            f"{figure(sum(part['ms'][name].values()))} ms",
        )
        for name, title in NAMES.items()
    ]
    return {
        "start.svg": bar_chart(
            "Cold start: imports and building; in grey the first invocation", [Panel("", bars)]
        )
    }
