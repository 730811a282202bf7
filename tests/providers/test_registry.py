"""Every kind of provider in the table can be read from YAML and opened."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from routing_engine.providers.registry import PROVIDERS, Readers, known_providers
from routing_engine.settings.yaml_reader import Problems, read_yaml

from .contract import REGION, by_field, ids

YAML = {
    "http": "address: https://erp.example.com/",
    "records": "file: customers.csv",
    "ldap": "address: ldaps://ldap.example.com\nbase: dc=example",
    "redis": "address: rediss://redis.example.com\nkeys: {contact: {by_caller: 'phone:{number}'}}",
    "astdb": "address: ami://127.0.0.1\nuser: engine\npassword: '${PASSWORD}'\n"
    "keys: {contact: {by_caller: 'vip/{number}'}}",
    "sql": "database: mysql://reader@localhost/crm\nmodels: {contact: {table: customers}}",
}


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.io
async def test_a_kind_is_read_and_opened(kind: str, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("id\n7\n")
    notes = Problems("integrations/shop.yaml", {"PASSWORD": "s3cret"}.get)
    models = "" if "models:" in YAML[kind] else "models: {contact: {}}\n"
    text = f"provider: {kind}\n{models}{YAML[kind]}"
    section = read_yaml(text, notes)
    assert section is not None
    found = Readers(PROVIDERS, tmp_path)[kind](section, "shop")
    provider = PROVIDERS[kind].open("shop", found.settings, found.models, REGION, time.monotonic)
    assert notes.problems == []
    if kind == "records":
        assert ids(await provider.find(by_field("id", "7"))) == ["7"]
    await provider.close()


def test_a_provider_opens_without_a_running_loop(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("id\n7\n")
    for kind, text in YAML.items():
        section = read_yaml(text, Problems("integrations/shop.yaml", {"PASSWORD": "s3cret"}.get))
        assert section is not None
        settings = PROVIDERS[kind].read_settings(section, "shop", tmp_path)
        PROVIDERS[kind].open("shop", settings, {}, REGION, time.monotonic)


def test_what_ships_is_known_also_without_installed_packages() -> None:
    assert set(PROVIDERS) <= set(known_providers())
