"""Every code that the API refuses with stands in its reference."""

from __future__ import annotations

import re
from pathlib import Path

from .pages import REFERENCE

PACKAGE = Path(__file__).parents[2] / "routing_engine"
REFUSAL = re.compile(r'\b(?:ApiError\(\s*\d+,|CommandRefused\()\s*"([a-z_]+)"')


def test_every_code_of_an_error_is_in_the_table() -> None:
    errors = (REFERENCE / "api.md").read_text().split("## Errors")[1]
    codes = {code for file in PACKAGE.rglob("*.py") for code in REFUSAL.findall(file.read_text())}
    assert len(codes) > 20
    assert sorted(code for code in codes if f"`{code}`" not in errors) == []
