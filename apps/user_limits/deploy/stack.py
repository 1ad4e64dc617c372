"""The command: `python -m deploy.stack`, and `make deploy`. It wraps `sam deploy`.

All missing requirements are reported at once, before anything is changed. After the deployment, one request
is sent to the API as a stranger.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import botocore.session

from deploy.artifact import APPLICATION, FUNCTIONS, ROOT
from kinesis_handler import ConfigurationError
from kinesis_handler.aws import find_region
from kinesis_handler.environment import REGION
from kinesis_handler.errors import StreamError
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.ordering import order_problem
from kinesis_handler.local.stream.reader import StreamReader

TEMPLATE = APPLICATION / "template.yaml"
STACK = "user-limits"
CONFIGURATION = "samconfig.toml"
PROBE = "/api/v1/users/nobody/limits"
"""Path that a stranger requests, which the API must refuse."""

WHO = (
    "who may read the API: PARAMETERS='Auth=iam', or "
    "PARAMETERS='Auth=jwt JwtIssuer=… JwtAudience=… JwtJwks=…' (docs/how-to/deploy.md)"
)
SECONDS = 30
REFUSED = {401, 403}


def main() -> None:
    """Deploy the template with the artifacts of `make build`."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=main.__doc__)
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="parameters of the template")
    parser.add_argument("--stack", help=f"the name of the stack; default: {STACK}")
    parser.add_argument("--region", help="default: what the AWS SDK finds")
    parser.add_argument("--bucket", help="where the zips are put; default: one that sam makes")
    parser.add_argument("--yes", action="store_true", help="do not show the changes and ask first")
    parser.add_argument("--folder", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    configured = _configuration(given.folder)
    region = given.region or configured.get("region") or _found_region()
    parameters = given.parameters or _words(configured.get("parameter_overrides", []))
    if missing := list(_missing(given.folder, parameters, region)):
        _refuse(missing)
    if problem := _stream_problem(parameters, region):
        _refuse([problem])
    sam = shutil.which("sam") or "sam"
    where = ["--stack-name", given.stack or configured.get("stack_name") or STACK, "--region", region]
    outputs = [sam, "list", "stack-outputs", *where, "--output", "json"]
    if not any(each.startswith("Auth=") for each in parameters) and _run(outputs).returncode:
        _refuse([WHO])  # an existing stack remembers its parameters
    ask = "--no-confirm-changeset" if given.yes or not sys.stdin.isatty() else "--confirm-changeset"
    command = [
        *[
            sam,
            "deploy",
            "--template-file",
            str(TEMPLATE),
            *where,
            *_bucket(given.bucket, configured),
        ],
        *["--capabilities", "CAPABILITY_IAM", ask, "--no-fail-on-empty-changeset"],
        *(["--parameter-overrides", *map(_override, given.parameters)] if given.parameters else []),
    ]
    if status := subprocess.run(command, cwd=given.folder, check=False).returncode:  # noqa: S603 - AWS's own
        sys.exit(status)
    _ask_as_a_stranger(outputs)


def _refuse(missing: Sequence[str]) -> NoReturn:
    sys.exit("\n".join(["Nothing is deployed. It takes:", *(f"- {each}" for each in missing)]))


def _found_region() -> str:
    """Return the region of the environment or of a profile, as every client finds it; or an empty string."""
    try:
        return find_region()
    except ConfigurationError:
        return ""


def _bucket(given: str | None, configured: Mapping[str, Any]) -> list[str]:
    if given:
        return ["--s3-bucket", given]
    return [] if "s3_bucket" in configured else ["--resolve-s3"]


def _override(parameter: str) -> str:
    """Return a parameter in sam's form: sam ignores an empty one without quotes."""
    name, _, value = parameter.partition("=")
    return parameter if value else f'{name}=""'


def _words(overrides: str | list[str]) -> list[str]:
    return shlex.split(overrides) if isinstance(overrides, str) else overrides


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - AWS's own


def _configuration(folder: Path) -> dict[str, Any]:
    """Return the settings for a deployment in sam's own configuration, if there is one."""
    file = folder / CONFIGURATION
    if not file.exists():
        return {}
    default = tomllib.loads(file.read_text()).get("default", {})
    return {
        name: value
        for section in ("global", "deploy")
        for name, value in default.get(section, {}).get("parameters", {}).items()
    }


def _missing(folder: Path, parameters: Sequence[str], region: str) -> Iterator[str]:
    """Yield each requirement that is missing."""
    if shutil.which("sam") is None:
        yield "the command sam, AWS's own: `pipx install aws-sam-cli`, or `uv tool install aws-sam-cli`"
    if botocore.session.get_session().get_credentials() is None:
        yield "credentials for AWS: `aws configure sso`, or AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret"
    if not re.fullmatch(REGION, region):
        yield "a region: REGION=eu-north-1" + (f", and not {region!r}" if region else "")
    for wrong in (each for each in parameters if "=" not in each):
        yield f"parameters as NAME=VALUE, of which {wrong!r} is none"
    for blank in (each for each in parameters if each.partition("=")[2].isspace()):
        yield f"a value in {blank!r}, or nothing: white space is neither"
    for name in FUNCTIONS:
        if not (folder / "build" / f"{name}.zip").exists():
            yield f"build/{name}.zip: `make build`"


def _stream_problem(parameters: Sequence[str], region: str) -> str | None:
    """Return why an existing stream must not be read; if it is not accessible, print that and return None."""
    given = dict(each.split("=", 1) for each in parameters)
    if not (stream := given.get("StreamArn")):
        return None
    try:
        summary = StreamReader(kinesis_client(region), stream).summary
    except (StreamError, ConfigurationError) as error:
        print(f"Whether the stream keeps the order of a user's events is not known: {error}", file=sys.stderr)
        return None
    problem = order_problem(summary)
    return f"a stream that keeps the order of a user's events; {stream}: {problem}" if problem else None


def _ask_as_a_stranger(command: Sequence[str]) -> None:
    """Request limits from the API without credentials. Exit with 1 if they are answered: the API is open.

    Args:
        command: prints the outputs of the stack.
    """
    described = _run(command)
    if described.returncode:
        sys.exit(f"It is deployed. Whether the API is closed to strangers is not known:\n{described.stderr}")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in json.loads(described.stdout)}
    status = _status(outputs["ApiUrl"] + PROBE)
    if status not in REFUSED:
        sys.exit(
            f"It is deployed, and the API answered a stranger with {status}, not 401 or 403. If that is no "
            "passing failure, close it: aws apigatewayv2 update-api --disable-execute-api-endpoint --api-id "
            + outputs["ApiUrl"].removeprefix("https://").partition(".")[0]
        )
    print(f"A stranger is answered with {status}. {outputs['DashboardUrl']}")


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - the API that was deployed
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    main()
