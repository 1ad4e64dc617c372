"""What a process of tests imports and collects stays until it ends: the garbage collector passes it over.

Thousands of tests and hundreds of modules are half a million objects, which each full collection would look
through again: a sixth of all CPU time.
"""

import gc
from collections.abc import Generator

import pytest

ALLOCATED = 10_000
"""Objects after which the youngest are looked through: by default 700, for programs that hold little."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and none of what is there then."""
    _, *older = gc.get_threshold()
    gc.set_threshold(0)  # off, whatever is imported: the functions for Lambda turn the collector on
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(ALLOCATED, *older)
