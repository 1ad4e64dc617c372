"""Search for inputs that break the handler, for FUZZ_SECONDS; with an input as base64, handle it once more.

python -m fuzz
python -m fuzz BASE64
"""

import argparse
import base64
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from fuzz.facts import check_in_every_wrapping
from fuzz.samples import seeds, words

ROOT = Path(__file__).parent.parent
SECONDS = "300"
LONGEST_INPUT = 16 * 1024
SECONDS_FOR_AN_INPUT = 10
INSTEAD = (
    "atheris is not installed; it is built for CPython 3.11 to 3.14 on Linux, x86-64. "
    "Hypothesis searches instead, without regard to coverage."
)
MEGABYTES = 1024
"""Memory limit of the whole process: the inputs that it remembers, and the handling of one."""


def main() -> int:
    """Search for inputs that break the handler, guided by coverage, for FUZZ_SECONDS."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=main.__doc__)
    parser.add_argument("again", nargs="?", metavar="BASE64", help="handle this input once more instead")
    given = parser.parse_args()
    if given.again is not None:
        return handle_once(base64.b64decode(given.again, validate=True))
    value = os.environ.get("FUZZ_SECONDS", SECONDS)
    if not value.isascii() or not value.isdigit() or int(value) == 0:
        sys.exit(f"FUZZ_SECONDS is {value!r}; allowed: a whole number of seconds, from 1 up")
    if importlib.util.find_spec("atheris") is not None:
        return guided_by_coverage(int(value))
    print(INSTEAD, flush=True)
    return with_hypothesis(int(value))


def guided_by_coverage(seconds: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus, found, dictionary = folder / "corpus", folder / "found", folder / "words.dict"
        corpus.mkdir()
        found.mkdir()
        for seed, content in seeds().items():
            (corpus / seed).write_bytes(content)
        dictionary.write_text("".join(f'"{escaped(word)}"\n' for word in words()))
        options = {
            "max_total_time": seconds,
            "max_len": LONGEST_INPUT,
            "timeout": SECONDS_FOR_AN_INPUT,
            "rss_limit_mb": MEGABYTES,
            "dict": dictionary,
            "artifact_prefix": f"{found}/",
            "print_final_stats": 1,
            "verbosity": 0,
        }
        arguments = [f"-{option}={value}" for option, value in options.items()]
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.target", *arguments, str(corpus)], cwd=ROOT, check=False
        )
        for each in sorted(found.iterdir()):
            show(each.name.partition("-")[0], each.read_bytes())
        if done.returncode == 0:
            print(f"Nothing was found in {seconds} seconds.")
        return done.returncode


def escaped(word: bytes) -> str:
    """Write a word for libFuzzer's dictionary."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def show(kind: str, data: bytes) -> None:
    """Print an input that was found, and how to reproduce its effect."""
    python = os.path.relpath(sys.executable)
    print(f"\nFound: {kind}, by {len(data)} bytes. To see it again:\n")
    print(f"{python} -m fuzz {base64.b64encode(data).decode()}\n")


def with_hypothesis(seconds: int) -> int:
    """Run the tests repeatedly, each time with new examples, until the time is over."""
    end = time.monotonic() + seconds
    pytest = [sys.executable, "-m", "pytest", "-p", "fuzz.profile", "--hypothesis-profile=fuzz", "-q"]
    while (left := end - time.monotonic()) > 0:
        try:
            done = subprocess.run(
                [*pytest, "-m", "hypothesis", "tests/test_fuzz.py"], cwd=ROOT, check=False, timeout=left
            )
        except subprocess.TimeoutExpired:
            break
        if done.returncode:
            return done.returncode
    print(f"Nothing was found in {seconds} seconds.")
    return 0


def handle_once(data: bytes) -> int:
    tracemalloc.start()
    begun = time.perf_counter()
    result = check_in_every_wrapping(data)
    taken, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    for each in result:
        print(f"{each.outcome.status:10} {each.outcome.error or ''}")
    print(f"All that must hold holds: {taken:.2f} s, {peak / 1024 / 1024:.0f} MB at the most.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
