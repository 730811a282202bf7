"""The reference and the code name the same things: operators, kinds, variables, reasons, events, commands."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from routing_engine.calls.changes import ChangeKind
from routing_engine.cli import build_parser
from routing_engine.config.route.conditions import WORDS
from routing_engine.config.route.prompts import SAYINGS
from routing_engine.core.destinations import CAUSES, HEADER, PROFILES, SIDE_EFFECTS, variables
from routing_engine.core.model import Decision, Destination, Reason, Record
from routing_engine.core.operators import SYMBOLS
from routing_engine.core.templates import CALL_FIELDS, DATA_FIELDS, QUEUE_FIELDS
from routing_engine.pbx.ami_events import MARK
from routing_engine.providers.http.settings import PRESETS
from routing_engine.providers.oauth.settings import KEY_VARIABLE
from routing_engine.settings.api import RIGHTS
from routing_engine.settings.listeners import Listeners
from routing_engine.settings.pbx import HistoryKeys, PbxKeys
from routing_engine.settings.people import UserKeys
from routing_engine.settings.spec import keys_of

from .pages import REFERENCE, ROOT, names, section, table, tables

CODE = sorted((ROOT / "routing_engine").rglob("*.py"))
DIALPLAN = (ROOT / "dialplan" / "routing-engine.conf").read_text()

# ------------------------------------------------------------------------------------------ route language


def test_symbols_and_what_they_stand_for():
    rows = table(REFERENCE / "conditions.md", "Operators", 1)
    assert {row.names[0]: row.cells[1].strip("`") for row in rows} == dict(SYMBOLS)


def test_left_sides():
    known = {f"call.{name}" for name in CALL_FIELDS} | {f"data.{name}" for name in DATA_FIELDS}
    known |= {f"queue.NAME.{name}" for name in QUEUE_FIELDS} | {"call.calendar", "call.calendar.NAME"}
    known |= {"call.variable.NAME", "input", "input.NAME", "list.NAME", "device.EXT", "share"}
    assert names(REFERENCE / "conditions.md", "Left sides") == known


def test_values_of_left_sides_that_have_few():
    rows = table(REFERENCE / "conditions.md", "Their values")
    documented = {re.split(r"\.", row.names[0].removeprefix("call.").removeprefix("data."))[0]: row for row in rows}
    found = {name: tuple(re.findall(r"`([^`]+)`", row.cells[1])) for name, row in documented.items()}
    assert {name: set(words) for name, words in found.items()} == {name: set(words) for name, words in WORDS.items()}


def test_what_a_prompt_can_say():
    rows = table(REFERENCE / "routes.md", "Prompts")
    assert [row.names[0] for row in rows] == list(SAYINGS)
    assert all(row.cells[2].startswith(f"`{{{row.names[0]}: ") for row in rows)


def test_side_effects_and_what_they_set():
    rows = table(REFERENCE / "routes.md", "set")
    documented = {row.names[0]: row.cells[1].split("`")[1] for row in rows}
    assert documented == {**{name: row.variable for name, row in SIDE_EFFECTS.items()}, "header.X-NAME": f"__{HEADER}1"}


def test_each_kind_has_its_place_in_both_profiles():
    for row in table(REFERENCE / "destinations.md", "Kinds"):
        for column, profile in ((2, "plain"), (3, "freepbx")):
            place = PROFILES[profile].get(row.names[0])
            assert place is None or f"`{place}`" in row.cells[column], row.names[0]


def test_causes():
    rows = table(REFERENCE / "destinations.md", "Causes")
    assert {row.names[0]: int(row.cells[1]) for row in rows} == dict(CAUSES)


def test_reasons():
    rows = tables((REFERENCE / "reasons.md").read_text())[0]
    documented = {row.names[0] for row in rows}
    assert documented == set(get_args(Reason))
    assert all(section(REFERENCE / "reasons.md", reason) for reason in documented)


def test_what_is_not_there_yet():
    rows = tables((REFERENCE / "not-yet.md").read_text())[0]
    documented = {(row.cells[1], name) for row in rows for name in row.names}
    sections = {"listeners": Listeners, "`pbxs/NAME.yaml`": PbxKeys, "`history` of a PBX": HistoryKeys}
    sections["`users.yaml`"] = UserKeys
    assert documented == {(where, key.name) for where, keys in sections.items() for key in keys_of(keys) if key.later}


def test_parameters_and_presets_of_the_middleware():
    requests, presets = tables(section(REFERENCE / "middleware.md", "The request"))
    assert {row.names[0] for row in requests} == set(PRESETS["default"].__slots__)
    assert {row.names[0] for row in presets} == set(PRESETS)


# ----------------------------------------------------------------------------------------------- dialplan


def test_variables_in_the_order_they_are_set():
    sets = tuple((name, "x") for name in ("alert_info", "announce", "record", "header.X-NAME"))
    queue = Destination("queue", "vip", 10, ring_s=20)
    decision = Decision("route", "1", "matched", queue, record=Record({}), sets=sets, chain=(queue,))
    known = [name for name, _ in variables(decision, "id", PROFILES["plain"])]
    documented = [row.names[0] for row in table(REFERENCE / "variables.md", "What the engine sets")]
    assert documented == known


def test_globals_are_those_that_the_dialplan_reads_and_does_not_set():
    own = set(re.findall(r"\bSet\(_{0,2}(ROUTING_ENGINE_\w+)=", DIALPLAN))
    read = set(re.findall(r"\$\{(ROUTING_ENGINE_\w+)", DIALPLAN)) - own
    documented = names(REFERENCE / "variables.md", "What you may set: global variables")
    assert {re.sub(r"_NAME\Z", "_", name) for name in documented} == read


def test_defaults_of_the_globals():
    for row in table(REFERENCE / "variables.md", "What you may set: global variables"):
        value = row.cells[1].strip("`")
        if not value.startswith("none"):
            assert f"{row.names[0]}={value}" in DIALPLAN
            assert f"={value})" in DIALPLAN


def test_no_page_names_a_variable_that_nobody_sets_or_reads():
    known = names(REFERENCE / "variables.md", "What the engine sets")
    known |= names(REFERENCE / "variables.md", "What you may set: global variables")
    known |= names(REFERENCE / "cli.md", "Every command", 1) | {MARK}
    text = "".join(page.read_text() for page in REFERENCE.parent.rglob("*.md"))
    for name in set(re.findall(r"\b(?:ROUTE|ROUTING_ENGINE)_[A-Z0-9_]*[A-Z0-9]\b", text)):
        assert name in known or name.startswith("ROUTING_ENGINE_GROUP_"), name


# ---------------------------------------------------------------------------------------------------- log

LEVELS = {"debug", "info", "warning", "error", "say", "log"}
#: What a file holds that says an event: to understand all of the code takes every worker a second and a half.
SAYS = re.compile(rf'\b(?:{"|".join(LEVELS)})\(\s*"[a-z_]+\.[a-z_]+"')


def events() -> Iterator[tuple[str, set[str]]]:
    """Every event of the code with the fields at its call; `say` and `log` are a level chosen at run time."""
    for text in filter(SAYS.search, (path.read_text() for path in CODE)):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                event = node.args[0].value
                if called in LEVELS and isinstance(event, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", event):
                    yield event, {one.arg for one in node.keywords if one.arg} - {"exc_info"}


def test_events_of_the_log():
    assert names(REFERENCE / "log.md", "Events") == {event for event, _ in events()}


def test_no_event_is_written_in_a_way_that_this_test_does_not_see():
    text = "".join(path.read_text() for path in CODE)
    rooms = {event.partition(".")[0] for event, _ in events()}
    written = set(re.findall(rf'"((?:{"|".join(rooms)})\.[a-z_]+)"', text))
    written -= {"call.input", "journal.db", "calls.db", "records.settings"}
    written -= {*get_args(ChangeKind), *RIGHTS}  # what is published of calls bears such names too
    assert written == {event for event, _ in events()}


@pytest.mark.parametrize(("event", "fields"), sorted(events(), key=lambda one: one[0]))
def test_fields_of_an_event(event, fields):
    (row,) = (row for row in table(REFERENCE / "log.md", "Events") if row.names[0] == event)
    documented = set(re.findall(r"`(\w+)`", row.cells[2]))
    if "#the-fields-of-a-call" in row.cells[2]:
        of_calls = table(REFERENCE / "log.md", "The fields of a call")
        documented = {name for one in of_calls if one.cells[1] in ("both", f"`{event}`") for name in one.names}
    # log._why adds the first two, whoever listens the others
    also = {"call.routed": {"why", "trail"}, "service.ready": {"fastagi", "metrics"}}.get(event, set())
    assert documented == fields | also


# ------------------------------------------------------------------------------------------- command line


def parsers() -> dict[str, argparse.ArgumentParser]:
    (commands,) = (one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(commands.choices)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Options as the reference writes them: the long name and what it takes, `--input D`; or the argument, `ROUTE`."""
    found = set()
    for action in parser._actions:
        # What has no help is how the program calls itself.
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        metavar = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        name = next((one for one in action.option_strings if one.startswith("--")), "")
        found.add(f"{name} {metavar}".strip() if action.nargs != 0 else name)
    return found


def test_commands():
    text = (REFERENCE / "cli.md").read_text()
    assert set(re.findall(r"^## (.+)$", text, re.M)) - {"Every command"} == set(parsers())


def test_options_of_every_command():
    assert names(REFERENCE / "cli.md", "Every command") == options_of(build_parser())


@pytest.mark.parametrize("command", sorted(parsers()))
def test_options_of_a_command(command):
    known = options_of(parsers()[command]) - options_of(build_parser())
    text = section(REFERENCE / "cli.md", command)
    assert known == (names(REFERENCE / "cli.md", command) if tables(text) else set())


def test_environment_variables():
    text = "".join(path.read_text() for path in CODE)
    known = {KEY_VARIABLE, *re.findall(r'environ(?:\.get\(|\[)"(\w+)"', text)}
    assert names(REFERENCE / "cli.md", "Every command", 1) == known


def test_exit_codes():
    assert [row.cells[0] for row in tables((REFERENCE / "cli.md").read_text())[0]] == ["0", "1", "2"]
