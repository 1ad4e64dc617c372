"""Requests to DynamoDB: several at once, each an answer or a problem."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from kinesis_handler.deadline import current_deadline
from kinesis_handler.retry import Backoff
from kinesis_handler.stores.dynamodb.answer import Problem, problem_of_answer, problem_of_request

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")
Answer = TypeVar("Answer")

CONNECTIONS = 8
"""Requests at once. A slice of 1,000 keys has 10 to load and 40 to save."""


class Requests:
    """Sends requests, and turns the SDK's exceptions into problems."""

    def __init__(self, client: "DynamoDBClient", make_backoff: Callable[[], Backoff] = Backoff) -> None:
        self.make_backoff = make_backoff
        self._client = client
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="dynamodb")

    def send(self, operation: str, **parameters: Any) -> dict[str, Any] | Problem:
        """Send one request, once."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**parameters)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            return problem_of_request(error)
        return problem_of_answer(operation, answer) or answer

    def send_with_retries(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Send a request that may well be sent twice, until there is an answer.

        Raises RepositoryError if it is refused, or there is no time left for another attempt.
        """
        backoff = self.make_backoff()
        while isinstance(answer := self.send(operation, **parameters), Problem):
            if not answer.may_pass or not backoff.wait():
                raise answer.of_reading()
        return answer

    def in_chunks(
        self, size: int, things: Sequence[T], send: Callable[[Sequence[T]], Answer]
    ) -> Iterable[tuple[Sequence[T], Answer | None]]:
        """Let `send` have the things in chunks, several at once; return each chunk with its answer.

        The answer is None if there was no time left to send it. Where there is none from the start, all are
        sent: it is a first attempt, without which a batch would make no progress.
        """
        deadline = current_deadline().for_a_first_attempt()

        def send_in_time(chunk: Sequence[T]) -> Answer | None:
            return None if deadline.has_passed() else send(chunk)

        chunks = [things[start : start + size] for start in range(0, len(things), size)]
        if len(chunks) == 1:  # it needs no other thread
            return [(chunks[0], send(chunks[0]))]
        return zip(chunks, self._pool.map(send_in_time, chunks), strict=True)
