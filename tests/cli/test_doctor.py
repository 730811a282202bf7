"""`routing-engine doctor` without an Asterisk, and the mark by which it knows the dialplan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routing_engine import __version__
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.cli.dialplan_content import differences, shipped_steps, steps_listed, steps_of_file, steps_shown
from routing_engine.cli.examine_asterisk import MODULES
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

DIALPLAN = Path(__file__).parents[2] / "dialplan" / "routing-engine.conf"


def test_what_cannot_be_looked_at_is_said_as_that(run: Run, config: Path, unused_tcp_port: int) -> None:
    (config / "engine.yaml").write_text(f"listeners: {{fastagi: 127.0.0.1:{unused_tcp_port}}}\n")
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


SHOWN = """
[ Context 'routing-engine' created by 'pbx_config' ]
  'T' =>            1. Set(TIMEOUT(absolute)=0)                   [routing-engine.conf:79]
                    2. Goto(a,b,c) [routing-engine.conf:80]
  '_[0-9]' => 1. NoOp([x] ${CUT(A,,1)}) [routing-engine.conf:35]
     [shown]        2. Hangup()                   [routing-engine.conf:36]
[ Context 'office' created by 'pbx_config' ]
  's' =>            1. Answer()                   [x.conf:1]
"""
FILE = """
[routing-engine]  ; a comment
exten => T,1,Set(TIMEOUT(absolute)=0)
 same => n,Goto(a,b,c)   ; another
exten => _[0-9],1,NoOp([x] ${CUT(A,,1)})
 same => n(shown),Hangup
"""


def test_what_asterisk_shows_is_compared_with_the_file_step_by_step() -> None:
    ships, runs = steps_of_file(FILE), steps_shown(SHOWN)
    assert list(differences(ships, runs)) == []
    assert list(differences(steps_of_file(FILE.replace("a,b,c", "a,b,d")), runs)) == [
        "[routing-engine] 'T', step 2 is Goto(a,b,c), and ships as Goto(a,b,d)"
    ]
    other = steps_of_file(FILE.replace("[routing-engine]", "[other]"))
    assert next(differences(other, runs)) == "[other] has no extension 'T'"


def test_what_the_manager_lists_is_compared_as_well() -> None:
    keys = ("Context", "Extension", "Application", "AppData")
    rows = [("routing-engine", "T", "Set", "TIMEOUT(absolute)=0"), ("routing-engine", "T", "Hangup", "")]
    events = [AmiMessage([*zip(keys, row, strict=True)]) for row in rows]
    assert steps_listed(events) == {("routing-engine", "T"): ["Set(TIMEOUT(absolute)=0)", "Hangup()"]}


def test_all_that_ships_can_be_read() -> None:
    steps = shipped_steps()
    assert len({context for context, _ in steps}) == len(re.findall(r"^\[", DIALPLAN.read_text(), re.M))
    assert all(does.endswith(")") for every in steps.values() for does in every)


def test_what_could_not_be_seen_is_said_with_what_to_do(run: Run, config: Path) -> None:
    _, out, _ = run("doctor", "--json", "--config", str(config), "--asterisk", "/no/such/asterisk")
    found = {one["about"]: one for one in as_json(out)["findings"]}
    assert found["asterisk"]["sentence"].startswith("there is no program '/no/such/asterisk'")
    assert found["not seen"]["state"] == "unknown"
    assert found["not seen"]["sentence"].startswith("dialplan, modules, sounds, destinations")


def test_of_an_address_the_dialplan_takes_a_route_a_language_and_the_number_called_only() -> None:
    (steps,) = (does for (context, extension), does in shipped_steps().items() if extension == "_[0-9A-Za-z][!-~]!")
    taken = [does for does in steps if "EXTEN" in does]
    assert taken == [
        r"Set(ROUTING_ENGINE_ROUTE=${FILTER(A-Za-z0-9_\-,${CUT(EXTEN,?,1)})})",
        r"Set(ROUTING_ENGINE_MORE=${FILTER(A-Za-z0-9_=+\-,${CUT(EXTEN,?,2)})})",
    ]
    guard = 'GotoIf($["${CUT(ROUTING_ENGINE_MORE,=,1)}" =~ "^(language|called)$"]?:shown)'
    assert steps[2:4] == [guard, "Set(ROUTING_ENGINE_ROUTE=${ROUTING_ENGINE_ROUTE}?${ROUTING_ENGINE_MORE})"]
