"""Integrations as an operator writes them, read and opened."""

from __future__ import annotations

import time
from pathlib import Path

from routing_engine.core.ports import Provider
from routing_engine.providers.registry import PROVIDERS
from routing_engine.settings.integration import read_models
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.providers.contract import REGION

PASSWORD = "s3cret"


def opened(text: str, folder: Path = Path(), password: str = PASSWORD) -> Provider:
    """The provider of an integration `shop` with this YAML; every problem in it is a failure."""
    notes = Problems("integrations/shop.yaml", {"PASSWORD": password}.get)
    section = read_yaml(text, notes)
    assert section is not None
    kind = PROVIDERS[section.text("provider")]
    models = read_models(section)
    settings = kind.read_settings(section, "shop", folder)
    assert notes.problems == []
    return kind.open("shop", settings, models, REGION, time.monotonic)
