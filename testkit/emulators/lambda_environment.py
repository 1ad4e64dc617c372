"""The environment of a Lambda function: its configuration, the variables, a Python with the AWS SDK.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html,
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

import os
import re
import venv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

from msgspec import Struct

ACCOUNT = "123456789012"

BROUGHT_BY_THE_RUNTIME = ("awslambdaric", "boto3")
"""Distributions in Lambda's Python, besides their dependencies: a function need not ship them."""


class Configuration(Struct, frozen=True, kw_only=True):
    """Configuration of a function, with the names of CloudFormation.

    Args:
        artifact: the folder of its code.
        handler: `module.function`.
        variables: its environment variables.
        name: name of the function.
        runtime: `python3.13` for example; the interpreter is always this machine's.
        memory_size: megabytes.
        timeout: seconds.
        concurrency: maximum number of environments at the same time.
        region: the value of AWS_REGION.
        on_this_machine: additional variables, which direct the SDK to this machine.
        layers: folders that are on its path, after the artifact.
    """

    artifact: Path
    handler: str
    variables: Mapping[str, str] = {}
    name: str = "function"
    runtime: str = "python3.13"
    memory_size: int = 128
    timeout: float = 3
    concurrency: int = 1_000
    region: str = "eu-west-1"
    on_this_machine: Mapping[str, str] = {}
    layers: Sequence[Path] = ()

    @property
    def arn(self) -> str:
        """ARN of the function."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"


def make_runtime(folder: Path) -> Path:
    """Create a Python in a folder with exactly the packages of Lambda's; return the interpreter."""
    venv.create(folder, symlinks=True)
    [site_packages] = folder.glob("lib/python*/site-packages")
    for path in {path for name in _closure(BROUGHT_BY_THE_RUNTIME) for path in _top_level(name)}:
        (site_packages / path.name).symlink_to(path)
    return folder / "bin" / "python"


def _closure(names: Iterable[str]) -> set[str]:
    """Return the names of distributions, and of all their dependencies."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needs = (each for each in distribution(name).requires or () if "extra ==" not in each)
            waiting += [re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in needs]
    return found


def _top_level(name: str) -> Iterator[Path]:
    """Return the packages and modules of a distribution, as they are in this interpreter's environment."""
    files = distribution(name).files or ()
    for first in {Path(file).parts[0] for file in files}:
        if first not in {"..", "__pycache__"}:
            yield Path(str(distribution(name).locate_file(first)))


def variables(function: Configuration, runtime_api: str) -> dict[str, str]:
    """Return the whole environment of the process."""
    return {
        **function.on_this_machine,
        **function.variables,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]00000000000000000000000000000000",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "ASIALOCAL",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "LAMBDA_TASK_ROOT": str(function.artifact),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(map(str, function.layers)),
        "TZ": ":UTC",
    }
