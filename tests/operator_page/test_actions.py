"""Redrive and drop by the page: what the commands do, in their words."""

from pathlib import Path
from threading import Event

import pytest

from kinesis_handler import KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.json_api import JsonApi
from kinesis_handler.operator_page.actions import INTERRUPTED, redriving
from kinesis_handler.operator_page.documents import Job
from kinesis_handler.operator_page.jobs import BusyError, Jobs, Running
from kinesis_handler.operator_page.server import OperatorPage
from kinesis_handler.quarantine.contents import read_contents
from operated import Operated
from operator_page.asking import ask, finished, state


@pytest.fixture
def operated(tmp_path: Path) -> Operated:
    """An application in which two keys are parked, and three records were rejected for two reasons."""
    made = Operated(tmp_path)
    made.broken |= {"anna", "ben"}
    made.reasons |= {-1: "below zero", -2: "far below zero"}
    made.move("anna", 1, 2)
    made.move("ben", 3)
    made.move("carl", -1, -1, -2)
    made.broken.clear()
    return made


def test_a_redrive_of_a_key_releases_it_and_no_other(operated: Operated) -> None:
    page = operated.page()
    job = finished(page, "redrive", {"id": "1", "key": ["bank", "anna"]})
    assert (job["state"], job["said"], job["needsAttention"]) == ("done", ["2 records: 2 applied"], False)
    assert job["by"] == "ops"
    assert operated.movements("anna") == (1, 2)
    assert [each["key"] for each in state(page)["parked"]] == [["bank", "ben"]]


def test_a_redrive_of_a_reason_sends_its_records_alone(operated: Operated) -> None:
    operated.reasons.pop(-1)
    page = operated.page()
    group = next(each["group"] for each in state(page)["waiting"] if each["reason"] == "below zero")
    job = finished(page, "redrive", {"id": "1", "group": group})
    assert job["said"] == ["2 records: 2 applied"]
    assert operated.movements("carl") == (-1, -1)
    assert [each["reason"] for each in state(page)["waiting"]] == ["far below zero"]


def test_a_redrive_of_all_says_what_is_left_and_why(operated: Operated) -> None:
    operated.reasons.pop(-2)
    operated.broken.add("ben")
    job = finished(operated.page(), "redrive", {"id": "1"})
    assert job["said"] == [
        "6 records: 1 failed again, 2 rejected again, 3 applied",
        "2 rejected again: below zero",
        "1 failed again: the ledger of ben is closed",
    ]
    assert (job["state"], job["needsAttention"], job["sent"]) == ("done", True, 6)


def test_a_drop_gives_the_events_of_a_key_up_with_who_and_why(operated: Operated) -> None:
    page = operated.page()
    job = finished(page, "drop", {"id": "1", "key": ["bank", "anna"], "because": " a test account "})
    assert job["said"] == ["bank anna: 2 events dropped, the key goes on"]
    assert operated.movements("anna") == ()
    outcomes = {mark.outcome for marks in read_contents(operated.quarantine).marks.values() for mark in marks}
    assert outcomes == {"dropped by ops: a test account"}
    operated.move("anna", 5)
    assert operated.movements("anna") == (5,)


def test_a_drop_of_a_key_that_is_not_parked_says_that_nothing_waits(operated: Operated) -> None:
    job = finished(operated.page(), "drop", {"id": "1", "key": ["bank", "carl"], "because": "x"})
    assert job["said"] == ["bank carl: nothing waits for bank carl"]


def test_the_same_id_begins_nothing_again(operated: Operated) -> None:
    page = operated.page()
    drop = {"id": "1", "key": ["bank", "anna"], "because": "x"}
    first = finished(page, "drop", drop)
    operated.broken.add("anna")
    operated.move("anna", 7)
    again = ask(page, "/operator/api/drop", drop)
    assert (again.status, again.json) == (202, first)
    shown = state(operated.page())["parked"]
    assert [each["key"][1] for each in shown] == ["anna", "ben"], "what came since waits on"


