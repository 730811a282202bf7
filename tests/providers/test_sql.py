"""The SQL provider on SQLite: the contract, own queries, and what happens when the file changes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from routing_engine.core.model import Record
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable

from .contract import CUSTOMERS, ProviderContract, by_caller, by_field, ids
from .sql import MODELS, SPELLED, find, opened, problems

TABLE = "CREATE TABLE customers (id INTEGER PRIMARY KEY, customer_number TEXT, full_name TEXT, city TEXT, phone TEXT)"
DATABASE = "provider: sql\ndatabase: sqlite:///customers.db\n"


def write(folder: Path, rows: Sequence[Sequence[object]], table: str = TABLE, name: str = "customers.db") -> None:
    """Make the file anew, beside its place, then renamed."""
    beside = folder / f"{name}.new"
    beside.unlink(missing_ok=True)
    connection = sqlite3.connect(beside)
    connection.execute(table)
    connection.executemany(f"INSERT INTO customers VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    beside.rename(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, [tuple(row.values()) for row in CUSTOMERS])
    return tmp_path


@pytest.fixture
async def provider(folder: Path) -> AsyncIterator[Provider]:
    provider = opened(DATABASE + MODELS, folder)
    yield provider
    await provider.close()


class TestSqlite(ProviderContract):
    """The contract."""
