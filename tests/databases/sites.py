"""A real database with the customers of the contract, and a user who may read them and do nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncmy
import asyncpg

from rig.databases import Database
from tests.fakes import FOREVER_S
from tests.providers.contract import CUSTOMERS
from tests.providers.sql import MODELS, PASSWORD

ROWS = [tuple(str(value) for value in row.values()) for row in CUSTOMERS]
TEXTS = "customer_number VARCHAR(80), full_name VARCHAR(80), city VARCHAR(80), phone VARCHAR(80)"


@dataclass
class Site:
    """A database server, and what the tests do to it as its administrator."""

    server: Database

    @property
    def scheme(self) -> str:
        return self.server.kind

    @property
    def database(self) -> str:
        return "postgres" if self.scheme == "postgresql" else "test"

    @property
    def is_postgresql(self) -> bool:
        return self.scheme == "postgresql"

    def yaml(self, models: str = MODELS, further: str = "", user: str = "reader", database: str = "") -> str:
        """An integration that asks it."""
        address = f"{self.scheme}://{user}@{self.server.address}/{database or self.database}"
        return f"provider: sql\ndatabase: {address}\npassword: '${{PASSWORD}}'\n{further}{models}"

    async def do(self, *statements: str) -> list[Sequence[Any]]:
        """Run statements one after the other as somebody who may do everything; the rows of the last one."""
        return await (self._postgresql if self.is_postgresql else self._mariadb)(statements)

    async def _postgresql(self, statements: Sequence[str]) -> list[Sequence[Any]]:
        server, rows = self.server, list[Sequence[Any]]()
        connection = await asyncpg.connect(host=server.host, port=server.port, user=server.user, database=self.database)
        try:
            for statement in statements:
                rows = [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()
        return rows

    async def _mariadb(self, statements: Sequence[str]) -> list[Sequence[Any]]:
        server, rows = self.server, list[Sequence[Any]]()
        connection = await asyncmy.connect(
            host=server.host, port=server.port, user=server.user, db=self.database, autocommit=True, charset="utf8mb4"
        )
        try:
            for statement in statements:
                async with connection.cursor() as cursor:
                    await cursor.execute(statement)
                    rows = list(await cursor.fetchall() or [])
        finally:
            await connection.ensure_closed()
        return rows

    async def fill(self) -> None:
        """The customers of the contract, and the engine's user."""
        password = PASSWORD.replace("'", "''")
        await self.do(f"CREATE TABLE customers (id INTEGER PRIMARY KEY, {TEXTS})")
        for row in ROWS:
            await self.do(f"INSERT INTO customers VALUES ({', '.join(map(literal, row))})")
        if self.is_postgresql:
            await self.do(f"CREATE ROLE reader LOGIN PASSWORD '{password}'", "GRANT SELECT ON customers TO reader")
        else:
            password = password.replace("\\", "\\\\")
            await self.do(
                f"CREATE USER reader@'%' IDENTIFIED BY '{password}'", "GRANT SELECT, EXECUTE ON test.* TO reader@'%'"
            )

    async def table(self, name: str, columns: str, *rows: Sequence[str]) -> None:
        """A table of a test's own, made anew, that the engine's user may read; `rows` are SQL expressions."""
        await self.do(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({columns})", self.may_read(name))
        for row in rows:
            await self.do(f"INSERT INTO {name} VALUES ({', '.join(row)})")

    def may_read(self, name: str) -> str:
        return f"GRANT SELECT ON {name} TO reader" if self.is_postgresql else "FLUSH PRIVILEGES"

    def sleep(self, seconds: float) -> str:
        """An expression that takes so long."""
        return f"pg_sleep({seconds})::text" if self.is_postgresql else f"SLEEP({seconds})"

    async def connections(self) -> int:
        """How many the engine's user has open."""
        table = "pg_stat_activity WHERE usename" if self.is_postgresql else "information_schema.processlist WHERE user"
        [(count,)] = await self.do(f"SELECT count(*) FROM {table} = 'reader'")
        return int(count)

    async def sleepers(self) -> int:
        """How many queries of the engine are sleeping."""
        running = "pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(%' AND usename"
        if not self.is_postgresql:
            running = "information_schema.processlist WHERE info LIKE '%SLEEP(%' AND user"
        [(count,)] = await self.do(f"SELECT count(*) FROM {running} = 'reader'")
        return int(count)

    async def until_sleepers(self, wanted: int) -> None:
        """Wait until as many are."""
        async with asyncio.timeout(FOREVER_S):
            while await self.sleepers() != wanted:
                await asyncio.sleep(0.02)


def literal(text: str) -> str:
    """A text as both databases write it."""
    return "'" + text.replace("'", "''") + "'"
