"""The settings: read once, validated, and a wrong one stops the start."""

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler import ConfigurationError
from kinesis_handler.local.redrive.queue import FailedBatchQueue
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.telemetry.logs import LEVEL_NAMES
from kinesis_handler.testing import invocation
from user_limits.settings import DEFAULT_REGION, Settings, read_settings
from user_limits.wiring import api, application, consumer

ORIGINS = "*, or such as https://shop.example, with commas between"

CREATED = {
    "eventId": "e",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1,
    "payload": {"userId": "anna", "userLimitId": "bet", "value": "9800.10"},
}


def test_without_any_variable_the_defaults_are_those_of_the_documentation() -> None:
    assert read_settings({}) == Settings(
        service_name="user-limits",
        repository_type="inmemory",
        sqlite_path="limits.db",
        user_limit_table_name="UserLimits",
        aws_region=None,
        quarantine_url="",
        storage_ttl=3600,
        park_after=60,
        log_level="info",
        metrics="none",
        tracing="none",
        max_unpacked_bytes=16 * 1024 * 1024,
        auth="none",
        jwt_issuer="",
        jwt_audience="",
        jwt_jwks="",
        cors_allow_origins=(),
    )


def test_an_empty_variable_is_a_missing_one() -> None:
    assert read_settings({"STORAGE_TTL": "", "LOG_LEVEL": ""}) == Settings()


def test_each_variable_is_read() -> None:
    environment = {
        "SERVICE_NAME": "limits-staging",
        "REPOSITORY_TYPE": "DynamoDB",
        "SQLITE_PATH": "/var/lib/limits.db",
        "USER_LIMIT_TABLE_NAME": "limits_v2",
        "AWS_REGION": "eu-north-1",
        "QUARANTINE_URL": "s3://rejected/limits",
        "STORAGE_TTL": "0",
        "PARK_AFTER": "0",
        "LOG_LEVEL": "DEBUG",
        "METRICS": "EMF",
        "TRACING": "otel",
        "MAX_UNPACKED_BYTES": "1",
        "AUTH": "JWT",
        "JWT_ISSUER": "https://issuer.example/",
        "JWT_AUDIENCE": "limits",
        "JWT_JWKS": "https://issuer.example/keys.json",
        "CORS_ALLOW_ORIGINS": "https://shop.example, http://localhost:3000,",
    }
    assert read_settings(environment) == Settings(
        service_name="limits-staging",
        repository_type="dynamodb",
        sqlite_path="/var/lib/limits.db",
        user_limit_table_name="limits_v2",
        aws_region="eu-north-1",
        quarantine_url="s3://rejected/limits",
        storage_ttl=0,
        park_after=0,
        log_level="debug",
        metrics="emf",
        tracing="otel",
        max_unpacked_bytes=1,
        auth="jwt",
        jwt_issuer="https://issuer.example/",
        jwt_audience="limits",
        jwt_jwks="https://issuer.example/keys.json",
        cors_allow_origins=("https://shop.example", "http://localhost:3000"),
    )


def test_parking_can_be_switched_off_by_a_word() -> None:
    assert read_settings({"PARK_AFTER": "never"}).park_after == "never"


@pytest.mark.parametrize(
    ("park_after", "age", "statuses"),
    [
        ("", 0, ["failed", "failed"]),
        ("", 61, ["parked", "parked"]),
        ("600", 61, ["failed", "failed"]),
        ("0", 0, ["parked", "parked"]),
        ("never", 86_400, ["failed", "failed"]),
    ],
)
def test_an_event_is_parked_when_it_has_failed_for_as_long_as_is_set(
    tmp_path: Path, park_after: str, age: float, statuses: list[str]
) -> None:
    handler = consumer({"PARK_AFTER": park_after, "QUARANTINE_URL": tmp_path.as_uri()})
    change = {
        **CREATED,
        "type": "USER_LIMIT_PROGRESS_CHANGED",
        "payload": {"userId": "anna", "userLimitId": "bet", "amount": "1"},
    }
    batch = invocation([change, {**change, "eventId": "f"}])
    for record in batch["Records"]:
        record["kinesis"]["approximateArrivalTimestamp"] = time.time() - age
    assert [each.outcome.status.value for each in handler.handle(batch)] == statuses


