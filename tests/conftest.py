import io
from collections.abc import Iterator

import pytest

from kinesis_handler import configure_logging
from tables import Tables

# The laws are shipped for others' tests: their asserts should tell as much as our own.
pytest.register_assert_rewrite("kinesis_handler.testing.laws")


@pytest.fixture(autouse=True)
def log_lines() -> io.StringIO:
    """Keep what is logged out of the tests' output; a test that asks for it can read it."""
    stream = io.StringIO()
    configure_logging("tests", "info", stream)
    return stream


@pytest.fixture(scope="session")
def tables(dynamodb_endpoint: str) -> Tables:
    """Return where tables can be made."""
    return Tables(dynamodb_endpoint)


@pytest.fixture(scope="session")
def s3_endpoint(aws_settings: None) -> Iterator[str]:  # noqa: ARG001 - it must come first
    """Run S3 for as long as the tests take."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
