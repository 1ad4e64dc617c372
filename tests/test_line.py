"""The line between a program and an emulator, by which tests and benchmarks say when requests pass."""

import socket
from collections.abc import Iterator

import pytest

from testkit.emulators.line import Line, line_to


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def line(server: socket.socket) -> Iterator[Line]:
    with line_to(f"http://127.0.0.1:{server.getsockname()[1]}") as made:
        yield made


def connect(line: Line) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(line.endpoint.rpartition(":")[2])))
    connection.settimeout(20)
    return connection


def test_requests_wait_while_a_line_is_held_and_answers_pass(server: socket.socket, line: Line) -> None:
    with connect(line) as near, server.accept()[0] as far:
        with line.held():
            near.sendall(b"request")
            far.sendall(b"answer")
            assert near.recv(99) == b"answer"
            far.settimeout(0.05)
            with pytest.raises(TimeoutError):
                far.recv(99)
        far.settimeout(20)
        assert far.recv(99) == b"request"


def test_a_cut_line_breaks_what_is_on_it_and_answers_nobody_until_it_is_restored(
    server: socket.socket, line: Line
) -> None:
    with connect(line) as near, server.accept()[0]:
        line.cut()
        assert near.recv(99) == b""
    with connect(line) as near:
        assert near.recv(99) == b""
    line.restore()
    with connect(line) as near, server.accept()[0] as far:
        near.sendall(b"request")
        assert far.recv(99) == b"request"
