"""The tables of the reference that are made from the keys of the code: current, and none is missing."""

from __future__ import annotations

import pytest

from rig.api_reference import offered, with_addresses
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.route.read import RouteKeys
from routing_engine.providers.crm.read_description import DescriptionKeys, KnownModelKeys, WayKeys
from routing_engine.providers.crm.read_parts import (
    DescribeKeys,
    EachKeys,
    FieldAttemptKeys,
    ListAttemptKeys,
    PhoneAttemptKeys,
    StepKeys,
)
from routing_engine.providers.oauth.plan import PlanKeys
from routing_engine.providers.oauth.settings import OAuthAppKeys, OwnAddressKeys
from routing_engine.providers.registry import PROVIDERS
from routing_engine.settings.integration import IntegrationKeys
from routing_engine.settings.pbx import PbxKeys
from routing_engine.settings.people import GroupKeys, UserKeys
from routing_engine.settings.reference import refreshed, sections_of
from routing_engine.settings.spec import schema_of
from routing_engine.settings.value_types import Definitions
from routing_engine.settings.webhook import WebhookKeys

from .pages import REFERENCE, table

PAGES = sorted(REFERENCE.glob("*.md"))
#: Shapes that have no keys of their own, or one, and are described in words.
BY_HAND = {"Condition", "Operators", "Prompt", "Destination", "NamedInputKeys", "PreferKeys"}
#: The file of an integration, by its provider.
INTEGRATIONS = {name: kind.keys for name, kind in PROVIDERS.items()}
#: Parts of a description that are read one by one, because what a text in them may name depends on the rest.
DESCRIBED = [WayKeys, PlanKeys, OAuthAppKeys, OwnAddressKeys, KnownModelKeys, PhoneAttemptKeys, FieldAttemptKeys]
DESCRIBED += [ListAttemptKeys, EachKeys, DescribeKeys, StepKeys]
#: What a whole file holds, one for each kind of file.
FILES = [
    EngineSettings,
    PbxKeys,
    UserKeys,
    GroupKeys,
    WebhookKeys,
    IntegrationKeys,
    RouteKeys,
    *INTEGRATIONS.values(),
    DescriptionKeys,
    *DESCRIBED,
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tables_of_a_page_are_those_of_the_code(page):
    text = page.read_text(encoding="utf-8")
    assert refreshed(text) == text, "run: make reference"


@pytest.mark.io
def test_the_addresses_of_the_api_are_those_of_the_code():
    text = (REFERENCE / "api-requests.md").read_text(encoding="utf-8")
    assert with_addresses(text, offered()) == text, "run: make reference"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.__name__)
def test_every_section_of_a_file_has_its_table(file):
    definitions = Definitions()
    schema_of(file, definitions)
    documented = {one.partition(":")[2] for page in PAGES for one in sections_of(page.read_text(encoding="utf-8"))}
    assert {file.__name__, *definitions.by_name} - BY_HAND <= documented


def test_every_shipped_provider_has_keys_and_is_named():
    assert set(INTEGRATIONS) == set(PROVIDERS)
    (row, *_) = table(REFERENCE / "integrations.md", "Every integration")
    assert all(f"`{provider}`" in row.text for provider in PROVIDERS)
