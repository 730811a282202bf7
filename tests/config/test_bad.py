"""One bad file per fault: its first line, and those set in below it, say which problem must be found, on which line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .folders import CRM, problems_of

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
ELSEWHERE = {
    room: sorted((HERE / "bad" / room).glob("*.yaml")) for room in ("engine", "integrations", "providers", "described")
}
ACME = (HERE / "acme.yaml").read_text(encoding="utf-8")


def check(path: Path, file: str, others: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    head = re.match(r"# expect: (.+(?:\n#    .+)*)", text)
    assert head
    line, _, part = head[1].replace("\n#    ", " ").partition(": ")
    found = problems_of({**others, file: text})
    assert any(one.startswith(f"{line}: ") and part in one for one in found), found
    assert len(found) == 1, found
    assert not repeats_itself(found[0]), found


def repeats_itself(problem: str) -> bool:
    """Whether the remedy has five words in a row from its own sentence."""
    sentence, _, remedy = problem.rpartition("; ")
    words = re.findall(r"\w+", remedy.lower())
    runs = (" ".join(words[start : start + 5]) for start in range(len(words) - 4))
    return any(run in " ".join(re.findall(r"\w+", sentence.lower())) for run in runs)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
@pytest.mark.io
def test_each_fault_of_a_route_is_named_with_its_line_and_nothing_else(path: Path) -> None:
    check(path, "routes/support.yaml", {"integrations/crm.yaml": CRM})


@pytest.mark.parametrize("path", ELSEWHERE["engine"], ids=lambda path: path.stem)
def test_each_fault_of_the_settings_is_named_with_its_line(path: Path) -> None:
    check(path, "engine.yaml", {})


@pytest.mark.parametrize("path", ELSEWHERE["integrations"], ids=lambda path: path.stem)
def test_each_fault_of_an_integration_is_named_with_its_line(path: Path) -> None:
    check(path, "integrations/erp.yaml", {})


@pytest.mark.parametrize("path", ELSEWHERE["providers"], ids=lambda path: path.stem)
def test_each_fault_of_a_description_is_named_with_its_line(path: Path) -> None:
    check(path, "providers/acme.yaml", {})


@pytest.mark.parametrize("path", ELSEWHERE["described"], ids=lambda path: path.stem)
def test_each_fault_of_an_integration_by_a_description_is_named_with_its_line(path: Path) -> None:
    check(path, "integrations/erp.yaml", {"providers/acme.yaml": ACME})


def test_a_description_cannot_take_the_name_of_a_provider_that_is_code() -> None:
    sentence = "0: 'http' is a provider of the engine that is not a description; give the file another name"
    assert problems_of({"providers/http.yaml": ACME}) == [sentence]


def test_an_integration_by_a_broken_description_is_no_further_problem() -> None:
    found = problems_of({"providers/acme.yaml": "address: x\n", "integrations/erp.yaml": "provider: acme\n"})
    assert [one for one in found if "integration" in one or "site" in one] == []
