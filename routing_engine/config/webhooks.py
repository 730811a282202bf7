"""A file of `webhooks/`, held against the integrations: both are targets of deliveries, and have one space of names."""

from __future__ import annotations

import re
from collections.abc import Collection

from routing_engine.settings.spec import read
from routing_engine.settings.webhook import WebhookKeys
from routing_engine.settings.yaml_reader import Problems, read_yaml

# As integrations: what lists them together shows names that may be typed.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)


def read_webhook(name: str, text: str, notes: Problems, integrations: Collection[str]) -> WebhookKeys | None:
    """Read a file of `webhooks/`; None when there is any problem, and `notes` then holds all of them."""
    if not _NAME.match(name):
        notes.note(0, f"a webhook cannot be called '{name}'", "name the file with a-z A-Z 0-9 - and _")
    if name in integrations:
        # A call tells by that name alone where it was written: one of them would overwrite the other's state.
        notes.note(0, f"there is an integration '{name}' too", "give the webhook another name")
    section = read_yaml(text, notes)
    if section is None:
        return None
    keys = read(section, WebhookKeys, f"the webhook '{name}'")
    # Whole or not at all: a webhook with half its keys would send what nobody can check.
    return None if notes.problems else keys
