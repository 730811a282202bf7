"""The table of CRMs names every description that ships, with its ways to log in and its models."""

from __future__ import annotations

import re

import pytest
import yaml

from routing_engine.providers.crm.settings import shipped_description
from routing_engine.providers.shipped import shipped

from .pages import ROOT

FOLDER = ROOT / "docs" / "crm"
ROWS = {
    cells[1].strip("` "): cells
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| [") and (cells := line.strip("| ").split(" | "))
}


def test_every_description_that_ships_is_in_the_table() -> None:
    assert sorted(ROWS) == sorted(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_row_has_the_ways_and_the_models_of_its_description(name: str) -> None:
    found, (_, _, ways, models, _) = shipped_description(name), ROWS[name]
    assert re.findall(r"`(\w+)`", ways) == list(found.ways)
    assert re.findall(r"`(\w+)`", models) == list(found.models)


@pytest.mark.parametrize("name", shipped())
def test_the_page_of_a_system_names_its_provider_and_grades_what_was_proven(name: str) -> None:
    (page,) = re.findall(r"\((\w+\.md)\)", ROWS[name][0])
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert f"provider: {name}" in text
    assert "was proved" in text or "was proven" in text


def nested_in_braces(node: yaml.Node, inside: bool = False) -> bool:
    """Whether a mapping stands within braces or brackets, where it is hard to read and to change."""
    if isinstance(node, yaml.ScalarNode):
        return False
    if inside and isinstance(node, yaml.MappingNode):
        return len(node.value) > 1
    below = node.value if isinstance(node, yaml.SequenceNode) else [value for _, value in node.value]
    return any(nested_in_braces(one, bool(node.flow_style)) for one in below)


@pytest.mark.parametrize("name", shipped())
def test_a_description_is_written_in_block_style_with_short_lines(name: str) -> None:
    text = (ROOT / "routing_engine" / "providers" / "descriptions" / f"{name}.yaml").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 100
    assert not nested_in_braces(yaml.compose(text))
