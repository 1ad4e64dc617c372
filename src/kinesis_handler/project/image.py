"""Writes the folder of a container image. Pure but for the file.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
"""

from pathlib import Path

from kinesis_handler.project.runtime import Runtime

_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}


def dockerfile(folder: str, runtime: Runtime, handler: str) -> str:
    """Return the Dockerfile of an image that runs a function.

    Args:
        folder: the folder of the function, beside the Dockerfile.
        runtime: that the folder was built for.
        handler: the function, as `package.module.name`.
    """
    return (
        f"FROM --platform={_PLATFORMS[runtime.architecture]} public.ecr.aws/lambda/python:{runtime.python}\n"
        f"COPY {folder}/ ${{LAMBDA_TASK_ROOT}}/\n"
        f'CMD ["{handler}"]\n'
    )


def write_dockerfile(folder: Path, runtime: Runtime, handler: str) -> Path:
    """Write the Dockerfile beside the folder of a function, and return it."""
    file = folder.with_name(f"{folder.name}.Dockerfile")
    file.write_text(dockerfile(folder.name, runtime, handler), encoding="utf-8")
    return file
