"""Does what an operator asks for, one after the other, and remembers what became of it."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

import structlog
from msgspec.structs import replace

from kinesis_handler.errors import KinesisHandlerError, UnexpectedError
from kinesis_handler.operator_page.documents import Job, shown

REMEMBERED = 20
"""How many jobs are remembered."""


class BusyError(Exception):
    """Another job is under way."""


class Running:
    """A job that is under way, as its work sees it."""

    def __init__(self, job: Job, stop: Event) -> None:
        self._job = job
        self._stop = stop

    def sent(self, records: int) -> None:
        """Count records that have been sent."""
        self._job.sent += records

    @property
    def is_to_stop(self) -> bool:
        """Whether to end as soon as nothing is half done."""
        return self._stop.is_set()


Work = Callable[[Running], tuple[Sequence[str], bool]]
"""Does it; returns what is said of it, and whether something is left."""


class Jobs:
    """Runs one job at a time, in a thread.

    Args:
        done: is called when one has ended.
        clock: seconds since epoch.
    """

    def __init__(self, done: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
        self._done = done
        self._clock = clock
        self._jobs: deque[Job] = deque(maxlen=REMEMBERED)
        self._thread: Thread | None = None
        self._stop = Event()
        self._lock = Lock()

    def latest(self) -> list[Job]:
        """Return the jobs that are remembered, the latest first."""
        with self._lock:
            return [replace(each) for each in reversed(self._jobs)]

    def begin(self, job_id: str, kind: str, by: str, work: Work) -> Job:
        """Begin a job; if there is one of this id, return that.

        Args:
            job_id: the caller's.
            kind: redrive or drop.
            by: who asks for it.
            work: does it.

        Raises BusyError while another one runs.
        """
        with self._lock:
            for known in self._jobs:
                if known.id == job_id:
                    return replace(known)
            if any(each.state == "running" for each in self._jobs) or self._stop.is_set():
                raise BusyError
            job = Job(id=job_id, kind=kind, by=by, at=int(self._clock() * 1_000))
            self._jobs.append(job)
            self._thread = Thread(target=self._run, args=(job, work), name=kind)
            self._thread.start()
            return replace(job)

    def close(self) -> None:
        """Let the job that runs end where nothing is half done, and begin none."""
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Wait until no job runs."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, job: Job, work: Work) -> None:
        log = structlog.get_logger(component="operator").bind(job=job.kind, by=job.by)
        log.info("an operator has begun a job")
        said: Sequence[str]
        try:
            said, left = work(Running(job, self._stop))
            state = "done"
        except KinesisHandlerError as error:
            said, left, state = [str(error)], True, "failed"
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator has to read it
            said, left, state = [str(UnexpectedError(error))], True, "failed"
        # What is said of it may name keys, which are values of payloads.
        log.info("the job has ended", state=state, sent=job.sent, needs_attention=left)
        self._done()
        with self._lock:
            job.said, job.needs_attention, job.state = [shown(each) for each in said], left, state
