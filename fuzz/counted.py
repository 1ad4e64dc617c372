"""Gives each target its share of random inputs, and prints how many, how fast, and how much memory.

python -m fuzz.counted --inputs 10000000
python -m fuzz.counted --target records --inputs 100000 --seed 7
python -m fuzz.counted --target records --again BASE64

Each target runs in a process of its own, within limits of memory and of CPU time. An input whose effect is
new becomes the start of others, as in a search that is guided by coverage, at a fraction of its cost.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from fuzz.facts import Nowhere
from fuzz.known import Corpus, read, write
from fuzz.mutation import Mutator
from fuzz.targets import Target, targets
from kinesis_handler import configure_logging

ROOT = Path(__file__).parent.parent
MEMORY = 1024 * 1024 * 1024
"""Bytes of address space that a target's process may have in addition to what it has at its start."""

CPU_SECONDS = 20
"""CPU time for the inputs of one call."""


class TooSlowError(Exception):
    """A target took too long."""


class Figures:
    """What a run of one target has come to."""

    def __init__(self) -> None:
        self.inputs = 0
        self.effects = 0
        self.found = ""
        self._began = time.perf_counter(), time.process_time(), peak_megabytes()

    def __iter__(self) -> Any:
        wall, cpu, before = self._began
        yield "inputs", self.inputs
        yield "effects", self.effects
        yield "seconds", round(time.perf_counter() - wall, 1)
        yield "cpu", round(time.process_time() - cpu, 1)
        yield "megabytes", round(peak_megabytes())
        yield "more", round(peak_megabytes() - before)
        yield "found", self.found


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def search(name: str, target: Target, inputs: int, random: Random, *, keep: bool = False) -> Figures:
    """Give a target inputs until a fact does not hold, or there are enough; store those to keep."""
    corpus = Corpus(target.seeds, read(name))
    mutator = Mutator(random, target.words)
    figures = Figures()
    while figures.inputs < inputs:
        if figures.inputs == 0:
            batch = list(corpus.inputs)
        else:
            batch = [mutator.make(corpus.inputs) for _ in range(min(target.at_once, inputs - figures.inputs))]
        if target.fresh is not None:
            batch = [target.fresh(each, number) for number, each in enumerate(batch, figures.inputs)]
        try:
            effects = check_in_time(target, batch)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            figures.found = found(name, target, batch, error)
            break
        finally:
            figures.inputs += len(batch)
        for data, effect in zip(batch, effects, strict=True):
            corpus.add(data, effect)
    figures.effects = len(corpus)
    if keep:
        write(name, corpus.found())
    return figures


def check_in_time(target: Target, inputs: Sequence[bytes]) -> Sequence[str]:
    """Check inputs, within a limit of CPU time: a machine that is busy makes nothing slow."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        return target.check(inputs)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def found(name: str, target: Target, batch: Sequence[bytes], error: BaseException) -> str:
    """Return what was found, and how to see it again: by as few and as short inputs as still fail."""
    inputs = fewer(target, batch)
    if len(inputs) == 1:
        inputs = [shorter(target, inputs[0])]
    again = " ".join(b64encode(each).decode() for each in inputs)
    return (
        f"{type(error).__name__}: {error}\n  by {len(inputs)} of {len(batch)} inputs. To see it again:\n"
        f"  {os.path.relpath(sys.executable)} -m fuzz.counted --target {name!r} --again {again}"
    )


def fails(target: Target, inputs: Sequence[bytes]) -> bool:
    try:
        check_in_time(target, inputs)
    except Exception:  # noqa: BLE001 - that is what is asked
        return True
    return False


def fewer(target: Target, inputs: Sequence[bytes]) -> Sequence[bytes]:
    """Return the input that fails by itself; if none does, all that are needed together."""
    for each in inputs:
        if fails(target, [each]):
            return [each]
    left = list(inputs)
    for each in inputs:
        without = [other for other in left if other is not each]
        if fails(target, without):
            left = without
    return left


def shorter(target: Target, data: bytes) -> bytes:
    """Return a part of an input that fails too."""
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data):
            without = data[:at] + data[at + size :]
            if fails(target, [without]):
                data = without
            else:
                at += size
        size //= 2
    return data


def run_target(options: argparse.Namespace) -> int:
    """Search one target in this process, and print its figures as JSON for the starter."""
    target = targets()[options.target]
    signal.signal(signal.SIGPROF, _too_slow)
    if options.again:
        effects = target.check([b64decode(each, validate=True) for each in options.again])
        print(*effects, sep="\n")
        return 0
    limit = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    figures = search(
        options.target, target, options.inputs, Random(f"{options.seed} {options.target}"), keep=options.keep
    )
    print(json.dumps(dict(figures)))
    return 1 if figures.found else 0


def _too_slow(*_: object) -> None:
    raise TooSlowError(f"it took more than {CPU_SECONDS} s of CPU time")


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def run_all(inputs: int, seed: int) -> int:
    """Search each target in a process of its own, and print a table."""
    print(f"seed {seed}: {inputs:,} inputs\n")
    print(f"{'target':34} {'inputs':>11} {'effects':>8} {'seconds':>8} {'µs CPU':>7} {'MB':>5}", flush=True)
    shares = {name: target.share for name, target in targets().items()}
    whole, total, failures, most = sum(shares.values()), 0, [], 0
    began = time.perf_counter()
    for name, share in shares.items():
        count = -(-inputs * share // whole)
        command = [
            sys.executable,
            "-m",
            "fuzz.counted",
            "--target",
            name,
            "--inputs",
            str(count),
            "--seed",
            str(seed),
        ]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        try:
            figures = json.loads(done.stdout)
        except ValueError:
            figures = {"inputs": 0, "found": f"the process ended with {done.returncode}\n{done.stdout}"}
        if figures["inputs"]:
            total, most = total + figures["inputs"], max(most, figures["megabytes"])
            each = figures["cpu"] / figures["inputs"] * 1e6
            print(
                f"{name:34} {figures['inputs']:11,} {figures['effects']:8,} "
                f"{figures['seconds']:8,.0f} {each:7.0f} {figures['megabytes']:5}",
                flush=True,
            )
        if figures["found"]:
            failures.append(name)
            print(f"\nFound in {name}: {figures['found']}\n", flush=True)
    print(f"\n{total:,} inputs in {time.perf_counter() - began:,.0f} s, at most {most} MB: ", end="")
    print(f"found in {', '.join(failures)}." if failures else "nothing was found.")
    return 1 if failures else 0


def main() -> int:
    """Give each target its share of random inputs, and print how many, how fast, and how much memory."""
    warnings.simplefilter("ignore")
    configure_logging("fuzz", "debug", Nowhere())  # each line is written: that may raise, too
    parser = argparse.ArgumentParser(prog="python -m fuzz.counted", description=main.__doc__)
    parser.add_argument(
        "--inputs",
        type=int,
        default=100_000,
        help="how many inputs, over all targets or for the one; default: %(default)s",
    )
    parser.add_argument("--seed", type=int, help="decides the inputs; by default a new one")
    parser.add_argument(
        "--target",
        choices=targets(),
        metavar="TARGET",
        help=f"search this one only, in this process: {'; '.join(targets())}",
    )
    parser.add_argument("--keep", action="store_true", help="store the shortest inputs in fuzz/corpus")
    parser.add_argument("--again", nargs="+", metavar="BASE64", help="give the target these inputs once more")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = SystemRandom().randrange(10**6)
    return run_target(options) if options.target else run_all(options.inputs, options.seed)


if __name__ == "__main__":
    sys.exit(main())