def test_in_a_lambda_function_metrics_are_written_unless_that_is_refused() -> None:
    on_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "limits"}
    assert read_settings(on_lambda).metrics == "emf"
    assert read_settings({**on_lambda, "METRICS": "none"}).metrics == "none"


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("SERVICE_NAME", "my limits", "1 to 255 letters, digits, _ . / and -"),
        ("REPOSITORY_TYPE", "oracle", "inmemory, sqlite, dynamodb"),
        ("USER_LIMIT_TABLE_NAME", "a b", "3 to 255 letters, digits, _ . and -"),
        ("USER_LIMIT_TABLE_NAME", "ab", "3 to 255 letters, digits, _ . and -"),
        ("AWS_REGION", "Stockholm", "a region's code, such as eu-north-1"),
        ("LOG_LEVEL", "loud", ", ".join(LEVEL_NAMES)),
        ("METRICS", "statsd", "none, emf"),
        ("TRACING", "xray", "none, otel"),
        ("STORAGE_TTL", "-1", "a whole number from 0 up"),
        ("STORAGE_TTL", "1h", "a whole number from 0 up"),
        ("STORAGE_TTL", "1.5", "a whole number from 0 up"),
        ("STORAGE_TTL", "٣", "a whole number from 0 up"),
        ("PARK_AFTER", "-1", "a whole number from 0 up, or never"),
        ("PARK_AFTER", "1.5", "a whole number from 0 up, or never"),
        ("PARK_AFTER", "always", "a whole number from 0 up, or never"),
        ("MAX_UNPACKED_BYTES", "0", "a whole number from 1 up"),
        ("AUTH", "basic", "none, jwt"),
        ("CORS_ALLOW_ORIGINS", "shop.example", ORIGINS),
        ("CORS_ALLOW_ORIGINS", "https://shop.example/", ORIGINS),
    ],
)
def test_a_wrong_value_names_the_variable_the_value_and_what_is_allowed(
    variable: str, value: str, allowed: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({variable: value})
    assert str(caught.value) == f"{variable} is {value!r}; allowed: {allowed}"


@pytest.mark.parametrize("value", [" ", "\t", "\n  "])
@pytest.mark.parametrize("variable", [name.upper() for name in Settings.__struct_fields__])
def test_white_space_is_a_wrong_value_of_every_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({variable: value})
    said, _, allowed = str(caught.value).partition("; allowed: ")
    assert said == f"{variable} is {value!r}"
    assert allowed


def test_white_space_around_a_value_is_not_part_of_it() -> None:
    assert read_settings({"SQLITE_PATH": " limits.db\n", "STORAGE_TTL": "60 "}).storage_ttl == 60


@pytest.mark.parametrize("value", [None, "", " ", "\t"])
def test_the_api_is_open_to_nobody_before_somebody_has_said_so(value: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^AUTH is "):
        api({} if value is None else {"AUTH": value})


ON_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "limits",
    "REPOSITORY_TYPE": "sqlite",
    "SQLITE_PATH": "file.db",
    "QUARANTINE_URL": "none",
    "STORAGE_TTL": "0",
}


class TestOnLambda:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Enter a folder for the file."""
        monkeypatch.chdir(tmp_path)

    def test_all_that_would_lose_data_is_reported_at_once(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            consumer({"AWS_LAMBDA_FUNCTION_NAME": "limits"})
        store, quarantine, ttl = str(caught.value).split(" · ")
        assert store.startswith("REPOSITORY_TYPE is 'inmemory'")
        assert quarantine.startswith(
            "QUARANTINE_URL is not set; allowed: file:///FOLDER or s3://BUCKET/PREFIX, or none"
        )
        assert ttl.startswith("STORAGE_TTL is not set; allowed: ")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("REPOSITORY_TYPE", ""),
            ("REPOSITORY_TYPE", "InMemory"),
            ("QUARANTINE_URL", ""),
            ("QUARANTINE_URL", " "),
            ("STORAGE_TTL", ""),
            ("STORAGE_TTL", " "),
        ],
    )
    def test_each_of_it_stops_the_start_of_the_consumer(self, variable: str, value: str) -> None:
        assert consumer(ON_LAMBDA)(invocation([CREATED])) == {"batchItemFailures": []}
        with pytest.raises(ConfigurationError, match=f"^{variable} is ") as caught:
            consumer({**ON_LAMBDA, variable: value})
        assert " · " not in str(caught.value)

    def test_an_api_onto_a_memory_that_is_empty_is_refused_too(self) -> None:
        api({**ON_LAMBDA, "AUTH": "none"})
        with pytest.raises(ConfigurationError, match=r"^REPOSITORY_TYPE is 'inmemory'.* · AUTH is not set"):
            api({"AWS_LAMBDA_FUNCTION_NAME": "limits"})

    def test_elsewhere_the_defaults_are_for_one_who_tries_it_out(self) -> None:
        assert consumer({})(invocation([b"{"])) == {"batchItemFailures": []}


class TestRegion:
    """The rule itself is in test_aws.py."""

    @pytest.fixture
    def nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the SDK find no region."""
        monkeypatch.delenv("AWS_DEFAULT_REGION")

    @staticmethod
    def regions(environment: dict[str, str]) -> set[str]:
        """Return the regions of all that an application asks."""
        built = application(
            {
                **environment,
                "REPOSITORY_TYPE": "dynamodb",
                "QUARANTINE_URL": "s3://rejected",
                "ON_FAILURE_URL": "s3://failed",
            }
        )
        clients: list[Any] = [
            built.tables[0]._connection.client,  # type: ignore[attr-defined]
            *(each._client for each in (built.quarantine, built.on_failure)),  # type: ignore[union-attr]
            kinesis_client(default_region=built.default_region),
            FailedBatchQueue("http://127.0.0.1:1/queue", default_region=built.default_region)._client,
        ]
        for client in clients:
            client.close()
        return {client.meta.region_name for client in clients}

    @pytest.mark.usefixtures("nothing")
    def test_where_none_is_set_every_client_of_the_application_takes_one(self) -> None:
        assert self.regions({}) == {DEFAULT_REGION} == {"us-east-1"}

    @pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
    @pytest.mark.usefixtures("nothing")
    def test_the_one_that_is_set_is_taken_by_every_client(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "eu-north-1")
        assert self.regions(dict(os.environ)) == {"eu-north-1"}


TOKENS = {
    "AUTH": "jwt",
    "JWT_ISSUER": "https://issuer.example/",
    "JWT_AUDIENCE": "limits",
    "JWT_JWKS": "file:///keys.json",
}


@pytest.mark.parametrize("missing", ["JWT_ISSUER", "JWT_AUDIENCE", "JWT_JWKS"])
def test_to_check_tokens_all_of_it_has_to_be_said(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{missing} is '', and AUTH is 'jwt'; allowed: "):
        read_settings({**TOKENS, missing: ""})


@pytest.mark.parametrize(
    "place",
    [
        "http://issuer.example/keys.json",
        "keys.json",
        "file://keys.json",
        "https://",
        "ftp://a/b",
        "http://127.0.0.1.evil/",
    ],
)
def test_keys_come_over_tls_from_a_file_or_from_this_machine(place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({**TOKENS, "JWT_JWKS": place})
    assert str(caught.value) == f"JWT_JWKS is {place!r}; allowed: https://HOST/PATH or file:///FILE"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().storage_ttl = 1  # type: ignore[misc]


def test_the_command_line_and_lambda_run_the_same_handler() -> None:
    built = application({})
    assert built.handler(invocation([CREATED])) == {"batchItemFailures": []}
    [view] = built.views
    [limit] = view.repository.scan()
    assert limit.state.value == Decimal("9800.10")


def test_the_limit_on_what_a_record_may_unpack_to_is_that_of_the_setting() -> None:
    import gzip

    batch = invocation([gzip.compress(json.dumps(CREATED).encode())])
    for limit, status in (("10", "rejected"), ("1000", "applied")):
        [handled] = consumer({"MAX_UNPACKED_BYTES": limit}).handle(batch)
        assert handled.outcome.status.value == status


def test_the_lambda_entry_point_answers_an_invocation() -> None:
    from user_limits.lambda_consumer import handler

    assert handler(invocation([CREATED, {**CREATED, "type": "FOREIGN"}])) == {"batchItemFailures": []}


def run_alone(program: str, **environment: str) -> str:
    """Run a program in a process of its own, which is not measured: that would load more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={**kept, **environment})
    return done.stdout


@pytest.mark.parametrize(
    ("setting", "part", "library", "extra"),
    [
        ({"REPOSITORY_TYPE": "dynamodb"}, "store in DynamoDB", "botocore", "aws"),
        ({"QUARANTINE_URL": "s3://rejected"}, "quarantine in S3", "botocore", "aws"),
        ({"TRACING": "otel"}, "tracing", "opentelemetry", "tracing"),
    ],
)
@pytest.mark.other_programs
def test_a_part_whose_library_is_missing_says_what_to_install(
    setting: dict[str, str], part: str, library: str, extra: str
) -> None:
    program = f"""
import sys
sys.modules["{library}"] = None
from user_limits.wiring import application
try:
    application()
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""
    said = f"ConfigurationError: the {part} needs {library}: pip install 'kinesis-handler[{extra}]'"
    assert run_alone(program, **setting) == f"{said}\n"


@pytest.mark.parametrize("library", ["litestar", "mangum"])
@pytest.mark.other_programs
def test_the_function_of_the_api_says_what_to_install_where_a_library_of_it_is_missing(library: str) -> None:
    program = f"""
import sys
sys.modules["{library}"] = None
try:
    import user_limits.lambda_api
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""
    said = f"ConfigurationError: the API needs {library}: pip install 'kinesis-handler[api]'\n"
    assert run_alone(program, AUTH="none") == said


@pytest.mark.other_programs
def test_lambda_does_not_load_the_command_line() -> None:
    program = "import sys, user_limits.lambda_consumer; print(*sys.modules)"
    loaded = set(run_alone(program).split())
    assert "user_limits.wiring" in loaded
    assert not loaded & {"typer", "click", "kinesis_handler.cli", "kinesis_handler.local.event_source"}
    assert not loaded & {"boto3", "botocore", "sqlite3"}, "a store that was not chosen costs nothing"


@pytest.mark.other_programs
def test_lambda_with_dynamodb_does_without_boto3() -> None:
    program = "import sys, user_limits.wiring as w; w.application(); print(*sys.modules)"
    loaded = set(run_alone(program, REPOSITORY_TYPE="dynamodb").split())
    assert "botocore" in loaded
    assert not loaded & {"boto3", "s3transfer", "typer", "sqlite3", "kinesis_handler.cli"}
