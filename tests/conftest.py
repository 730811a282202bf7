"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _a_log_of_its_own() -> Iterator[None]:
    """A command sets up the log of the whole process: no test may meet that of another."""
    yield
    structlog.reset_defaults()
