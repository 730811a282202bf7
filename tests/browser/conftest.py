"""A Chromium for each file of tests, and the loop that it lives in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from .chromium import chromium

if TYPE_CHECKING:  # `make test` collects these tests, and has no playwright
    from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
