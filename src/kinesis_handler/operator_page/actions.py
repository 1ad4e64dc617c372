"""Redrive and drop, as the commands do them, and in their words."""

import time
from collections.abc import Callable

from kinesis_handler.aggregate import Key
from kinesis_handler.application import Application
from kinesis_handler.local.redrive import Redrive, Verdict
from kinesis_handler.local.redrive.fetch import fetch_records, stream_readers
from kinesis_handler.local.redrive.notes import drop
from kinesis_handler.local.redrive.rounds import (
    Verdicts,
    dropped_sentence,
    left_of,
    redrive_all,
    results_sentence,
)
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.operator_page.jobs import Running, Work
from kinesis_handler.quarantine.contents import Contents, read_quarantines
from kinesis_handler.quarantine.entry import Entry, Position

INTERRUPTED = "it was interrupted: redrive again, and it continues"


def redriving(application: Application, chosen: Callable[[Entry], bool]) -> Work:
    """Return what sends the chosen records through the handler, as `redrive --through handler` does."""

    def work(running: Running) -> tuple[list[str], bool]:
        application.check(states=True)
        target = ThroughHandler(application.handler, application.quarantine)
        contents = read_quarantines(application.quarantines)
        reader_of = stream_readers(application.default_region)
        problems = [each for some in contents for each in fetch_records(some, reader_of)]

        def read() -> list[Contents]:
            return [] if running.is_to_stop else read_quarantines(application.quarantines)

        def send(sending: Redrive) -> Verdicts:
            verdicts: dict[Position, tuple[Entry, Verdict]] = {}
            for sent in sending.run(target):
                running.sent(len(sent))
                verdicts |= {entry.position: (entry, verdict) for entry, verdict in sent}
                if running.is_to_stop:
                    break
            return verdicts

        verdicts, _ = redrive_all(contents, read, chosen, send)
        left = left_of(verdicts.values())
        said = [results_sentence(list(verdicts.values()))]
        said += [f"{each.records:,} {each.error}: {each.reason}" for each in left]
        said += [f"not fetched: {problem}" for problem in problems]
        said += [INTERRUPTED] if running.is_to_stop else []
        return said, bool(left or problems or running.is_to_stop)

    return work


def dropping(application: Application, key: Key, by: str, because: str) -> Work:
    """Return what gives up the parked events of a key, as `quarantine drop` does."""

    def work(_running: Running) -> tuple[list[str], bool]:
        contents = read_quarantines(application.quarantines)
        why = f"by {by}: {because}"
        notes, records = drop(application.handler.repositories, contents, key, why, time.time())
        return [f"{' '.join(key)}: {dropped_sentence(key, notes, records)}"], False

    return work
