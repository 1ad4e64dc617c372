"""The routes of the page's API: what there is to be seen, redrive, and drop."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta, Struct

from kinesis_handler.application import Application
from kinesis_handler.deadline import current_deadline, within
from kinesis_handler.http_answer import Answer, as_json
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.operator_page.actions import dropping, redriving
from kinesis_handler.operator_page.documents import is_in_group
from kinesis_handler.operator_page.guard import RefusedError
from kinesis_handler.operator_page.jobs import BusyError, Jobs, Work
from kinesis_handler.operator_page.state import Watched
from kinesis_handler.quarantine.entry import Entry

PATIENCE = 10.0
"""Seconds within which the stores have to answer."""

METHODS = {"state": "GET", "records": "GET", "redrive": "POST", "drop": "POST"}
"""The method of each route."""

Id = Annotated[str, Meta(min_length=1, max_length=64)]
KeyPart = Annotated[str, Meta(min_length=1, max_length=2_048)]


class RedriveRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send again: the records with one reason, those of a parked key, or all if neither is said."""

    id: Id
    group: str | None = None
    key: tuple[KeyPart, KeyPart] | None = None

    def chosen(self) -> Callable[[Entry], bool]:
        """Return what tells whether a record is to be sent."""
        key, group = self.key, self.group
        if key is not None:
            return lambda entry: key in entry.parked_keys
        return lambda entry: group is None or is_in_group(entry, group)


class DropRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parked key whose events are to be given up, and why."""

    id: Id
    key: tuple[KeyPart, KeyPart]
    because: Annotated[str, Meta(max_length=500, pattern=r"\S")]


class Routes:
    """Answers requests of operators.

    Args:
        application: is watched, and operated.
        minutes: the outcomes of this process; None if it processes nothing.
        clock: seconds since epoch.
        shows_operator: whether to say who is signed in.
    """

    def __init__(
        self,
        application: Application,
        minutes: Minutes | None,
        clock: Callable[[], float],
        *,
        shows_operator: bool,
    ) -> None:
        self._application = application
        self._shows_operator = shows_operator
        self._watched = Watched(application, minutes, clock)
        self.jobs = Jobs(self._watched.forget, clock)
        """What was done here."""

    def read(self, name: str, query_string: str, operator: str) -> Answer:
        """Answer `state`, or `records` of a group or a key. It asks the stores, and so it blocks."""
        query = {name: values[0] for name, values in parse_qs(query_string).items()}
        with within(current_deadline().or_sooner(PATIENCE, time.monotonic)):
            if name == "state":
                who = operator if self._shows_operator else ""
                return as_json(self._watched.state(who, self.jobs.latest()))
            if "group" in query:
                return as_json(self._watched.records(query["group"]))
            if {"partition", "sort"} <= query.keys():
                return as_json(self._watched.events((query["partition"], query["sort"])))
        raise RefusedError(HTTPStatus.BAD_REQUEST, "say the group, or the partition and the sort of a key")

    def begin(self, name: str, body: bytes, operator: str) -> Answer:
        """Begin a redrive or a drop; say where it stands. The same id begins nothing again."""
        try:
            job_id, work = self._work(name, body, operator)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        try:
            job = self.jobs.begin(job_id, name, operator, work)
        except BusyError as error:
            detail = "something else is under way: wait until it has ended"
            raise RefusedError(HTTPStatus.CONFLICT, detail) from error
        return as_json(job, HTTPStatus.ACCEPTED)

    def _work(self, name: str, body: bytes, operator: str) -> tuple[str, Work]:
        if name == "redrive":
            redrive = msgspec.json.decode(body, type=RedriveRequest)
            return redrive.id, redriving(self._application, redrive.chosen())
        drop = msgspec.json.decode(body, type=DropRequest)
        return drop.id, dropping(self._application, drop.key, operator, drop.because.strip())
