"""The README's part about benchmarks: the main tables, and links to the others."""

from benchmarks.report import dynamodb, hot_path
from benchmarks.report.markdown import figure, machine, times
from benchmarks.results import Figures

NEEDS = {"hot_path", "dynamodb", "start", "memory", "api", "growth", "load"}


def sections(results: dict[str, Figures]) -> dict[str, str]:
    """Return the README's part."""
    hot, stored, starts = results["hot_path"], results["dynamodb"], results["start"]
    five, plain = stored["per_1000"][dynamodb.SHOWN], stored["per_1000"]["get_and_put"]
    one = stored["per_1000"]["known 1"]
    peak = results["memory"]["peak_mb"]["dynamodb"]
    asked = list(results["api"]["asked"].values())
    soak = results["load"]["soak"]
    text = [
        (
            f"{hot['events']:,} records of {hot['limits']:,} limits in one batch, through the whole "
            f"handler, in memory, "
            "on one core:"
        ),
        hot_path.contenders(hot),
        "![Events a second, beside peers](docs/pictures/hot-path.svg)",
        "Into DynamoDB (Local, on the same machine), five events for each limit of a batch, all known:",
        dynamodb.contenders(stored),
        (
            f"That is {times(plain['requests'] / five['requests'])} times fewer requests and "
            f"{times(five['get_and_put_cpu'])} times less client CPU than get and put; with one event for "
            f"each limit, "
            f"{times(plain['requests'] / one['requests'])} and {times(one['get_and_put_cpu'])} times."
        ),
        (
            f"A cold start with DynamoDB and the first batch take "
            f"{figure(sum(starts['ms']['dynamodb'].values()))} ms, "
            f"{starts['consumer_of_powertools']['ratio']:.2f} times as long as with Powertools and boto3. A "
            f"batch of 6 MB needs {figure(peak['handled'])} MB of memory in total. The API answers "
            f"{figure(asked[0]['ours']['rate'])} requests for a limit a second, "
            f"{times(asked[0]['times_rate']['ratio'])} times as many as FastAPI. Over {soak['sent']:,} "
            f"events at {figure(soak['rate'])} a second, the 99th percentile of their age is "
            f"{figure(soak['age_ms']['p99'])} ms."
        ),
        machine(hot),
    ]
    return {"readme": "\n\n".join(text)}
