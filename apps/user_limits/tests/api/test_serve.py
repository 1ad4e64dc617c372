"""`kinesis-handler serve`, as a person calls it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.stored import DAY, NOW, limit, repository_of
from command_line import COMMAND, ROOT, call, run
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores import Change
from user_limits.demo_events import demo_events
from user_limits.wiring import application

PATIENCE = 20
"""Seconds."""


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `serve` on a free port; yield the process, and the address that it tells."""
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "LOG_LEVEL": "error", "PYTHONUNBUFFERED": "1", **environment},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(r"(http://[^/]+)(\S*)  \(Ctrl-C ends it\)", line):
                yield process, found[1] + found[2]
                break
        else:
            raise AssertionError(process.communicate()[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own
        return json.load(response)


def root_of(url: str) -> str:
    return "/".join(url.split("/")[:3])


@pytest.mark.other_programs
def test_it_runs_the_events_and_serves_what_they_lead_to_until_ctrl_c() -> None:
    with started("apps/user_limits/data/events.json") as (process, example):
        root, path = root_of(example), example.removeprefix(root_of(example))
        assert path == "/users/anna"
        body = get(f"{root}/api/v1{path}/limits")
        assert body["meta"]["count"] == len(body["data"]) > 0
        assert get(f"{root}/readyz") == {"status": "ok"}
        with urllib.request.urlopen(example, timeout=5) as page:  # noqa: S310
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "server" not in page.headers
        foreign = urllib.request.Request(f"{root}/healthz", headers={"Host": "limits.example"})  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(foreign, timeout=5)  # noqa: S310
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "ended\n", "")


@pytest.mark.other_programs
def test_a_signal_to_terminate_ends_it_as_well() -> None:
    with started() as (process, example):
        assert example == f"{root_of(example)}/"
        process.terminate()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


@pytest.mark.other_programs
def test_live_it_goes_on_and_what_it_makes_up_can_be_seen() -> None:
    with started("apps/user_limits/data/events.json", "--live") as (process, example):
        users = ("anna", "ben", "chiara", "daniel", "elin")
        root = root_of(example)

        def versions() -> list[tuple[str, int]]:
            pages = [get(f"{root}/api/v1/users/{user}/limits")["data"] for user in users]
            return [(each["limitId"], each["version"]) for page in pages for each in page]

        first, deadline = versions(), time.monotonic() + PATIENCE
        while versions() == first and time.monotonic() < deadline:
            time.sleep(0.1)
        assert versions() != first
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == 0


@pytest.mark.other_programs
def test_the_operators_page_is_served_too_and_says_what_this_process_does(tmp_path: Path) -> None:
    events = "apps/user_limits/data/events.json"
    with started(events, "--operator", QUARANTINE_URL=tmp_path.as_uri()) as (process, example):
        root = root_of(example)
        shown = get(f"{root}/operator/api/state")
        [source] = shown["sources"]
        assert source["process"] == "this process"
        assert sum(source["outcomes"]["rejected"]) == shown["records"] == 1
        with urllib.request.urlopen(f"{root}/operator", timeout=5) as page:  # noqa: S310
            assert b"<title>Operator</title>" in page.read()
        foreign = urllib.request.Request(f"{root}/operator", headers={"Host": "limits.example"})  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(foreign, timeout=5)  # noqa: S310
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "ended\n", "")


@pytest.mark.parametrize("more", [[], ["--insecure"]])
def test_the_operators_page_without_tokens_is_for_this_machine_only_even_insecure(more: list[str]) -> None:
    refused = refusal("--operator", "--host", "192.0.2.1", "--port", "0", *more)
    assert refused.startswith(
        "Error: --host is '192.0.2.1', and AUTH is 'none': --operator is for this machine"
    )


def refusal(*arguments: str) -> str:
    done = call("serve", *arguments)
    assert done.returncode == 2, done.stdout
    return done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "limits.example", "127.0.0.1.example"])  # noqa: S104
def test_without_tokens_it_listens_on_this_machine_only(host: str) -> None:
    refused = refusal("--host", host, "--port", "0")
    assert refused.startswith(
        f"Error: --host is {host!r}, and AUTH is 'none': anyone who can reach it could read"
    )


@pytest.mark.other_programs
def test_insecure_it_listens_anywhere() -> None:
    with started("--host", "127.0.0.2", "--insecure") as (_, example):
        assert get(f"{root_of(example)}/healthz") == {"status": "ok"}


@pytest.mark.other_programs
def test_with_tokens_it_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    keys = (tmp_path / "keys.json").as_uri()
    with started(AUTH="jwt", JWT_ISSUER="i", JWT_AUDIENCE="a", JWT_JWKS=keys) as (_, example):
        root = root_of(example)
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(f"{root}/api/v1/users/anna/limits")
        assert caught.value.code == 401
        caught.value.close()


def test_a_port_that_is_taken_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refusal("--port", str(port)).startswith(f"Error: cannot listen on 127.0.0.1, port {port}: ")


def test_a_file_that_is_not_there_is_reported() -> None:
    assert "nowhere.json: No such file" in refusal("nowhere.json")


@pytest.mark.other_programs
def test_an_application_with_nothing_to_show_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from kinesis_handler import KinesisHandler\n"
        "from kinesis_handler.application import Application\n"
        "def app(): return Application(KinesisHandler())\n"
    )
    done = run("serve", "nowhere.json", "--app", "mine:app", folder=tmp_path)
    refused = "Error: --app is 'mine:app', which has neither an API nor a view\n"
    assert (done.returncode, done.stderr) == (2, refused), "and none of its events is run"


def test_made_up_events_are_applied_each_and_are_the_same_each_time() -> None:
    def made() -> list[Any]:
        built = application({"STORAGE_TTL": "0"})
        limits: Any = built.views[0].repository
        for each in repository_of(limit("anna", "a"), limit("ben", "b", period="WEEK")).scan():
            limits.save([Change(None, each)])
        found = []
        for record in islice(put_on_shard(demo_events(limits, clock=lambda: NOW)), 60):
            [handled] = built.handler.handle({"Records": [record]})
            assert handled.outcome.status.value == "applied"
            assert not {remark.name for remark in handled.outcome.remarks} - {"exceeded"}
            found.append(msgspec.json.decode(b64decode(record["kinesis"]["data"])))
        return found

    first = made()
    assert first == made()
    assert {event["type"] for event in first} == {"USER_LIMIT_PROGRESS_CHANGED", "USER_LIMIT_RESET"}


def test_a_limit_whose_reset_is_due_is_reset_first() -> None:
    late = int((NOW - 3 * DAY) * 1_000) - 1
    limits = repository_of(limit("anna", "a"), limit("ben", "b", period="DAY", next_reset_time=late))
    [(user, made)] = islice(demo_events(limits, clock=lambda: NOW), 1)
    event = msgspec.json.decode(made)
    assert (user, event["type"]) == ("ben", "USER_LIMIT_RESET")
    assert event["payload"]["nextResetTime"] == late + 4 * DAY * 1_000


def test_without_limits_nothing_is_made_up() -> None:
    assert list(demo_events(repository_of())) == []
