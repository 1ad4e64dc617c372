"""Is what is kept what one clean pass over the records leads to, and is all that failed kept too?"""

from collections.abc import Sequence

from chaos.oracle import Oracle
from chaos.verdict import differing_limits
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores import ReadableRepository
from user_limits.limit import Limit


def check_limits(limits: ReadableRepository[Limit], records: Sequence[LambdaRecord]) -> None:
    """See that each limit is what the oracle expects, and that there is no other."""
    assert list(differing_limits({each.key: each for each in limits.scan()}, [Oracle(records)])) == []


def check_quarantines(quarantines: Sequence[ReadableQuarantine], records: Sequence[LambdaRecord]) -> None:
    """See that what was rejected or given up, of which there is some, is kept with its data, and no more."""
    oracle = Oracle(records)
    data_of = {each["kinesis"]["sequenceNumber"]: each["kinesis"]["data"] for each in records}
    waiting = waiting_in([read_contents(each) for each in quarantines]).values()
    entries = [each.entry for each in waiting]
    rejected = {(e.sequence_number, e.sub_sequence_number): e.data for e in entries if not _given_up(e.error)}
    assert rejected == oracle.rejected
    failed = {each.sequence_number: each.data for each in entries if _given_up(each.error)}
    assert failed == {number: data_of[number] for number in oracle.given_up}
    assert rejected
    assert failed


def _given_up(error: str) -> bool:
    return error == "RetryAttemptsExhausted"
