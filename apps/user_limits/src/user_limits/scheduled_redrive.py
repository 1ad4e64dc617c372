"""Redrives on a schedule what may have healed by itself: parked events, and those that were given up."""

import structlog

from kinesis_handler.application import Application
from kinesis_handler.lambda_types import LambdaContext
from kinesis_handler.local.redrive import Redrive, Result
from kinesis_handler.local.redrive.through_handler import TIMEOUT, ThroughHandler
from kinesis_handler.quarantine.contents import read_contents
from kinesis_handler.quarantine.entry import Entry
from kinesis_handler.telemetry.metrics import EmbeddedMetrics

RESERVE_MS = int(TIMEOUT + 30) * 1_000
"""Milliseconds before the end of an invocation at which nothing more is begun: one key may take TIMEOUT."""

RELEASED, WAITING = "released", "waiting"
"""Names of the figures: records that got through, and records that still wait."""

_FOR_A_PERSON = {Result.REJECTED, Result.TOO_LATE}
"""Results that no later run will change."""


class ScheduledRedrive:
    """A function for Lambda that sends through the handler what waits in the quarantine and may get through.

    Rejected records are left to a person, who corrects what is wrong with them and then redrives. So are
    those that come too late: they are sent, and not counted as waiting.

    Args:
        application: with a quarantine.
        metrics: where the figures go; None to leave them to the log.
    """

    def __init__(self, application: Application, metrics: EmbeddedMetrics | None = None) -> None:
        self._application = application
        self._metrics = metrics
        self._log = structlog.get_logger(component="redrive")

    def __call__(self, _event: object, context: LambdaContext) -> dict[str, int]:
        """Redrive for as long as there is time, and return the figures. The next run continues.

        Raises QuarantineError if the quarantine cannot be read, or a mark cannot be stored.
        """
        application = self._application
        contents = [read_contents(each) for each in application.quarantines]
        for name, reason in [item for each in contents for item in each.unreadable.items()]:
            self._log.warning("object not readable", name=name, reason=reason)
        redrive = Redrive(contents, may_get_through)
        figures = {RELEASED: 0, WAITING: 0}
        for sent in redrive.run(ThroughHandler(application.handler, application.quarantine)):
            figures[RELEASED] += sum(verdict.done for _, verdict in sent)
            figures[WAITING] += sum(
                not verdict.done and verdict.result not in _FOR_A_PERSON for _, verdict in sent
            )
            if context.get_remaining_time_in_millis() < RESERVE_MS:
                self._log.warning("redrive stopped", detail="its time is over: the next run continues")
                break
        self._log.info("redriven", **figures)
        if self._metrics is not None:
            self._metrics.counts(figures)
        return figures


def may_get_through(entry: Entry) -> bool:
    """Return whether an entry may be applied without anybody's help: it was parked, or given up whole."""
    return entry.is_only_parked or entry.sub_sequence_number is None
