"""What one batch costs in memory: the largest that Lambda delivers, in fresh processes.

10,000 records whose data come to 6 MB, which is what Lambda lets a batch have of it. What Kinesis and Lambda
say about each record makes the invocation twice that as JSON.

How to read it: the peak of what the system says that the process holds, three times. At the start all is
imported and built, and the table made; then Lambda's runtime has read the invocation, of which the text is
gone again; then the handler is done, and in memory keeps the limits. What it needs is first taken out of what
the text has left: the last column says what function memory a batch takes in all.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from local_aws import dynamodb_local, use_local_settings

RECORDS = 10_000
RUNS = 3
MB = 1_024 * 1_024


def main() -> None:
    use_local_settings()
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as endpoint:
        file = str(Path(folder, "invocation.json"))
        [data] = run(file)
        peaks = {
            "in memory": worst(file, ""),
            "DynamoDB": worst(file, endpoint),
        }
        size = Path(file).stat().st_size
    print(f"One batch of {RECORDS:,} records, {data / MB:.1f} MB of data, {size / MB:.1f} MB as JSON")
    print(f"Most MB that the process holds; worst of {RUNS} runs")
    print()
    print(f"{'':12}{'start':>8}{'invocation':>12}{'handled':>9}{'above start':>13}{'x data':>8}")
    for name, (started, loaded, handled) in peaks.items():
        above = handled - started
        print(
            f"{name:12}{started / MB:8.0f}{loaded / MB:12.0f}{handled / MB:9.0f}"
            f"{above / MB:13.0f}{above / data:8.1f}"
        )
    print()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")


def worst(*arguments: str) -> list[int]:
    return max((run(*arguments) for _ in range(RUNS)), key=lambda peaks: peaks[-1])


def run(*arguments: str) -> list[int]:
    """Run memory_run.py and return the numbers that it prints."""
    # This process must stay small: what a child has held begins with what its parent holds.
    command = [sys.executable, str(Path(__file__).with_name("memory_run.py")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        sys.exit(f"memory_run.py failed:\n{done.stderr}")
    return [int(number) for number in done.stdout.split()]


if __name__ == "__main__":
    main()
