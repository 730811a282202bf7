"""Every row of the peers' table is said and shown, or says why not; the page says what the table says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from .site import configuration
from .table import BEGIN, CONFIG, END, PAGE, Feature, as_markdown, features

TESTS = Path(__file__).parents[1]
#: Remarks that show what they are about.
REMARKS = [
    "routes lead in a circle: '04-ring' to '04-ring': a call without a record goes round, and ends in an error",
    "the rule 'the strike' is disabled",
]


def test_every_row_is_there_once_and_in_order() -> None:
    assert [one.row for one in features()] == list(range(1, 95))


@pytest.mark.parametrize("one", features(), ids=lambda one: f"{one.row:02}")
def test_a_row_is_shown_or_says_why_not(one: Feature) -> None:
    if one.said:
        assert one.core or one.asterisk or one.shown_in
    else:
        assert one.not_yet or one.left_out
    assert bool(one.page) is bool(one.said)


@pytest.mark.parametrize("one", [one for one in features() if one.shown_in], ids=lambda one: f"{one.row:02}")
def test_what_a_row_says_stands_in_its_files(one: Feature) -> None:
    text = " ".join("".join(path.read_text() for path in one.shown_in).split())
    for words in re.findall(r"`([^`]+)`", one.said):
        assert words in text, f"{words} stands in none of {[path.name for path in one.shown_in]}"


def test_every_file_of_the_configuration_belongs_to_a_row() -> None:
    known = {path for one in features() for path in one.shown_in}
    shared = {CONFIG / "engine.yaml", CONFIG / "integrations" / "crm.yaml"}
    assert set(CONFIG.rglob("*.yaml")) == known | shared


@pytest.mark.parametrize("one", features(), ids=lambda one: f"{one.row:02}")
@pytest.mark.io
def test_the_tests_that_a_row_names_are_there(one: Feature) -> None:
    for name in [*one.core, *one.asterisk]:
        file, _, test = name.partition("::")  # a long name stands on a line of its own, behind its file
        found = found_in(TESTS / file.strip())
        assert test in found if test else found, name
    assert all(name.startswith(("acceptance/", "crm/", "databases/", "directories/")) for name in one.asterisk)


@cache
def found_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file; of one that is not there none."""
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_no_route_gets_a_remark_but_those_that_show_one() -> None:
    # Some integrations are there for what other tests ask them themselves.
    told = [one.sentence for one in configuration().remarks if not one.sentence.startswith("no route asks")]
    assert told == REMARKS


@pytest.mark.parametrize("route", sorted(path.stem for path in (CONFIG / "routes").iterdir()))
def test_every_route_shows_also_what_it_does_not_do(route: str) -> None:
    found = configuration()
    come_to = {(one.expect.rule, one.expect.reason, one.expect.to) for one in found.examples[route]}
    rules = any(found.routes[route].rules) or any(one.rules for one in found.routes[route].sources)
    assert len(come_to) >= (2 if rules or found.routes[route].inputs else 1)


def test_the_page_says_what_the_table_says() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert rest == as_markdown() + END, "run: python -m tests.peers.table"
