"""`show`: a route, the folder, and a change in words, as an operator calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_revisions_command import folder, take

__all__ = ["folder"]
pytestmark = pytest.mark.io


def test_a_route_is_drawn_in_each_form(run: Run, config: Path) -> None:
    starts = {"text": "support: Customers", "mermaid": "flowchart TD", "svg": "<svg "}
    for form, start in starts.items():
        code, out, _ = run("show", "support", "--format", form, "--config", str(config))
        assert (code, out.startswith(start)) == (0, True)


def test_without_a_route_the_folder_is_a_map(run: Run, config: Path) -> None:
    assert "├──▶ queue vip, priority 10" in run("show", "--config", str(config))[1]
    assert run("show", "--format", "mermaid", "--config", str(config))[1].startswith("flowchart LR")
    assert run("show", "--format", "svg", "--config", str(config))[0] == 2


def test_a_change_has_no_picture(run: Run, folder: Path) -> None:
    code, _, error = run("show", "--diff", "abcd", "--format", "svg", "--config", str(folder))
    assert (code, "said in words" in error) == (2, True)


def test_a_route_that_is_not_there_gets_a_hint(run: Run, config: Path) -> None:
    code, _, error = run("show", "suport", "--config", str(config))
    assert (code, "did you mean 'support'?" in error) == (2, True)


def test_a_change_is_said_in_words(run: Run, folder: Path) -> None:
    first = run("revisions", "--config", str(folder))[1].splitlines()[-1].split()[0]
    code, out, _ = run("show", "--diff", first[:6], "--config", str(folder))
    assert (code, out.splitlines()) == (
        0,
        [
            "support:",
            "- └─ otherwise, and by default ──▶ queue sales",
            "+ └─ otherwise, and by default ──▶ queue night",
        ],
    )


def test_what_no_caller_would_notice_is_no_change(run: Run, folder: Path) -> None:
    newest = take(folder, "night # at night")
    (folder / "routes" / "support.yaml").write_text("# a comment\ndefault:\n  to: {queue: night}\n")
    assert "Nothing that a caller would notice" in run("show", "--diff", newest, "--config", str(folder))[1]


def test_a_route_that_came_or_went_is_told(run: Run, folder: Path) -> None:
    (folder / "routes" / "new.yaml").write_text("default: {to: {queue: sales}}\n")
    (folder / "routes" / "support.yaml").unlink()
    first = run("revisions", "--config", str(folder))[1].splitlines()[-1].split()[0]
    out = run("show", "--diff", first, "--config", str(folder))[1]
    assert out.splitlines() == ["+ new is new", "- support is gone"]
