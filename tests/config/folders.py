"""Configuration folders for tests: in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from routing_engine.config.folder import FolderTexts, read_folder
from routing_engine.config.load import Configuration, configure
from routing_engine.errors import ConfigError
from routing_engine.providers.registry import PROVIDERS as SHIPPED
from routing_engine.providers.registry import Readers, describe
from routing_engine.rehearsal import run_examples
from routing_engine.settings.integration import IntegrationKeys, ProviderSetup, limits_of, models_of
from routing_engine.settings.spec import read, setting
from routing_engine.settings.value_types import secret
from routing_engine.settings.yaml_reader import Section

CRM = "provider: fake\ntoken: '${TOKEN}'\nmodels:\n  contact: {}\n  lead: {}\n"
ROUTE = "default: {to: {queue: sales}}\n"


@dataclass(frozen=True, slots=True)
class FakeKeys(IntegrationKeys):
    """The keys of a provider that exists in tests only."""

    token: str = setting(secret(), "", "for nobody")


def read_fake(section: Section, name: str) -> ProviderSetup:
    """Read the keys of a provider that exists in tests only."""
    keys = read(section, FakeKeys, f"the integration '{name}'")
    return ProviderSetup((name, keys.token), models_of(keys), limits_of(keys))


class Listing:
    """Settings of a provider whose records can be listed."""

    def __init__(self, lists: str) -> None:
        self.listing = lambda model: lists


def reader_of_lists(lists: str) -> Callable[[Section, str], ProviderSetup]:
    """Return what reads a provider of tests that can list "all" or "changes"."""
    return lambda section, name: replace(read_fake(section, name), settings=Listing(lists))


#: Providers that ship and need nothing to be read.
REAL = {name: read for name, read in Readers(SHIPPED, Path()).items() if name in ("ldap", "redis", "astdb", "sql")}
PROVIDERS = {
    **REAL,
    "fake": read_fake,
    "fake_list": reader_of_lists("changes"),
    "fake_list_all": reader_of_lists("all"),
}


def snapshot(texts: Mapping[str, str], revision: str = "r") -> FolderTexts:
    return FolderTexts(dict(texts), revision, revision)


def problems_of(texts: Mapping[str, str]) -> list[str]:
    """Return the problems of a configuration that must have some, as `line: sentence; remedy`; never with a secret."""
    with pytest.raises(ConfigError) as caught:
        configure(
            snapshot(texts),
            PROVIDERS,
            {"TOKEN": "hunter2"}.get,
            describe=describe(SHIPPED, Path()),
            run_examples=run_examples,
        )
    assert "hunter2" not in str(caught.value)
    return [f"{one.line}: {one.sentence}; {one.remedy}" for one in caught.value.problems]


def configuration(route: str, **others: str) -> Configuration:
    """Return the configuration of one route `support` and the integration `crm`; `others` are routes too."""
    texts = {f"routes/{name}.yaml": text for name, text in {"support": route, **others}.items()}
    return configured(texts)


def configured(texts: Mapping[str, str], examples: bool = True) -> Configuration:
    """Return the configuration of these files, and of the integration `crm` where none of them is it."""
    texts = {"integrations/crm.yaml": CRM, **texts}
    return configure(snapshot(texts), PROVIDERS, {"TOKEN": "hunter2"}.get, examples, run_examples=run_examples)


def failing(route: str, **files: str) -> list[str]:
    """Return how the examples of a route fail, one sentence each; `files` are engine.yaml and integrations/crm.yaml."""
    where = {"engine": "engine.yaml", "crm": "integrations/crm.yaml"}
    texts = {where[name]: text for name, text in files.items()}
    found = configured({"routes/support.yaml": route, **texts}, examples=False)
    return [one.sentence.partition(" fails: ")[2] for one in found.failing]


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def revision_of(folder: Path) -> str:
    return read_folder(folder).revision
