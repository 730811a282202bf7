"""What holds for all tests."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator, Iterator

import pytest
import structlog

import tests.examples  # noqa: F401 - how often a property is tried, before any of them is read

pytest_plugins = ["tests.isolation"]


def pytest_configure() -> None:
    """Let every program that a test starts hear Ctrl-C."""
    # A shell lets what it runs in the background ignore it, which all that is started from there inherits: the tests
    # failed in `make test &`. What we handle ourselves is set back to its default in a new program.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Find the tests without looking for garbage: thousands of them are made, and all of them stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        # Looked for a seventieth as often as usual: a tenth of what all tests take was the search.
        gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _a_log_of_its_own() -> Iterator[None]:
    """A command sets up the log of the whole process: no test may meet that of another."""
    yield
    structlog.reset_defaults()
