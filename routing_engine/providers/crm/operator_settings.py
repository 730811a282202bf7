"""What a description wants an operator to give, read from YAML: its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from routing_engine.providers.crm.model import OperatorSetting
from routing_engine.settings.yaml_reader import Section, section_of

#: Keys of an integration that are the engine's own: no setting is called so.
RESERVED = frozenset(
    "provider models limits breaker auth address tls number_form connect_timeout_s max_answer_bytes mirror "
    "hosts".split()
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")


def read_settings(section: Section) -> Mapping[str, OperatorSetting]:
    """Take `settings`: what the operator writes at the top of an integration."""
    settings = section.section("settings")
    found = {}
    for name in settings.names() if settings is not None else ():
        assert settings is not None
        node = settings.take(name)
        one = None if node is None else section_of(node, section.notes, f"the setting '{name}'")
        if not _NAME.match(name) or name in RESERVED:
            settings.note(name, f"a setting cannot be called '{name}'", "use a-z, 0-9 and _, and no key of ours")
        elif one is not None:
            found[name] = _setting(one, name)
    return found


def _setting(section: Section, name: str) -> OperatorSetting:
    section.require("example", "example: '12345'")
    pattern = section.text("pattern")
    try:
        re.compile(pattern)
    except re.error:
        section.note("pattern", "this is no regular expression", "write for example '[0-9]+'")
        pattern = ""
    default = section.text("default") if "default" in section.names() else None
    found = OperatorSetting(section.text("example"), pattern, default)
    for key in ("example", "default"):
        if (value := section.text(key)) and not found.fits(value):
            section.note(key, f"'{key}' does not fit the pattern", "correct one of the two")
    section.close(f"the setting '{name}'")
    return found
