"""Deciding needs no event loop, no network and no YAML."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.io

PROGRAM = """
import importlib, json, pkgutil, sys
import routing_engine.core as core
for found in pkgutil.iter_modules(core.__path__):
    importlib.import_module(f"{core.__name__}.{found.name}")
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def test_the_core_loads_nothing_that_waits_or_reads() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    loaded = set(json.loads(ran.stdout))
    assert loaded.isdisjoint({"asyncio", "aiohttp", "yaml", "structlog", "logging", "socket", "random", "uvloop"})
