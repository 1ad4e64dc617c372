"""Memory: a table."""

from benchmarks.report.markdown import figure, machine, table
from benchmarks.results import Figures

NAMES = {
    "memory": "**in memory**, limits included",
    "dynamodb": "**with DynamoDB**",
    "powertools": "Powertools and pydantic, in memory",
}


def sections(part: Figures) -> dict[str, str]:
    """Return the table of the page."""
    rows = [
        [
            title,
            *(figure(peak[when]) for when in ("start", "invocation", "handled")),
            figure(peak["handled"] - peak["start"]),
        ]
        for name, title in NAMES.items()
        for peak in [part["peak_mb"][name]]
    ]
    text = [
        (
            f"10,000 records: {part['base64_mb']:.1f} MB of data in base64, {part['json_mb']:.1f} MB as "
            f"an invocation. "
            f"Peak memory of the process in MB, the highest of {part['runs']} runs:"
        ),
        table(["", "at the start", "with the invocation", "handled", "above the start"], rows),
        machine(part),
    ]
    return {"memory": "\n\n".join(text)}
