import io
import os
from collections.abc import Iterator

import pytest

from emulators.dynamodb_local import dynamodb_local
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
def dynamodb_endpoint() -> Iterator[str]:
    """Run DynamoDB Local for as long as the tests take."""
    with dynamodb_local() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def tables(dynamodb_endpoint: str) -> Tables:
    """Return where tables can be made."""
    return Tables(dynamodb_endpoint)


@pytest.fixture(scope="session", autouse=True)
def _aws() -> Iterator[None]:
    """Keep the settings of the machine's owner out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield
