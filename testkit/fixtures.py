"""Fixtures for all tests: captured log lines, tables, buckets, and shorter searches."""

import asyncio
import io
import os
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import pytest
import typer.main
import typer.testing
from botocore.loaders import JSONFileLoader
from hypothesis import settings

from kinesis_handler import configure_logging
from kinesis_handler.local.stream.client import kinesis_client
from testkit.tables import Tables

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

# The laws ship for the tests of others: their asserts should show as much as our own.
pytest.register_assert_rewrite(
    *(f"kinesis_handler.testing.{name}" for name in ("laws", "law_states", "stored_laws"))
)

# Short searches: `make chaos` and `make fuzz` load a profile with ten times as many examples. How long an
# example takes is the machine's affair. CI repeats the same examples: a change fails for what it changes.
settings.register_profile("short", max_examples=50, deadline=None, derandomize="CI" in os.environ)
settings.load_profile("short")


@pytest.fixture(scope="session", autouse=True)
def descriptions_of_services() -> Iterator[None]:
    """Read each of botocore's own files once: by default it reads megabytes of JSON for each client."""
    with pytest.MonkeyPatch.context() as patch:
        loaders: list[type[JSONFileLoader]] = [JSONFileLoader, *JSONFileLoader.__subclasses__()]
        for loader in loaders:
            patch.setattr(loader, "load_file", staticmethod(cache(loader().load_file)))
        yield


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[None]:
    """Build the commands of a program once: by default each call builds all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def log_lines() -> io.StringIO:
    """Capture log lines, so that they are not in the tests' output; a test can read them."""
    stream = io.StringIO()
    configure_logging("tests", "info", stream)
    return stream


@pytest.fixture(scope="module", autouse=True)
def event_loop() -> Iterator[None]:
    """Give Mangum an event loop: one that it makes is never closed, and fails the test that collects it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def tables(dynamodb_endpoint: str) -> Tables:
    """Return a factory of tables."""
    return Tables(dynamodb_endpoint)


@pytest.fixture(scope="session")
def kinesis(kinesis_endpoint: str) -> "Iterator[KinesisClient]":
    """Make a client of kinesis-local: it takes long to make one."""
    with closing(kinesis_client(endpoint=kinesis_endpoint)) as client:
        yield client


@pytest.fixture(scope="session")
def moto_endpoint(aws_settings: None) -> Iterator[str]:  # noqa: ARG001 - it must come first
    """Serve buckets and queues until the tests end."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - flask takes a while

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
