"""Every sound that a page's route plays is shipped in each language, or has a folder, as sounds of one's own have."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
_PLAYS = ("play", "prompt", "instruction", "retry_prompt", "final_prompt", "sound")
_NAME = re.compile(r"[a-z][a-z_-]*\Z")


def shipped() -> set[str]:
    """The names that there are in every language, as files too."""
    with (ROOT / "sounds" / "prompts.csv").open(encoding="utf-8") as file:
        rows = [(row["name"], row["language"]) for row in csv.DictReader(file)]
    languages = {language for _, language in rows}
    names = {name for name, _ in rows}
    return {
        name
        for name in names
        if all((ROOT / "sounds" / one / f"{name}.wav").exists() for one in languages if (name, one) in rows)
        and languages == {one for found, one in rows if found == name}
    }


def sounds_in(node: object, plays: bool = False) -> Iterator[str]:
    """The plain names that a part of a route plays."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from sounds_in(value, key in _PLAYS)
    elif isinstance(node, list):
        for one in node:
            yield from sounds_in(one, plays)
    elif plays and isinstance(node, str) and _NAME.match(node):
        yield node


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_sound_of_a_page_is_shipped(page: Path) -> None:
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    routes = [block for block in blocks if "config/routes/" in block.split("\n", 1)[0]]
    named = {sound for block in routes for sound in sounds_in(yaml.safe_load(block))}
    assert named - shipped() == set()
