"""The tests of `make mutation`: those of `make check`, with the same few examples each time.

They are called many times: once to find which functions each calls, then for each change of one of these.
"""

from hypothesis import HealthCheck, Phase, settings

from testkit.check import pytest_collection_modifyitems, pytest_ignore_collect

__all__ = ["pytest_collection_modifyitems", "pytest_configure", "pytest_ignore_collect"]


def pytest_configure() -> None:
    """Repeat the same examples, and keep none: a mutant must not profit from what another one found."""
    settings.register_profile(
        "mutation",
        settings.get_profile("short"),
        max_examples=10,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # it fails: how little is needed for that, nobody asks
    )
    settings.load_profile("mutation")
