"""The page on who must act has a row for each row of the code's tables, and the right one there."""

from __future__ import annotations

import pytest

from routing_engine.providers.answers.not_json import _PAGES
from routing_engine.providers.answers.outcome import STATUSES
from routing_engine.providers.net.http_client import FAILURES

from .pages import REFERENCE

LINES = (REFERENCE / "who-must-act.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_has_its_row(status: int) -> None:
    (row,) = [line for line in LINES if line.startswith("| `") and f"`{status}`" in line.split("|")[1]]
    assert f"| `{STATUSES[status].who}` | {STATUSES[status].says}" in row


def test_each_failure_and_each_page_has_its_row() -> None:
    rows = [f"| {one.says} | `{one.who}` | {one.remedy} |" for one in FAILURES.values()]
    rows += [f"| {about} | `{who}` | {remedy} |" for _, about, who, remedy in _PAGES]
    assert set(rows) <= set(LINES)
