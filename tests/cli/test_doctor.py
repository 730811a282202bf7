"""`routing-engine doctor` without an Asterisk, and the mark by which it knows the dialplan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routing_engine import __version__
from routing_engine.cli.examine_asterisk import MODULES
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

DIALPLAN = Path(__file__).parents[2] / "dialplan" / "routing-engine.conf"


def test_what_cannot_be_looked_at_is_said_as_that(run: Run, config: Path) -> None:
    code, out, _ = run("doctor", "--json", "--config", str(config), "--asterisk", "/no/such/asterisk")
    found = {one["about"]: one for one in as_json(out)["findings"]}
    assert (found["asterisk"]["state"], "nothing was looked at" in found["asterisk"]["sentence"]) == ("unknown", True)
    assert (code, found["folder"]["state"], found["engine"]["state"]) == (1, "fine", "act")
    assert "systemctl start routing-engine" in found["engine"]["remedy"]


def test_every_line_is_fine_or_says_who_must_act(run: Run, config: Path) -> None:
    (config / "routes" / "support.yaml").write_text("default: {}\n")
    code, out, _ = run("doctor", "--config", str(config), "--asterisk", "/no/such/asterisk")
    assert (code, out.startswith("ACT   folder: ")) == (1, True)
    assert "who writes the routes: 1 to mend" in out


def test_the_dialplan_carries_the_version_of_the_engine() -> None:
    assert f"NoOp(routing-engine {__version__})" in DIALPLAN.read_text()


def test_the_modules_are_those_that_the_dialplan_names() -> None:
    head = DIALPLAN.read_text().split("Modules used: ")[1].split(";", 1)
    named = " ".join([head[0], head[1].split(";")[0]]).replace(";", " ")
    assert set(MODULES) <= set(re.findall(r"\w+", named))