@pytest.mark.parametrize(
    ("kind", "document", "said"),
    [
        ("redrive", {}, "missing required field `id`"),
        ("redrive", {"id": "1", "all": True}, "unknown field `all`"),
        ("redrive", {"id": "1", "key": ["bank"]}, "Expected `array` of length 2"),
        ("drop", {"id": "1", "key": ["bank", "anna"]}, "missing required field `because`"),
        ("drop", {"id": "1", "key": ["bank", "anna"], "because": "  "}, "$.because"),
        ("drop", {"id": "1", "key": ["bank", "anna"], "because": "x" * 501}, "$.because"),
        ("drop", {"id": "", "key": ["bank", "anna"], "because": "x"}, "$.id"),
    ],
)
def test_a_request_that_says_something_else_begins_nothing(
    operated: Operated, kind: str, document: object, said: str
) -> None:
    page = operated.page()
    answer = ask(page, f"/operator/api/{kind}", document)
    assert answer.status == 400
    assert said in answer.json["detail"]
    assert operated.waiting() == 6
    assert state(page)["jobs"] == []


def test_what_fails_says_why_and_something_unforeseen_is_no_exception() -> None:
    jobs = Jobs(lambda: None)

    def fail(_: Running) -> tuple[list[str], bool]:
        raise ZeroDivisionError("a bug of ours")

    jobs.begin("1", "redrive", "ops", fail)
    jobs.close()
    [job] = jobs.latest()
    assert (job.state, job.needs_attention) == ("failed", True)
    assert "ZeroDivisionError" in job.said[0]


def test_one_job_runs_at_a_time_and_at_the_end_it_is_let_end() -> None:
    jobs, begun = Jobs(lambda: None), Event()

    def wait(running: Running) -> tuple[list[str], bool]:
        begun.set()
        while not running.is_to_stop:
            pass
        return ["ended"], False

    jobs.begin("1", "redrive", "ops", wait)
    begun.wait()
    with pytest.raises(BusyError):
        jobs.begin("2", "redrive", "ops", wait)
    jobs.close()
    assert [(job.id, job.state, job.said) for job in jobs.latest()] == [("1", "done", ["ended"])]
    with pytest.raises(BusyError):
        jobs.begin("3", "redrive", "ops", wait)


def test_while_another_job_runs_a_request_is_refused(operated: Operated) -> None:
    page, begun = operated.page(), Event()

    def wait(running: Running) -> tuple[list[str], bool]:
        begun.set()
        while not running.is_to_stop:
            pass
        return [], False

    page._routes.jobs.begin("0", "redrive", "ops", wait)
    begun.wait()
    answer = ask(page, "/operator/api/redrive", {"id": "1"})
    assert answer.status == 409
    assert answer.json["detail"] == "something else is under way: wait until it has ended"
    page.close()


def test_an_interrupted_redrive_says_so_and_goes_on_the_next_time(operated: Operated) -> None:
    stop = Event()
    stop.set()
    job = Job(id="1", kind="redrive", by="ops", at=0)
    said, left = redriving(operated.application, lambda _: True)(Running(job, stop))
    assert (said[-1], left) == (INTERRUPTED, True)
    assert operated.movements("anna") == (1, 2), "what it had begun it ended"
    assert operated.movements("ben") == ()
    done = finished(operated.page(), "redrive", {"id": "2"})
    assert done["said"][0] == "4 records: 3 rejected again, 1 applied"


def test_without_a_quarantine_it_says_that_there_is_none() -> None:
    application = Application(KinesisHandler())
    page = OperatorPage(application, JsonApi([]))
    assert state(page)["problems"] == {"quarantine": "there is no quarantine: the settings name none"}
    job = finished(page, "redrive", {"id": "1"})
    assert (job["state"], job["said"]) == ("failed", ["there is no quarantine: the settings name none"])
