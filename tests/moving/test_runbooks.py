"""The runbooks, command by command, against SQLite, DynamoDB Local and a real stream that keeps flowing."""

import os
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest

from chaos.oracle import Oracle
from chaos.verdict import as_expected
from command_line import COMMAND, ROOT, call
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.stores import open_store
from stream.processes import until
from stream.real_stream import Stream
from testkit.synthetic_users import SyntheticUsers
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables
from user_limits.limit import Limit

CONSUME = "kinesis-handler consume"
PAGES = ROOT / "docs" / "how-to"


class Runbook:
    """A shell in which a page's commands are typed, with the waits for which a person looks at the log.

    Meanwhile an event is put onto the stream every moment.
    """

    def __init__(self, folder: Path) -> None:
        self.stream = Stream(kinesis_client())
        self.table = f"Limits{uuid4().hex}"
        self._folder, self._records = folder, list[Any]()
        self._stopped, self._flow = Event(), Thread(target=self._put_events)
        self._flow.start()
        self._log = folder / "consumer.log"
        self._log.touch()
        self._seen, self._consuming = 0, False
        env = {**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}", "TERM": "dumb"}
        env |= {"LOG_LEVEL": "error", "KINESIS_HANDLER_APP": "user_limits.wiring:application"}
        self.bash = Popen("/bin/bash", stdin=PIPE, stdout=PIPE, stderr=STDOUT, text=True, cwd=folder, env=env)

    def run(self, page: str) -> None:
        """Type the commands of a page; see that each prints what the page says, … standing for anything."""
        page = page.replace("Limits", self.table).replace("stream limits", f"stream {self.stream.name}")
        page = page.replace(CONSUME, f"LOG_LEVEL=info {CONSUME}")
        for command, expected in re.findall(r"^\$ (.+)\n((?:(?!\$ |```).*\n)*)", page, re.MULTILINE):
            if command.startswith("sleep"):  # until every instance has seen the flag
                if self._consuming:
                    self._wait_for_the_log("phase changed", "batch handled")
                continue
            for _ in range(10 if "verify" in command else 1):  # "go on when nothing differs"
                status, printed = self._type(command)
                if status == 0:
                    break
            assert status == 0, f"{command} ended with {status}:\n{printed}"
            pattern = expected.strip().replace("…", "*") or "*"
            assert fnmatchcase(printed.strip(), pattern), f"{command} printed:\n{printed}"
            if command.startswith("kill"):
                self._consuming = False
                self._seen = len(self._log.read_text())
            elif "consumer.log" in command:
                self._consuming = True
                self._wait_for_the_log("batch handled")

    def stop_the_flow(self) -> None:
        self._stopped.set()
        self._flow.join()

    def wait_for_the_table(self, name: str) -> None:
        """Wait until a table has what one clean pass leads to."""
        table = open_store(f"dynamodb://{name}").repository(Limit, (PARTITION_KEY, SORT_KEY))
        expected = Oracle(self._records).limits
        until(lambda: {each.key: as_expected(each) for each in table.scan()} == expected)

    def _put_events(self) -> None:
        users = SyntheticUsers(seed=1, users=20)
        created_at = count(1_700_000_000_000)
        while not self._stopped.wait(0.1):
            event = users.event(next(created_at))
            self._records += self.stream.put_at_once([(event.partition_key, event.data)])

    def _type(self, command: str) -> tuple[int, str]:
        if command.startswith(f"{COMMAND.name} ") and "&" not in command:  # called here, it starts at once
            exported = self._type("env -0 | tr '\\n\\0' ' \\n'")[1].splitlines()
            settings = dict(line.split("=", 1) for line in exported)
            done = call(*shlex.split(command)[1:], folder=self._folder, settings=settings)
            return done.returncode, done.stdout + done.stderr
        print(command, "echo @@$?", sep="\n", file=self.bash.stdin, flush=True)
        printed = ""
        while not (line := self.bash.stdout.readline() if self.bash.stdout else "").startswith("@@"):
            assert line, f"the shell ended: {printed}"
            printed += line
        return int(line[2:]), printed

    def _wait_for_the_log(self, *messages: str) -> None:
        """Wait until these have been logged one after the other, since the last time that something was."""
        pattern = re.compile(".*?".join(f'"message":"{each}"' for each in messages), re.DOTALL)
        until(lambda: pattern.search(self._log.read_text(), self._seen))
        self._seen = len(self._log.read_text())


@pytest.fixture
def runbook(
    kinesis_endpoint: str, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runbook]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    runbook = Runbook(tmp_path)
    try:
        yield runbook
    finally:
        runbook.stop_the_flow()
        runbook.bash.communicate("kill $(cat *.pid)\nwait\n", timeout=20)


def test_the_migration_runbook_loses_nothing_with_each_step_taken_back_while_the_stream_flows(
    runbook: Runbook,
) -> None:
    steps, _, back = (PAGES / "migrate.md").read_text().partition("## The way back")
    ways = {part.partition("`")[0]: part for part in back.split("\n**From `")[1:]}
    taken_back = []
    for step in steps.split("\n**"):
        runbook.run(step)
        for phase, way in ways.items():
            if f"echo {phase} > phase" in step:
                runbook.run(way + step)
                taken_back.append(phase)
    assert taken_back == list(ways) == ["dual", "target-dual", "target"]
    runbook.run(ways["target"])
    runbook.stop_the_flow()
    runbook.wait_for_the_table(runbook.table)
    runbook.run("$ kinesis-handler migrate verify\n… compared: 0 differ\n")


def test_the_rebuild_runbook_ends_with_a_table_that_has_it_all(runbook: Runbook) -> None:
    runbook.run("$ kinesis-handler table create --store dynamodb://Limits\n")
    old = f"REPOSITORY_TYPE=dynamodb STORAGE_TTL=0 USER_LIMIT_TABLE_NAME=Limits {CONSUME} --stream limits"
    runbook.run(f"$ {old} --from trim-horizon > old.log 2>&1 & echo $! > old.pid\n")
    filled, _, compared = (PAGES / "rebuild.md").read_text().partition("**2. Compare**")
    runbook.run(filled)
    runbook.stop_the_flow()
    for name in (runbook.table, f"{runbook.table}New"):  # "when it has caught up"
        runbook.wait_for_the_table(name)
    runbook.run(compared)
