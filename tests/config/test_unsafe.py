"""What is not safe is remarked, what must stay secret is quoted nowhere, and the engine's own keys stand nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from routing_engine.config.load import Configuration, configure
from routing_engine.errors import ConfigError, Problem
from routing_engine.providers.registry import PROVIDERS as SHIPPED
from routing_engine.providers.registry import Readers, describe

from .folders import ROUTE, snapshot

SECRET = "s3cr3t-" + "x" * 100
MODELS = "models: {contact: {}}\n"
KNOWN = {
    "TOKEN": SECRET,
    "SITE": SECRET,
    "JOURNAL_KEY": "k" * 32,
    "ROUTING_ENGINE_KEY": SECRET,
    "HOST": "erp.example.com",
}


def configured(texts: Mapping[str, str]) -> Configuration:
    return configure(
        snapshot({"routes/support.yaml": ROUTE, **texts}),
        Readers(SHIPPED, Path()),
        KNOWN.get,
        describe=describe(SHIPPED, Path()),
    )


def integration(text: str) -> list[Problem]:
    """The remarks on an integration."""
    found = configured({"integrations/erp.yaml": text}).remarks
    return [one for one in found if one.file == "integrations/erp.yaml" and "no route asks" not in one.sentence]


def problems(text: str, file: str = "integrations/erp.yaml") -> str:
    with pytest.raises(ConfigError) as raised:
        configured({file: text})
    return "\n".join(map(str, raised.value.problems))


KEYS = "keys: {contact: {by_caller: 'phone:{number}'}}"
SQL = "provider: sql\nmodels: {contact: {table: c, fields: {phone: p}}}\n"
UNSAFE = {
    f"provider: http\n{MODELS}address: http://erp.example.com/\nauth: {{bearer: '${{TOKEN}}'}}": 3,
    f"provider: http\n{MODELS}address: https://erp.example.com/\ntls: {{verify: false}}": 4,
    f"provider: redis\n{MODELS}address: redis://redis.example.com\n{KEYS}": 3,
    f"provider: http\n{MODELS}address: 'https://erp.example.com/${{TOKEN}}'": 3,
    f"{SQL}database: postgresql://reader@db.example.com/crm\ntls: none": 4,
}


@pytest.mark.parametrize("text", UNSAFE)
def test_what_is_not_safe_is_remarked_with_its_line(text: str) -> None:
    found = integration(text)
    assert [one.line for one in found] == [UNSAFE[text]]
    assert SECRET[:8] not in str(found)


SAFE = [
    f"provider: http\n{MODELS}address: http://127.0.0.1:8080/\nauth: {{bearer: '${{TOKEN}}'}}",
    f"provider: http\n{MODELS}address: 'https://${{HOST}}/'\nauth: {{bearer: '${{TOKEN}}'}}",
    f"provider: redis\n{MODELS}address: rediss://redis.example.com\n{KEYS}",
    f"{SQL}database: postgresql://reader@127.0.0.1/crm\ntls: none",
]


@pytest.mark.parametrize("text", SAFE)
def test_what_is_safe_is_not_remarked(text: str) -> None:
    assert integration(text) == []


QUOTING = [
    f"provider: bitrix24\naddress: '${{SITE}}'\nsite: '${{SITE}}'\n{MODELS}",
    f"{SQL}database: 'sqlite:///${{TOKEN}}'\n",
    f"{SQL}database: '${{TOKEN}}'\n",
    f"provider: http\n{MODELS}address: '${{TOKEN}}'\n",
    f"provider: freshdesk\nsite: '${{SITE}}'\n{MODELS}",
    f"provider: odoo\nserver: '${{SITE}}'\ndatabase: '${{SITE}}'\n{MODELS}",
]


@pytest.mark.parametrize("text", QUOTING)
def test_a_problem_quotes_what_the_file_says_and_never_what_it_was_filled_with(text: str) -> None:
    assert SECRET[:5] not in problems(text)


@pytest.mark.parametrize("name", ["ROUTING_ENGINE_KEY", "ROUTING_ENGINE_SECRET", "JOURNAL_KEY"])
@pytest.mark.parametrize(
    "where", ["address: 'http://evil.example/${%s}'", "address: https://a.example/\nauth: {bearer: '${%s}'}"]
)
def test_the_engines_own_keys_go_to_nobody(name: str, where: str) -> None:
    told = problems(f"provider: http\n{MODELS}{where % name}\n")
    assert f"{name} is a key of the engine's own: no other system gets it" in told


def test_the_journals_key_stands_where_it_belongs() -> None:
    configured({"engine.yaml": "journal: {numbers: hashed, key: '${JOURNAL_KEY}'}\n"})
    assert "is a key of the engine's own" in problems("cache: {path: '/tmp/${JOURNAL_KEY}'}\n", "engine.yaml")
    assert "is a key of the engine's own" in problems("journal: {key: '${ROUTING_ENGINE_KEY}'}\n", "engine.yaml")
