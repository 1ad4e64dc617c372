"""`make deploy`: what it takes is told first; then it is `sam deploy`, and a stranger's request.

`sam` here is a command of that name that writes down how it was called. What it would do takes AWS.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from deploy.artifact import APPLICATION, FUNCTIONS
from deploy.stack import PROBE
from deployed import JOINED, TEMPLATE

SAM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "list":
    answer = here / "outputs.json"
    if not answer.exists():
        sys.exit("the stack does not exist")
    print(answer.read_text())
else:
    outputs = here / "afterwards.json"
    if not outputs.exists():
        sys.exit(7)
    (here / "outputs.json").write_text(outputs.read_text())
"""


class Machine(NamedTuple):
    """A folder that is deployed from, and the programs that are there."""

    folder: Path
    programs: Path
    environment: dict[str, str]

    def deploy(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "deploy.stack", "--folder", str(self.folder), *arguments],
            cwd=APPLICATION,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        file = self.programs / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def empty(tmp_path: Path) -> Machine:
    """Return a machine without anything."""
    folder, programs = tmp_path / "folder", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    nothing = {
        "PATH": str(programs),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Machine(folder, programs, nothing)


@pytest.fixture
def ready(empty: Machine) -> Machine:
    """Return one with all that it takes, but for a stack that exists."""
    (empty.folder / "build").mkdir()
    for name in FUNCTIONS:
        (empty.folder / "build" / f"{name}.zip").touch()
    sam = empty.programs / "sam"
    sam.write_text(SAM.format(python=sys.executable))
    sam.chmod(0o755)
    known = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "eu-north-1"}
    return empty._replace(environment={**empty.environment, **known})


class Api:
    """An API that answers everything alike."""

    def __init__(self, status: int) -> None:
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.asked.append(f"{self.path} {self.headers.get('Authorization')}")
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def deployed(machine: Machine, url: str) -> None:
    """Let a deployment succeed, after which the API is there."""
    outputs = {"ApiUrl": url, "DashboardUrl": "https://dashboard.example"}
    told = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    (machine.programs / "afterwards.json").write_text(json.dumps(told))


@pytest.fixture(params=[401])
def api(ready: Machine, request: pytest.FixtureRequest) -> Iterator[Api]:
    """Run an API, which is that of the stack once it is deployed."""
    api = Api(request.param)
    thread = Thread(target=api.server.serve_forever, args=(0.01,))
    thread.start()
    deployed(ready, api.url)
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


