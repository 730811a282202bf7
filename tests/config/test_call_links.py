"""Entries that are to lead to the page of their call: remarked where nobody has said where the pages are."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.config.store import ConfigStore
from routing_engine.providers.registry import PROVIDERS, Readers
from routing_engine.settings.yaml_reader import Problem

pytestmark = pytest.mark.io

CRM = "provider: pipedrive\ncompany: acme\nauth: {api_token: '${TOKEN}'}\nmodels: {contact: {}}\n"
PAGES = "pages: {address: 'https://calls.example.com'}\n"


def remarks(folder: Path, log: str, settings: str = "") -> list[Problem]:
    (folder / "integrations").mkdir()
    (folder / "engine.yaml").write_text(f"region: AT\n{settings}")
    (folder / "integrations" / "crm.yaml").write_text(CRM + log)
    store = ConfigStore(folder, Readers(PROVIDERS, folder), {"TOKEN": "t0ken"}.get)
    return [one for one in store.load().remarks if one.file == "integrations/crm.yaml"]


@pytest.mark.parametrize("log", ["log: {link: true}\n", "log:\n  recording: link\n"])
def test_links_to_pages_that_nobody_knows_are_remarked_with_the_line_to_add(tmp_path: Path, log: str) -> None:
    (found,) = remarks(tmp_path, log)
    assert found.line == 4 + log.count("\n")
    assert ("entries lead nowhere" in found.sentence, "pages: {address:" in found.remedy) == (True, True)


@pytest.mark.parametrize("log", ["", "log: none\n", "log: {link: false}\n", "log: {recording: attach}\n"])
def test_who_has_not_asked_for_links_hears_nothing(tmp_path: Path, log: str) -> None:
    assert remarks(tmp_path, log) == []


def test_nothing_is_remarked_where_the_address_is_said(tmp_path: Path) -> None:
    assert remarks(tmp_path, "log: {link: true, recording: link}\n", PAGES) == []
