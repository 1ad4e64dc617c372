"""Lambda's runtimes of Python, and the platforms of wheels that run on them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

import sys
from typing import Literal, NamedTuple, get_args

Architecture = Literal["arm64", "x86_64"]
PythonVersion = Literal["3.12", "3.13", "3.14"]

RUNTIMES: tuple[str, ...] = get_args(PythonVersion)
DEFAULT_RUNTIME = "3.13"

_GLIBC = range(34, 16, -1)
"""Minor versions of the C library, from Amazon Linux 2023's down: pip matches each platform by its name."""

_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


class Runtime(NamedTuple):
    """A runtime of Lambda: its version of Python, and the processor."""

    python: str = DEFAULT_RUNTIME
    architecture: Architecture = "arm64"

    @property
    def tags(self) -> list[str]:
        """The platforms of wheels that it runs."""
        machine = _MACHINES[self.architecture]
        return [*(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC), f"manylinux2014_{machine}"]

    @property
    def environment(self) -> dict[str, str]:
        """What the markers of requirements are evaluated in.

        Source: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
        """
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": _MACHINES[self.architecture],
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


def own_runtime() -> str:
    """Return the version of the Python that runs this, or the default if Lambda has no such runtime."""
    own = "{}.{}".format(*sys.version_info)
    return own if own in RUNTIMES else DEFAULT_RUNTIME
