"""Send events at a given rate to any target, and report the progress."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rich.text import Text

from testkit.load.target import BATCH_SIZE, Target
from testkit.synthetic_users import SyntheticUsers

BETWEEN_BATCHES = 0.05
"""Seconds for which events are gathered before they are sent: producers do not put them one by one either."""

WINDOW = 5.0
"""Seconds over which the live rate is computed."""


class LoadRun:
    """Sends each event when it is due. If the target is slower, events are late, and none is left out.

    Args:
        users: the users whose events are sent.
        target: receives them.
        rate: events per second.
        clock: seconds since epoch.
        sleep: waits for some seconds.
        is_over: whether to end before the time is over.
    """

    def __init__(  # noqa: PLR0913 - what is sent, where to, and when
        self,
        users: SyntheticUsers,
        target: Target,
        rate: int,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.sent = 0
        self.seconds = 0.0
        self._users = users
        self._target = target
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._is_over = is_over
        self._seen: deque[tuple[float, int]] = deque()

    def run(self, seconds: float) -> None:
        """Send events until all of the time are sent, or it is stopped."""
        begun, total = self._clock(), round(self._rate * seconds)
        while self.sent < total and not self._is_over():
            due = min(total, int((self._clock() - begun) * self._rate), self.sent + BATCH_SIZE)
            if due > self.sent:
                times = (begun + number / self._rate for number in range(self.sent, due))
                self._target.take([self._users.event(int(each * 1_000)) for each in times])
                self.sent = due
            self.seconds = self._clock() - begun
            behind = self.seconds * self._rate - self.sent
            if behind < BETWEEN_BATCHES * self._rate:
                self._sleep(BETWEEN_BATCHES)

    def figures(self) -> dict[str, Any]:
        """Return the number of sent events, their rate, and how old they were when they had been applied."""
        ages = self._target.ages
        return {
            "sent": self.sent,
            "seconds": round(self.seconds, 3),
            "rate": round(self.sent / self.seconds, 1) if self.seconds else 0.0,
            "wanted_rate": self._rate,
            "age_ms": {"p50": ages.within(0.5), "p99": ages.within(0.99)},
            "failed": self._target.failed(),
            **self._target.figures(),
        }

    def line(self) -> Text:
        """Return the progress, in a line."""
        now, failed = time.monotonic(), self._target.failed()
        self._seen.append((now, self.sent))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:  # noqa: PLR2004 - both ends of the window
            self._seen.popleft()
        (begun, before), (at, after) = self._seen[0], self._seen[-1]
        rate = (after - before) / (at - begun) if at > begun else 0.0
        progress = (
            f"{self.sent:,} sent · {rate:,.0f} a second of {self._rate:,} · {ages_text(self._target)} · "
        )
        return Text.assemble(progress, (f"{failed:,} failed", "bold red" if failed else "dim"))


def ages_text(target: Target) -> str:
    """Return the ages of events as text, as far as they are known."""
    p50, p99 = target.ages.within(0.5), target.ages.within(0.99)
    return "no age yet" if p50 is None or p99 is None else f"age p50 {p50:,.0f} ms, p99 {p99:,.0f} ms"
