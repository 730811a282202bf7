"""What the tests of the SQL provider share, on every kind of database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from routing_engine.core.model import Record
from routing_engine.core.ports import Provider, Query
from routing_engine.providers.registry import PROVIDERS, Readers
from routing_engine.settings.integration import ProviderSetup
from routing_engine.settings.yaml_reader import Problems, read_yaml

from .contract import REGION

PASSWORD = "pä'ss w\\ord"
MODELS = """
models:
  contact:
    table: customers
    fields: {id: id, number: customer_number, name: full_name, city: city, phone: phone}
    numbers: phone
    record_url: 'https://crm.example.com/contacts/{id}'
"""
#: How people write +43 664 1234567.
SPELLED = (
    "+43 664 1234567",
    "+436641234567",
    "0664/1234567",
    "0664 123 45 67",
    "(0664) 123-45.67",
    "0043 664 1234567",
    "+43 (0)664 1234567",
    "0664\u00a01234567",
    "436641234567",
)
#: What somebody may type, or send as a caller's number, to be more than a value.
INJECTIONS = (
    "' OR 1=1",
    "' OR '1'='1",
    '" OR ""="',
    "` OR 1=1",
    "1; DROP TABLE customers; --",
    "123456'/*",
    "%",
    "1234__",
    "\\",
    "\\' OR 1=1 -- ",
    "\u0000",
    "123456\u0000",
    "*",
    "}}{{",
    "${PASSWORD}",
    "$1",
    ":value",
    "?",
    "%s",
    "\ud800",
    "\u02bc OR 1=1",
    "\uff07 OR 1=1",
    "0x31",
    "1e5",
    "NULL",
)


def read(text: str, folder: Path, password: str = PASSWORD) -> tuple[ProviderSetup, list[str]]:
    """An integration `shop` with this YAML, and its problems with their lines."""
    notes = Problems("integrations/shop.yaml", {"PASSWORD": password}.get)
    section = read_yaml(f"provider: sql\n{text}" if "provider:" not in text else text, notes)
    assert section is not None
    section.value("provider")
    connection = Readers(PROVIDERS, folder)["sql"](section, "shop")
    return connection, [f"{one.line}: {one.sentence}; {one.remedy}" for one in notes.problems]


def problems(text: str, folder: Path = Path()) -> list[str]:
    return read(text, folder)[1]


def opened(text: str, folder: Path = Path(), password: str = PASSWORD) -> Provider:
    """The provider of an integration `shop` with this YAML; every problem in it is a failure."""
    connection, wrong = read(text, folder, password)
    assert wrong == []
    return PROVIDERS["sql"].open("shop", connection.settings, connection.models, REGION, time.monotonic)


async def find(text: str, query: Query, folder: Path = Path(), password: str = PASSWORD) -> Sequence[Record]:
    """What a provider of its own finds."""
    provider = opened(text, folder, password)
    try:
        return await provider.find(query)
    finally:
        await provider.close()
