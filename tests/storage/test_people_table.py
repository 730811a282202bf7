# ruff: noqa: F403  the tests of the contract are these
"""Passwords, sessions, devices and the audit in a file of SQLite: their contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.storage.place import DatabasePlace
from tests.storage.people_contract import *

pytestmark = pytest.mark.io


@pytest.fixture
def place(tmp_path: Path) -> DatabasePlace:
    return DatabasePlace(tmp_path / "calls.db")
