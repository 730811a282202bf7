"""What a configuration says of mirrors, from YAML to what is in force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from config.folders import PROVIDERS, snapshot

from routing_engine.config.load import Configuration, configure
from routing_engine.errors import ConfigError
from routing_engine.settings.integration import ProviderSetup
from routing_engine.settings.mirror import MirrorSettings
from routing_engine.settings.yaml_reader import Section

ROUTE = "sources: [{integration: crm, search: {by: caller}, rules: [{to: {queue: a}}]}]\ndefault: {to: {queue: b}}\n"


def read(
    mirror: str, model: str = "{numbers: phone}", provider: str = "fake_list", route: str = ROUTE
) -> Configuration:
    crm = f"provider: {provider}\nmodels: {{contact: {model}}}\n{mirror}\n"
    return configure(snapshot({"integrations/crm.yaml": crm, "routes/support.yaml": route}), PROVIDERS)


def test_every_default_is_that_of_the_settings() -> None:
    assert read("mirror: {}").integrations["crm"].mirror == MirrorSettings()
    assert read("").integrations["crm"].mirror is None


def test_every_key_is_taken() -> None:
    keys = "full_every_s: 3600, changes_every_s: none, overlap_s: 10, usable_for_s: 7200, page_timeout_s: 5"
    found = read(f"mirror: {{{keys}, most_lost_percent: 20, key: number, until_ready: live}}")
    assert found.integrations["crm"].mirror == MirrorSettings(3600, 0, 10, 7200, 5, 20, "number", "live")


def test_a_search_by_the_caller_needs_numbers_in_a_mirror() -> None:
    with pytest.raises(ConfigError, match="the model 'contact' is mirrored, and has no number to find a caller by"):
        read("mirror: {}", model="{}")
    named = ROUTE.replace("{by: caller}", "{by: caller, field: phone}")
    assert read("mirror: {}", model="{}", route=named).integrations["crm"].models["contact"].mirrored


def test_a_system_that_cannot_search_by_numbers_is_not_asked_live() -> None:
    def read_unsearchable(section: Section, name: str) -> ProviderSetup:
        found = PROVIDERS["fake_list"](section, name)
        return replace(found, models={name: replace(one, attempts=0) for name, one in found.models.items()})

    def read_odd(until_ready: str) -> Configuration:
        crm = f"provider: odd\nmodels: {{contact: {{numbers: phone}}}}\nmirror: {{until_ready: {until_ready}}}\n"
        texts = {"integrations/crm.yaml": crm, "routes/support.yaml": ROUTE}
        return configure(snapshot(texts), {"odd": read_unsearchable})

    assert read_odd("down").integrations["crm"].models["contact"].attempts == 1
    with pytest.raises(ConfigError, match="cannot be searched by the caller's number, so nobody can be asked live"):
        read_odd("live")
