"""Everything here that awaits runs on the standard loop and on uvloop: the listener ends connections itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

Factories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Factories:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
