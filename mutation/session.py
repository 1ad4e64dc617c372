"""One session of pytest for all mutants: a forked process each calls the tests of its function."""

import gc
import os
import signal
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import accumulate

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.format_utils import get_module_from_key

from mutation.mutants import Mutant, Verdict

TESTS_SECONDS = 1.0
"""CPU time of those tests of its function that a mutant gets: a survivor costs no more."""

CPU_SECONDS, TIMES = 1.0, 4.0
"""A mutant that takes so many times the CPU time of its tests, and these seconds more, never ends."""

WALL_SECONDS = 60
"""One that waits for so long is, too."""

NOTHING_CHANGED = 500
"""So many of the fastest tests have to pass in a forked process in which nothing is changed."""

UNKNOWN = 255
"""Exit code of a process in which no test failed by itself, or a late one."""

EVERY = 100
"""After so many mutants there is a line."""


class Mutants:
    """A plugin of pytest, in whose session the tests are called for each mutant.

    Args:
        mutants: what to try.
        processes: how many at a time.
        own_tests: the files of tests that come first, by the names of modules.
    """

    def __init__(
        self, mutants: Sequence[Mutant], processes: int, own_tests: Mapping[str, Sequence[str]]
    ) -> None:
        self._mutants = mutants
        self._own_tests = own_tests
        self._processes = processes
        self._has_failed = False
        self._tests_of: dict[str, list[pytest.Item]] = {}
        self._seconds: dict[pytest.Item, float] = {}
        self._running: dict[int, tuple[Mutant, Sequence[pytest.Item]]] = {}
        self.tests_seconds = 0.0
        """CPU time of all tests, called once."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note whether a test fails."""
        self._has_failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Find which tests call which function, then try each mutant with those of its function."""
        if session.testsfailed:
            raise session.Interrupted("a file of tests cannot be imported")
        self._measure(session.items)
        if self._has_failed:
            raise session.Failed("a test fails, and nothing is changed")
        gc.collect()
        gc.freeze()
        self._try_without_change(session)
        for count, mutant in enumerate(self._mutants):
            if count % EVERY == 0:
                os.write(2, f"{count} of {len(self._mutants)} mutants\n".encode())  # pytest has the other way
            tests = self._fastest(self._tests_of.get(mutant.traced, []))
            if tests:
                self._begin(mutant, tests)
            else:
                mutant.verdict = Verdict.NOT_CALLED
        while self._running:
            self._settle()
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> None:
        """Call all tests; note which functions each calls, and how long it takes."""
        set_mutant_under_test("stats")
        called, tests_of = state()._stats, defaultdict(list)  # noqa: SLF001 - it has no other name
        for item, following in _with_next(items):
            called.clear()
            start = time.process_time()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            self._seconds[item] = time.process_time() - start
            for function in called:
                tests_of[function].append(item)
        set_mutant_under_test("")
        self.tests_seconds = sum(self._seconds.values())
        for function, tests in tests_of.items():
            own = self._own_tests.get(get_module_from_key(function), [])
            tests.sort(key=self._seconds.__getitem__)
            tests.sort(key=partial(_is_of_others, own))
        self._tests_of = tests_of

    def _try_without_change(self, session: pytest.Session) -> None:
        """See that it is the mutants that make tests fail, and not that a process was forked."""
        nothing = Mutant("", "")
        self._begin(nothing, sorted(self._seconds, key=self._seconds.__getitem__)[:NOTHING_CHANGED])
        self._settle()
        if nothing.verdict is not Verdict.SURVIVED:
            raise session.Failed("a test fails in a forked process, and nothing is changed")

    def _fastest(self, tests: Sequence[pytest.Item]) -> Sequence[pytest.Item]:
        """Return the first tests that together take no longer than they may, and one at least."""
        sums = list(accumulate(map(self._seconds.__getitem__, tests)))
        return tests[: max(1, bisect_right(sums, TESTS_SECONDS))]

    def _begin(self, mutant: Mutant, tests: Sequence[pytest.Item]) -> None:
        """Begin with a mutant, as soon as there is room for its process."""
        if len(self._running) == self._processes:
            self._settle()
        process = os.fork()
        if process:
            self._running[process] = mutant, tests
            return
        code = UNKNOWN
        with suppress(BaseException):  # such as an exit of pytest: the mutant is noticed
            code = self._call(mutant, tests)
        os._exit(code)

    def _call(self, mutant: Mutant, tests: Sequence[pytest.Item]) -> int:
        """Call the tests in this process; return which one fails, from 1 on, or 0."""
        signal.alarm(WALL_SECONDS)
        expected = sum(map(self._seconds.__getitem__, tests))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS + TIMES * expected)
        tests[0].config.pluginmanager.unregister(name="terminalreporter")  # it would print what fails
        set_mutant_under_test(mutant.name)
        for number, (item, following) in enumerate(_with_next(tests), 1):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._has_failed:
                return min(number, UNKNOWN)
        return 0

    def _settle(self) -> None:
        """Wait for one of the processes, and note how it ended."""
        process, status = os.wait()
        mutant, tests = self._running.pop(process)
        code = os.waitstatus_to_exitcode(status)
        if code in (-signal.SIGALRM, -signal.SIGPROF):
            mutant.verdict = Verdict.ENDLESS
        else:
            mutant.verdict = Verdict.SURVIVED if code == 0 else Verdict.KILLED
        if 0 < code < UNKNOWN and mutant.name:  # the test may notice the next one, too
            known = self._tests_of[mutant.traced]
            known.remove(tests[code - 1])
            known.insert(0, tests[code - 1])


def _is_of_others(own: Sequence[str], item: pytest.Item) -> bool:
    return item.nodeid.partition("::")[0] not in own


def _with_next(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)
