"""One bad file per fault: its first line says which problem must be found, on which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from .folders import CRM, problems_of

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ELSEWHERE = {
    "engine": sorted((Path(__file__).parent / "bad" / "engine").glob("*.yaml")),
    "integrations": sorted((Path(__file__).parent / "bad" / "integrations").glob("*.yaml")),
}


def check(path: Path, file: str, others: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    line, _, part = text.splitlines()[0].removeprefix("# expect: ").partition(": ")
    found = problems_of({**others, file: text})
    assert any(one.startswith(f"{line}: ") and part in one for one in found), found
    assert len(found) == 1, found


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_fault_of_a_route_is_named_with_its_line_and_nothing_else(path: Path) -> None:
    check(path, "routes/support.yaml", {"integrations/crm.yaml": CRM})


@pytest.mark.parametrize("path", ELSEWHERE["engine"], ids=lambda path: path.stem)
def test_each_fault_of_the_settings_is_named_with_its_line(path: Path) -> None:
    check(path, "engine.yaml", {})


@pytest.mark.parametrize("path", ELSEWHERE["integrations"], ids=lambda path: path.stem)
def test_each_fault_of_an_integration_is_named_with_its_line(path: Path) -> None:
    check(path, "integrations/erp.yaml", {})
