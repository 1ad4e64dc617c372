"""Requests to DynamoDB: several at once, each an answer or a problem."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from kinesis_handler.deadline import current_deadline
from kinesis_handler.retry import Backoff
from kinesis_handler.stores.dynamodb.answer import Problem
from kinesis_handler.stores.dynamodb.connection import CONNECTIONS, Connection
from kinesis_handler.stores.dynamodb.operations import Operation

T = TypeVar("T")
Answer = TypeVar("Answer")


class Requests:
    """Encodes requests, sends them, and decodes their answers."""

    def __init__(self, connection: Connection, make_backoff: Callable[[], Backoff] = Backoff) -> None:
        self.make_backoff = make_backoff
        self._connection = connection
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="dynamodb")

    def send(self, operation: Operation[Answer], parameters: Mapping[str, Any]) -> Answer | Problem:
        """Send one request, once."""
        content = self._connection.post(operation.name, msgspec.json.encode(parameters))
        return content if isinstance(content, Problem) else operation.decode(content)

    def send_with_retries(self, operation: Operation[Answer], parameters: Mapping[str, Any]) -> Answer:
        """Send a request that may well be sent twice, until there is an answer.

        Raises RepositoryError if it is refused, or there is no time left for another attempt.
        """
        backoff = self.make_backoff()
        while isinstance(answer := self.send(operation, parameters), Problem):
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
