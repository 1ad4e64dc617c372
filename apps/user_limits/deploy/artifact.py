"""The functions of this application, and what their artifacts are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from kinesis_handler.project import artifact
from kinesis_handler.project.artifact import NOT_ON_LAMBDA, Artifact, Contents
from kinesis_handler.project.programs import ArtifactError
from kinesis_handler.project.runtime import Runtime

__all__ = ["APPLICATION", "FUNCTIONS", "ROOT", "RUNTIME", "Artifact", "ArtifactError", "Platform", "build"]

APPLICATION = Path(__file__).parent.parent
ROOT = APPLICATION.parent.parent

CACHE = ROOT / "build" / ".dependencies"

Platform = Literal["lambda", "host"]

RUNTIME = "3.13"
"""Python version of the functions, as in the template."""


class Function(NamedTuple):
    """A function, and the parts of our packages that it never imports."""

    name: str
    module: str
    left_out: Sequence[str]

    @property
    def requirements(self) -> Path:
        """File of its pinned dependencies."""
        return ROOT / "requirements" / f"{self.name}.txt"

    @property
    def contents(self) -> Contents:
        """What its artifact is made of."""
        package = APPLICATION / "src" / "user_limits"
        return Contents(self.name, self.requirements.read_text(), [package], [*NOT_ON_LAMBDA, *self.left_out])


FUNCTIONS = {
    each.name: each
    for each in (
        Function(
            "consumer",
            "user_limits.lambda_consumer",
            [
                "user_limits/demo_events.py",
                "kinesis_handler/local/redrive/fetch.py",
                "kinesis_handler/local/redrive/queue.py",
                "kinesis_handler/local/redrive/through_stream.py",
                "user_limits/api",
                "user_limits/lambda_api.py",
            ],
        ),
        Function(
            "api",
            "user_limits.lambda_api",
            [
                "user_limits/demo_events.py",
                "kinesis_handler/local/redrive",
                "user_limits/api/page",
                "user_limits/lambda_consumer.py",
                "user_limits/lambda_redrive.py",
                "user_limits/scheduled_redrive.py",
            ],
        ),
    )
}


def build(
    function: Function, platform: Platform, into: Path, python: str | None = None, cache: Path = CACHE
) -> Artifact:
    """Build a function for Lambda, or for this machine: see `kinesis_handler.project.artifact.build`."""
    runtime = Runtime(RUNTIME) if platform == "lambda" else None
    return artifact.build(function.contents, runtime, into, cache=cache, python=python)
