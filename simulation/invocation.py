"""Invokes handlers as Lambda does, with what may go wrong in an invocation."""

from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import BatchResult
from kinesis_handler.testing import FakeClock
from simulation.delivery import TIMEOUT
from simulation.faults import Fault, Plan
from simulation.tally import Tally

LITTLE_TIME = 1.0, 1.2
"""Seconds of a short invocation; the handler has one of them in reserve."""


class KilledError(BaseException):
    """Lambda ends the process. No handler can catch that."""


class Invocations:
    """The invocations of a world.

    Args:
        plan: says what goes wrong.
        clock: of the world.
        tally: counts what handlers answer.
    """

    def __init__(self, plan: Plan, clock: FakeClock, tally: Tally) -> None:
        self._plan = plan
        self._clock = clock
        self._tally = tally
        self.handled = 0
        """How many batches handlers have been given."""

    def invoke(
        self, handler: KinesisHandler, records: list[LambdaRecord], context: LambdaContext
    ) -> BatchResponse:
        """Invoke a handler. Raises TimeoutError where its answer does not reach Lambda."""
        fault = self._plan.at("invoke")
        if fault is Fault.NOT_INVOKED:
            raise TimeoutError("injected: the handler was not called")
        if fault is Fault.LITTLE_TIME:
            context = self._context(self._plan.random().uniform(*LITTLE_TIME))
        try:
            result = self._handle(handler, records, context)
        except KilledError:
            raise TimeoutError("injected: the invocation was killed") from None
        if fault is Fault.ANSWER_LOST:
            raise TimeoutError("injected: the answer is lost")
        return result.response()

    def invoke_once(self, handler: KinesisHandler, records: list[LambdaRecord]) -> None:
        """Give records to a handler, whatever it answers: those who have them will deliver them again."""
        self._handle(handler, records, self._context(TIMEOUT))

    def _handle(
        self, handler: KinesisHandler, records: list[LambdaRecord], context: LambdaContext
    ) -> BatchResult:
        self.handled += 1
        result = handler.handle({"Records": records}, context)
        self._tally.add(records, result)
        return result

    def _context(self, seconds: float) -> LocalContext:
        return LocalContext(self._clock, self._clock() + seconds)
