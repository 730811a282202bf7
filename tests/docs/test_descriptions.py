"""The reference of descriptions names what the code has: filters, meanings, spellings, values, an operator's keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from routing_engine.core.phone import SPELLINGS, read_number, spellings
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError
from routing_engine.providers.answers.outcome import OUTCOMES
from routing_engine.providers.crm.filters import FILTERS
from routing_engine.providers.crm.model import Paging
from routing_engine.providers.crm.read_writing import CALL_VALUES
from routing_engine.providers.crm.requests import METHODS
from routing_engine.providers.crm.settings import shipped_description

from .pages import REFERENCE, names, section, table

PAGE = REFERENCE / "descriptions.md"
UNKNOWN = "0" * 12  # near to nothing, so that the remedy lists all
REQUEST = {*METHODS, "query", "json", "form", "headers"}


def test_filters_and_which_of_them_escape() -> None:
    rows = {row.names[0]: row.cells[1:] for row in table(PAGE, "Filters")}
    found = {name: (yes, says.replace("\\|", "|")) for name, (yes, says) in rows.items()}
    assert found == {name: ("yes" if one.escapes else "no", one.gives) for name, one in FILTERS.items()}


def test_meanings() -> None:
    assert {row.names[0]: row.cells[1] for row in table(PAGE, "Meanings")} == dict(OUTCOMES)


@pytest.mark.parametrize(("column", "number"), [(1, "+43 664 1234567"), (2, "+1 212 555 0147")])
def test_spellings_are_as_the_page_shows_them(column: int, number: str) -> None:
    rows = {row.names[0]: row.cells[column].strip("`") for row in table(PAGE, "Spellings")}
    found = read_number(number, "AT")
    assert found is not None
    assert rows == dict(spellings(found))
    assert set(rows) == set(SPELLINGS)


def test_values_of_a_call() -> None:
    sentence = " ".join(section(PAGE, "The call").split()).partition("Known are ")[2].partition(". ")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == CALL_VALUES


def test_ways_to_the_next_page() -> None:
    kinds = get_args(get_type_hints(Paging)["kind"])
    assert names(PAGE, "next") == {*kinds, "more", "from"}


def known(tmp_path: Path, file: str, text: str) -> set[str]:
    """The keys that a reader takes, as its remedy for an unknown one lists them."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("KEY", f"'{UNKNOWN}': probe"))
    with pytest.raises(ConfigError) as caught:
        open_store(tmp_path).load()
    (found,) = [one for one in caught.value.problems if f"has no key '{UNKNOWN}'" in one.sentence]
    return set(found.remedy.removeprefix("known here: ").split(", "))


def test_keys_of_an_integration(tmp_path: Path) -> None:
    found = known(tmp_path, "integrations/crm.yaml", "provider: hubspot\nauth: {private_app: {file: /dev/null}}\nKEY")
    own = {"provider", "number_form", *shipped_description("hubspot").settings}
    assert found == own | names(PAGE, "The integration")


def test_keys_of_a_model_of_an_integration(tmp_path: Path) -> None:
    text = "provider: hubspot\nauth: {private_app: {file: /dev/null}}\nmodels: {contact: {KEY}}"
    found = known(tmp_path, "integrations/crm.yaml", text)
    assert found - shipped_description("hubspot").constants == names(PAGE, "Models of the integration")
