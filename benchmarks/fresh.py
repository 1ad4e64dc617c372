"""What runs in a fresh process: the start of a Lambda function, and its first invocation. See start.py.

It imports next to nothing by itself: a start pays for what it needs.
"""

import json
import sys
from importlib import import_module
from time import perf_counter
from types import SimpleNamespace


def main(module: str, file: str, hidden: str) -> None:
    """Start the handler of a module, which does not see some packages, and let it handle an invocation.

    Prints the ms of its start and of the invocation; and its peak memory in MB behind each, and behind the
    reading of the invocation in between.
    """
    for name in json.loads(hidden):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # so it cannot be imported
    context = SimpleNamespace(
        aws_request_id="first",
        function_name="limits",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:limits",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    begun = perf_counter()
    handler = import_module(module).handler
    start, at_start = perf_counter() - begun, peak()
    with open(file, "rb") as invocation:  # noqa: PTH123 - pathlib is not imported
        event = json.loads(invocation.read())  # as Lambda's runtime does
    read, begun = peak(), perf_counter()
    answer = handler(event, context)
    first, handled = perf_counter() - begun, peak()
    if answer.get("batchItemFailures") or answer.get("statusCode", 200) != 200:  # noqa: PLR2004 - OK
        sys.exit(f"the invocation failed: {answer}")
    figures = {"start": start * 1_000, "first": first * 1_000}
    print(json.dumps({**figures, "start_mb": at_start, "invocation_mb": read, "handled_mb": handled}))


def peak() -> float:
    """Return the peak of this program alone: `getrusage` would begin with its parent's."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - as above
        return int(status.read().partition("VmHWM:")[2].split()[0]) / 1_024
