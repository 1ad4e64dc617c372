"""`serve` and clients that send too much, too slowly, or nothing: nobody else notices."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import httpx
import pytest

from api.stored import EXAMPLE, repository_of
from kinesis_handler.application import ASGIApp
from kinesis_handler.cli.http_protocol import Bounds, bounded, process_bounds
from testkit.serving import serving
from user_limits.api.app import Options, build_api
from user_limits.api.page import PageOptions
from user_limits.api.problems import ProblemCode

LIMITS = "/api/v1/users/usr_456/limits"
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "
WELL = b'{"status":"ok"}'
ENDLESS = 600.0
"""Seconds that no test lasts."""

SOON = 0.25
"""Seconds after which a test's request is late, where nothing has to arrive before."""


@cache
def api() -> ASGIApp:
    return build_api(repository_of(EXAMPLE), Options(page=PageOptions()))


@contextlib.contextmanager
def server(app: Any = None, **bounds: Any) -> Iterator[str]:
    with serving(app or api(), http=bounded(Bounds(**{"seconds": ENDLESS, **bounds}))) as url:
        yield url


@contextlib.contextmanager
def connection(url: str, *, receives: int | None = None) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as made:
        if receives is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        made.settimeout(20)
        made.connect((host, int(port)))
        yield made


def answer(made: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read until the server ends the connection; return status, headers and body of its last answer."""
    received = b""
    while piece := made.recv(65_536):
        received += piece
    last = received[received.rindex(b"HTTP/1.1 ") :]
    head, _, body = last.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def is_answered(made: socket.socket) -> bool:
    """Read a whole answer, in however many pieces, of a connection that goes on; return if it is well."""
    received = b""
    while not received.endswith(WELL) and (piece := made.recv(65_536)):
        received += piece
    return received.startswith(b"HTTP/1.1 200 OK")


def assert_is_problem(found: tuple[int, dict[str, str], bytes], status: int) -> None:
    assert found[0] == status
    assert found[1]["content-type"] == "application/problem+json"
    assert found[1]["connection"] == "close"
    problem = json.loads(found[2])
    assert problem["status"] == status
    assert problem["code"] in get_args(ProblemCode)


def send_without_end(made: socket.socket, request: bytes) -> None:
    """Send until the connection is cut off: the buffers between both sides are bounded."""
    while True:
        made.sendall(request)


def is_ended(made: socket.socket) -> bool:
    try:
        return made.recv(1) == b""
    except ConnectionResetError:
        return True


def is_well(url: str) -> bool:
    return httpx.get(f"{url}/healthz", timeout=20).status_code == 200


def test_a_head_that_never_ends_is_refused() -> None:
    with server(head=4_096) as url, connection(url) as made:
        made.sendall(HALF + b"a" * 4_096)
        assert_is_problem(answer(made), 431)
        assert is_well(url)


@pytest.mark.parametrize(
    "head",
    [b"GET /" + b"a" * 9_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2_000, b"\r\n" * 5_000],
    ids=["a URL", "headers", "empty lines"],
)
def test_whatever_a_head_consists_of_it_is_bounded(head: bytes) -> None:
    with server(head=4_096) as url, connection(url) as made:
        made.sendall(head)
        assert_is_problem(answer(made), 431)


def test_a_head_may_be_as_long_as_the_bound_in_however_many_pieces() -> None:
    with server(head=4_096) as url, connection(url) as made:
        rest = b"a" * (4_096 - len(HALF) - 4)
        for piece in (HALF, rest[:1_000], rest[1_000:], b"\r\n\r\n"):
            made.sendall(piece)
        assert is_answered(made)
        made.sendall(HALF + b"\r\nConnection: close\r\n\r\n")
        assert answer(made)[0] == 200, "each request of a connection counts for itself"


def test_many_small_requests_at_once_are_no_large_one() -> None:
    with server(head=4_096) as url, connection(url) as made:
        made.sendall((HALF + b"\r\n\r\n") * 200 + HALF + b"\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := made.recv(65_536):
            received += piece
        assert received.count(b"HTTP/1.1 200 OK") == 201


def test_a_url_that_is_too_long_is_refused_by_the_api() -> None:
    with server() as url:
        assert httpx.get(f"{url}{LIMITS}?cursor={'a' * 9_000}", timeout=20).status_code == 414


@pytest.mark.parametrize(
    "begun",
    [b"\r\n", b"G", HALF, b"GET / HTTP/1.1\r\nHost: localhost\r\n"],
    ids=["line", "G", "half", "head"],
)
def test_a_request_that_does_not_arrive_is_ended_by_a_deadline(begun: bytes) -> None:
    with server(seconds=SOON) as url, connection(url) as made:
        made.sendall(begun)
        assert_is_problem(answer(made), 408)


def test_a_deadline_is_for_the_whole_request_and_not_for_each_byte() -> None:
    with server(seconds=SOON) as url, connection(url) as made:
        made.sendall(HALF)
        made.settimeout(0.01)
        with contextlib.suppress(OSError):  # the answer has come, and the connection is gone
            while True:
                try:
                    if made.recv(1, socket.MSG_PEEK):
                        break
                except TimeoutError:
                    made.sendall(b"a")
        made.settimeout(20)
        assert_is_problem(answer(made), 408)


def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word() -> None:
    with server(seconds=SOON) as url, connection(url) as made:
        assert made.recv(1) == b""


def test_a_body_that_does_not_arrive_holds_a_connection_no_longer() -> None:
    with server(seconds=2 * SOON) as url, connection(url) as made:
        made.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        assert answer(made)[0] == 200, "the answer did not need it, and there is no second one"


def test_after_an_answer_the_next_request_has_a_deadline_too() -> None:
    with server(seconds=2 * SOON) as url, connection(url) as made:
        made.sendall(HALF + b"\r\n\r\n")
        assert is_answered(made)
        made.sendall(HALF)
        assert_is_problem(answer(made), 408)


def test_what_is_no_http_is_refused_with_a_problem() -> None:
    with server() as url, connection(url) as made:
        made.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        assert_is_problem(answer(made), 400)


def test_a_client_that_does_not_read_is_cut_off() -> None:
    with server(seconds=SOON) as url, connection(url, receives=4_096) as made:
        request = f"GET /docs HTTP/1.1\r\nHost: localhost\r\nX: {'a' * 1_000}\r\n\r\n".encode()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            send_without_end(made, request)


def test_connections_that_wait_make_room_for_new_ones() -> None:
    with server(connections=4) as url, contextlib.ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(connection(url)).sendall(HALF)
            assert is_well(url)


def test_of_the_connections_that_wait_the_one_that_has_waited_longest_goes_first() -> None:
    with server(connections=3) as url, connection(url) as first, connection(url) as second:
        for made in (first, second):
            made.sendall(HALF + b"\r\n\r\n")
            assert is_answered(made)
        first.sendall(HALF + b"\r\n\r\n")
        assert is_answered(first)
        with connection(url) as third, connection(url):
            assert is_ended(second)
            for made in (first, third):
                made.sendall(HALF + b"\r\n\r\n")
                assert is_answered(made), "it began to wait later"


def test_where_all_connections_are_being_answered_a_new_one_is_asked_to_come_again() -> None:
    import asyncio

    begun, go_on = threading.Semaphore(0), threading.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        begun.release()
        await asyncio.to_thread(go_on.wait)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with server(slow, connections=2) as url, connection(url) as first, connection(url) as second:
        for made in (first, second):
            made.sendall(HALF + b"\r\nConnection: close\r\n\r\n")
            assert begun.acquire(timeout=20)
        with connection(url) as third:
            third.sendall(HALF + b"\r\n\r\n")
            found = answer(third)
            assert_is_problem(found, 503)
            assert found[1]["retry-after"] == "1"
        go_on.set()
        assert [answer(made)[0] for made in (first, second)] == [204, 204]


def test_connections_leave_files_for_the_process_to_open() -> None:
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < process_bounds().connections <= files // 2