@contextmanager
def kinesis(machine: Machine, **summary: str) -> Iterator[None]:
    """Let Kinesis answer the machine with the summary of a stream."""
    described = {
        "StreamDescriptionSummary": {
            "StreamARN": JOINED["StreamArn"],
            "StreamName": "facts",
            "StreamCreationTimestamp": 1_764_000_000.0,
            **summary,
        }
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(described).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    machine.environment["AWS_ENDPOINT_URL_KINESIS"] = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestStream:
    def test_one_that_keeps_no_order_is_refused_before_anything_is_done(self, ready: Machine) -> None:
        with kinesis(ready, RecordDistributionStrategy="AUTO"):
            done = ready.deploy("Auth=iam", f"StreamArn={JOINED['StreamArn']}")
        assert done.returncode == 1
        assert "RecordDistributionStrategy is AUTO" in done.stderr
        assert not ready.calls

    @pytest.mark.usefixtures("api")
    def test_one_that_keeps_partition_keys_in_order_is_taken(self, ready: Machine) -> None:
        with kinesis(ready, RecordDistributionStrategy="USER_PARTITION_KEY"):
            done = ready.deploy("Auth=iam", f"StreamArn={JOINED['StreamArn']}")
        assert done.returncode == 0, done.stderr

    @pytest.mark.usefixtures("api")
    def test_where_it_cannot_be_seen_that_is_said(self, ready: Machine) -> None:
        ready.environment["AWS_ENDPOINT_URL_KINESIS"] = "http://127.0.0.1:1"
        done = ready.deploy("Auth=iam", f"StreamArn={JOINED['StreamArn']}")
        assert done.returncode == 0, done.stderr
        assert "Whether the stream keeps the order of a user's events is not known" in done.stderr


class TestBefore:
    def test_all_that_is_missing_is_reported_at_once(self, empty: Machine) -> None:
        done = empty.deploy()
        assert done.returncode == 1
        assert done.stderr.startswith("Nothing is deployed. It takes:\n")
        for needed in ("aws-sam-cli", "credentials", "REGION=", "build/consumer.zip", "build/api.zip"):
            assert needed in done.stderr

    @pytest.mark.parametrize("without", ["sam", "AWS_ACCESS_KEY_ID", "AWS_REGION", "api.zip"])
    def test_without_one_of_them_nothing_is_done(self, ready: Machine, without: str) -> None:
        for path in (ready.programs / without, ready.folder / "build" / without):
            path.unlink(missing_ok=True)
        ready.environment.pop(without, None)
        done = ready.deploy("Auth=iam")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 2
        assert not ready.calls

    def test_a_new_stack_takes_to_know_who_may_read_the_api(self, ready: Machine) -> None:
        done = ready.deploy("StorageTtl=60")
        assert done.returncode == 1
        assert "PARAMETERS='Auth=iam'" in done.stderr
        assert [call[0] for call in ready.calls] == ["list"]

    @pytest.mark.parametrize("value", [" ", "\t"])
    def test_white_space_is_no_value_of_a_parameter(self, ready: Machine, value: str) -> None:
        done = ready.deploy("Auth=jwt", f"JwtIssuer={value}")
        assert f"a value in {f'JwtIssuer={value}'!r}, or nothing" in done.stderr
        assert not ready.calls

    @pytest.mark.parametrize("region", [" ", "Stockholm"])
    def test_a_region_that_is_none_is_reported(self, ready: Machine, region: str) -> None:
        done = ready.deploy("Auth=iam", "--region", region)
        assert f"a region: REGION=eu-north-1, and not {region!r}" in done.stderr
        assert not ready.calls

    def test_a_parameter_has_a_name_and_a_value(self, ready: Machine) -> None:
        done = ready.deploy("Auth=iam", "StorageTtl")
        assert "NAME=VALUE, of which 'StorageTtl' is none" in done.stderr
        assert not ready.calls


class TestDeployment:
    def test_it_is_sam_deploy(self, ready: Machine, api: Api) -> None:
        done = ready.deploy("Auth=iam", "StorageTtl=60")
        assert done.returncode == 0, done.stderr
        deploy, outputs = ready.calls
        where = ["--stack-name", "user-limits", "--region", "eu-north-1"]
        assert deploy == [
            *["deploy", "--template-file", str(TEMPLATE), *where, "--resolve-s3"],
            *["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"],
            *["--parameter-overrides", "Auth=iam", "StorageTtl=60"],
        ]
        assert outputs == ["list", "stack-outputs", *where, "--output", "json"]
        assert api.asked == [f"{PROBE} None"]
        assert "A stranger is answered with 401. https://dashboard.example" in done.stdout

    def test_a_parameter_can_be_emptied(self, ready: Machine, api: Api) -> None:
        done = ready.deploy("Auth=iam", "MigrationTarget=", "JwtJwks=https://issuer.example/keys?v=")
        assert done.returncode == 0, done.stderr
        # As its own pattern for a value wants it: something, or quotes around nothing.
        assert ready.calls[0][-3:] == [
            *["Auth=iam", 'MigrationTarget=""', "JwtJwks=https://issuer.example/keys?v="]
        ]
        assert api.asked

    def test_where_it_goes_can_be_said(self, ready: Machine, api: Api) -> None:
        done = ready.deploy(
            *["Auth=iam", "--stack", "limits-test", "--region", "us-east-1", "--bucket", "artifacts"]
        )
        assert done.returncode == 0, done.stderr
        assert ready.calls[0][3:9] == [
            *["--stack-name", "limits-test", "--region", "us-east-1", "--s3-bucket", "artifacts"]
        ]
        assert api.asked

    def test_a_stack_that_exists_remembers_its_parameters(self, ready: Machine, api: Api) -> None:
        (ready.programs / "outputs.json").write_text((ready.programs / "afterwards.json").read_text())
        done = ready.deploy()
        assert done.returncode == 0, done.stderr
        assert [call[0] for call in ready.calls] == ["list", "deploy", "list"]
        assert "--parameter-overrides" not in ready.calls[1]
        assert api.asked

    def test_sams_own_configuration_counts(self, ready: Machine, api: Api) -> None:
        del ready.environment["AWS_REGION"]
        (ready.folder / "samconfig.toml").write_text(
            """
            [default.global.parameters]
            stack_name = "limits-prod"
            region = "eu-west-1"
            [default.deploy.parameters]
            s3_bucket = "artifacts"
            parameter_overrides = "Auth=iam StorageTtl=60"
            """
        )
        done = ready.deploy()
        assert done.returncode == 0, done.stderr
        assert ready.calls[0][3:7] == ["--stack-name", "limits-prod", "--region", "eu-west-1"]
        assert not {"--resolve-s3", "--s3-bucket", "--parameter-overrides"} & set(ready.calls[0])
        assert api.asked

    def test_if_sam_fails_so_does_it(self, ready: Machine) -> None:
        done = ready.deploy("Auth=iam")
        assert done.returncode == 7
        assert [call[0] for call in ready.calls] == ["deploy"]


@pytest.mark.parametrize("api", [200, 404, 500], indirect=True)
def test_an_api_that_does_not_refuse_a_stranger_is_an_error_that_says_how_to_close_it(
    ready: Machine, api: Api
) -> None:
    done = ready.deploy("Auth=iam")
    assert done.returncode == 1
    assert "answered a stranger with" in done.stderr
    assert "--disable-execute-api-endpoint" in done.stderr
    assert api.asked


@pytest.mark.parametrize("api", [403], indirect=True)
def test_what_is_refused_for_want_of_a_signature_is_refused(ready: Machine, api: Api) -> None:
    assert ready.deploy("Auth=iam").returncode == 0
    assert api.asked
