"""One value changed in the text of a YAML file: everything else stays as people wrote it."""

from __future__ import annotations

import pytest

from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_edit import with_value

PATH = ("anna", "crm", "erp")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# people\nanna:  # sales\n  name: Anna  # G.\n  # her phone\n  phones: [main/201]\n\nbert: {name: Bert}\n",
            "# people\nanna:  # sales\n  name: Anna  # G.\n  crm: {erp: 'it''s 7'}\n  # her phone\n"
            "  phones: [main/201]\n\nbert: {name: Bert}\n",
        ),
        ("anna: {name: Anna,}\n", "anna: {crm: {erp: 'it''s 7'}, name: Anna,}\n"),
        ("anna: {}\n", "anna: {crm: {erp: 'it''s 7'}}\n"),
        ("anna:\n  name: A\n  crm: {zoho: 1}  # x\n", "anna:\n  name: A\n  crm: {erp: 'it''s 7', zoho: 1}  # x\n"),
        ("anna:\n  crm:\n    zoho: 1\n  name: A\n", "anna:\n  crm:\n    zoho: 1\n    erp: 'it''s 7'\n  name: A\n"),
        ('anna:\n  crm: {erp: "6"} # x\n  name: A\n', "anna:\n  crm: {erp: 'it''s 7'} # x\n  name: A\n"),
        ("anna:\n  phones:\n  - main/201\n", "anna:\n  crm: {erp: 'it''s 7'}\n  phones:\n  - main/201\n"),
        ("anna:\n  name: |\n    Anna\n", "anna:\n  crm: {erp: 'it''s 7'}\n  name: |\n    Anna\n"),
        ("anna:\n  name: Anna", "anna:\n  crm: {erp: 'it''s 7'}\n  name: Anna"),
        ("anna:\r\n  name: Ü\r\n", "anna:\r\n  name: Ü\r\n  crm: {erp: 'it''s 7'}\n"),
    ],
)
def test_a_value_is_added_and_nothing_else_changes(before: str, after: str) -> None:
    assert with_value(before, PATH, "it's 7", "users.yaml") == after


@pytest.mark.parametrize("text", ["bert: {name: Bert}\n", "anna: [1]\n", "anna:\n", "anna: {crm: 7}\n", "- anna\n"])
def test_what_cannot_be_changed_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="by hand"):
        with_value(text, PATH, "7", "users.yaml")
