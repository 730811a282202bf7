"""Every line of the threat model names a test that is there."""

from __future__ import annotations

import re

from .pages import REFERENCE, ROOT

PAGE = (REFERENCE / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", PAGE)


def test_every_test_that_is_named_exists():
    missing = [f"{path}::{name}" for path, name in NAMED if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []


def test_every_threat_has_its_test():
    threats = PAGE.partition("## The FastAGI port")[2].partition("## What is not held")[0]
    assert threats.count("\n- **") == len(NAMED) > 30
