"""The clients of AWS's services: where their region comes from, and what a wrong set-up is told in."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, CredentialRetrievalError

from command_line import call
from kinesis_handler import ConfigurationError, RepositoryError
from kinesis_handler.aws import aws_client, explain, find_region
from kinesis_handler.errors import QuarantineError, StreamError
from kinesis_handler.local.redrive.queue import FailedBatchQueue
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.quarantine.s3 import S3Quarantine
from kinesis_handler.stores.dynamodb import DynamoDBRepository, DynamoDBTable, dynamodb_connection
from user_limits.limit import Limit

NOWHERE = "http://127.0.0.1:9"
QUEUE = f"{NOWHERE}/queue"
ONCE = Config(retries={"total_max_attempts": 1})

CLIENTS: dict[str, Callable[[], Any]] = {
    "dynamodb": lambda: dynamodb_connection().client,
    "kinesis": kinesis_client,
    "s3": lambda: S3Quarantine("rejected")._client,
    "sqs": lambda: FailedBatchQueue(QUEUE)._client,
}
"""What makes the client of each service, without a region of its own."""

USES: dict[str, Callable[[], object]] = {
    "dynamodb": lambda: table().check(),
    "kinesis": lambda: StreamReader(kinesis_client(), "facts").arn,
    "s3": lambda: list(S3Quarantine("rejected").names()),
    "sqs": lambda: len(FailedBatchQueue(QUEUE)),
}
"""What asks each service for something, by the part that does so."""


def table() -> DynamoDBTable:
    return DynamoDBTable(dynamodb_connection(), "Limits", partition_key="userId", sort_key="limitId")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK find credentials, and no region."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file with the profiles of the SDK; it has one."""
    file = tmp_path / "config"
    file.write_text("[profile bets]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return file


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


@contextmanager
def refused() -> Iterator[list[str]]:
    """Take what a part says that cannot work, in whatever error the command line prints as a sentence."""
    said: list[str] = []
    with pytest.raises((ConfigurationError, QuarantineError, StreamError)) as raised:
        yield said
    said.append(str(raised.value))


class TestRegion:
    def test_the_one_given_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        assert find_region("eu-central-1", "us-east-1") == "eu-central-1"

    @pytest.mark.usefixtures("config_file")
    def test_then_the_environment_then_the_profile_then_the_default(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert find_region(default="us-east-1") == "us-east-1"
        for variable, value, found in (
            ("AWS_PROFILE", "bets", "eu-north-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2", "eu-west-2"),
            ("AWS_REGION", "eu-west-1", "eu-west-1"),
        ):
            monkeypatch.setenv(variable, value)
            assert find_region(default="us-east-1") == found

    @pytest.mark.parametrize("service", CLIENTS)
    @pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"])
    @pytest.mark.usefixtures("config_file")
    def test_every_client_takes_the_one_that_is_set(
        self, service: str, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "bets" if variable == "AWS_PROFILE" else "eu-north-1")
        with closing(CLIENTS[service]()) as client:
            assert client.meta.region_name == "eu-north-1"

    @pytest.mark.parametrize("service", CLIENTS)
    def test_where_none_is_set_no_client_is_made(self, service: str) -> None:
        with pytest.raises(ConfigurationError, match="no AWS region is set: set AWS_REGION, or AWS_PROFILE"):
            CLIENTS[service]()

    @pytest.mark.parametrize("value", [" ", "Stockholm", "no region"])
    @pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
    @pytest.mark.parametrize("service", CLIENTS)
    def test_one_that_is_none_is_reported_with_its_variable(
        self, service: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigurationError) as caught:
            CLIENTS[service]()
        assert str(caught.value) == f"{variable} is {value!r}; allowed: a region's code, such as eu-north-1"

    def test_a_queue_is_asked_in_the_region_that_is_in_its_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        queue = FailedBatchQueue("https://sqs.eu-north-1.amazonaws.com/1/failed")
        with closing(queue._client) as client:
            assert client.meta.region_name == "eu-north-1"

    def test_a_command_without_an_application_asks_for_one(self) -> None:
        done = call("put", "--stream", "facts")
        assert (done.returncode, done.stderr.startswith("Error: no AWS region is set: ")) == (2, True)


@pytest.mark.parametrize("service", USES)
class TestSetUp:
    @pytest.fixture(autouse=True)
    def region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Say where AWS is: where nothing listens."""
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def test_an_endpoint_that_is_no_url_is_reported_with_its_variables(
        self, service: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", "garbage")
        with refused() as said:
            USES[service]()
        assert "Invalid endpoint: garbage; look at AWS_ENDPOINT_URL_" + service.upper() in said[0]

    def test_a_profile_that_nobody_knows_is_named(
        self, service: str, config_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert config_file.exists()
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with refused() as said:
            USES[service]()
        assert "the AWS SDK cannot be set up: " in said[0]
        assert "nobody" in said[0]

    def test_half_of_the_credentials_is_reported(self, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with refused() as said:
            USES[service]()
        assert "half of the credentials is missing: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and" in said[0]

    def test_without_credentials_it_says_what_to_set(
        self, service: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        with refused() as said:
            USES[service]()
        assert "no credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and" in said[0]

    def test_a_role_whose_token_is_not_there_names_the_file(
        self, service: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/token")
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
        with refused() as said:
            USES[service]()
        assert "the credentials cannot be had: " in said[0]
        assert "No such file or directory: /no/token" in said[0]

    @pytest.mark.parametrize(
        ("program", "why"),
        [
            ("/no/such/program", "No such file or directory: /no/such/program"),
            (f"{sys.executable} -c 'raise SystemExit(\"locked\")'", "locked"),
            (f"{sys.executable} -c 'print(1)'", "AttributeError"),
            (f"{sys.executable} -c 'print(\"hello\")'", "Expecting value"),
        ],
        ids=["is not there", "fails", "prints something else", "prints no JSON"],
    )
    @pytest.mark.other_programs
    def test_a_program_that_should_print_credentials_and_does_not_is_reported(
        self, service: str, program: str, why: str, config_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        config_file.write_text(f"[default]\ncredential_process = {program}\n")
        with refused() as said:
            USES[service]()
        assert "the credentials cannot be had: " in said[0]
        assert why in said[0]

    def test_a_session_that_nobody_has_begun_says_how_to(
        self, service: str, config_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        monkeypatch.setenv("HOME", str(config_file.parent))
        config_file.write_text(
            "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
            "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://sso.example\n"
        )
        with refused() as said:
            USES[service]()
        assert "`aws sso login` gets new ones" in said[0]

    def test_where_nothing_listens_it_says_which_settings_to_look_at(self, service: str) -> None:
        with refused() as said:
            USES[service]()
        advice = f"it does not answer: is the region right, and AWS_ENDPOINT_URL_{service.upper()}"
        assert advice in said[0]


class TestCredentialsThatAreFetchedAnew:
    """A role's, a program's and such: they expire, and the SDK gets others while it is asked."""

    @pytest.fixture
    def program(self, config_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the file that credentials come out of; they have expired."""
        without_keys(monkeypatch)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        file = config_file.parent / "credentials.json"
        expired = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
        file.write_text(json.dumps({**expired, "Expiration": "2099-01-01T00:00:00Z"}))
        config_file.write_text(f"[default]\ncredential_process = cat {file}\n")
        return file

    def test_they_are_used(self, program: Path, dynamodb_endpoint: str) -> None:
        assert program.exists()
        with closing(dynamodb_connection(endpoint=dynamodb_endpoint)) as connection:
            assert "TableNames" in connection.client.list_tables()

    def test_a_role_is_asked_for_with_the_client_of_its_own_service(
        self, config_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        token = config_file.parent / "token"
        token.write_text("a token")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
        monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:7")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(ConfigurationError, match=r"it does not answer: .*http://127\.0\.0\.1:7"):
            table().check()

    def test_in_a_batch_it_is_an_error_of_the_store_that_names_the_file(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys(monkeypatch)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/token")
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
        with closing(dynamodb_connection(endpoint=NOWHERE)) as connection:
            store = DynamoDBRepository(connection, "Limits", Limit, partition_key="p", sort_key="s")
            loaded = store.load([("a", "b")])
        [error] = loaded.failed.values()
        assert isinstance(error, RepositoryError)
        assert "/no/token" in str(error)


def test_an_error_that_is_not_known_is_reported_in_its_own_words() -> None:
    class OddError(BotoCoreError):
        fmt = "odd"

    assert explain(OddError(), "s3") == "odd"
    assert explain(CredentialRetrievalError(provider="p", error_msg="e"), "s3").startswith("the credentials")


def test_only_the_services_that_are_needed_are_known() -> None:
    with pytest.raises(ConfigurationError, match="the AWS SDK cannot be set up: "):
        aws_client("no-such-service", ONCE, region="eu-west-1")
