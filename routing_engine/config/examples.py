"""`examples:` beside the rules: read with the route, and compared with what their calls came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast, get_args

import yaml

from routing_engine.config.canned import Canned, records_of, states_of
from routing_engine.config.route.actions import read_to
from routing_engine.config.route.context import RouteContext, UniqueNames, read_name, scalar
from routing_engine.config.route.walk import actions_of, branches_of, rules_of
from routing_engine.core.caller import read_moment
from routing_engine.core.destinations import WRITTEN, check_target, say_destination
from routing_engine.core.model import Decision, Destination, Operand, Origin, Reason, Route, Value
from routing_engine.settings.yaml_reader import Section, suggest

#: When examples happen that do not say `at`: a Monday morning, always the same, so that none fails by the clock.
USUAL_MOMENT = datetime(2026, 1, 5, 10, 0)
#: Who calls in examples that do not say `caller`: a number reserved for fiction.
USUAL_CALLER = "+12025550143"
_REASONS: tuple[str, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an example expects. Empty texts, also of a destination's target, and none at all are not compared.

    `to` is where the call goes, then where its chain goes on.
    """

    rule: str = ""
    to: tuple[Destination, ...] = ()
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One call that is played through: who calls, what is typed, what the sources answer, what must come of it.

    `caller` is a number or `anonymous`; `at` without a zone is the site's time. `states` is what is live. The `records`
    come from `origin`, where they were read `age_s` seconds ago. `line` is where it is written.
    """

    name: str
    caller: str = USUAL_CALLER
    caller_name: str = ""
    called: str = ""
    input: tuple[str, ...] = ()
    at: datetime = USUAL_MOMENT
    language: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Canned] = field(default_factory=dict)
    states: Mapping[Operand, Value] = field(default_factory=dict)
    expect: Expected = Expected()
    line: int = 0
    origin: Origin = "live"
    age_s: float = 0.0


def failures(example: Example, decision: Decision) -> list[str]:
    """Return as sentences where a decision is not what an example expects; none when it holds."""
    expect, found = example.expect, []
    for what, wanted, got in (
        ("rule", expect.rule, decision.rule),
        ("source", expect.source, decision.source),
        ("reason", expect.reason, decision.reason),
    ):
        if wanted and wanted != got:
            found.append(f"{what} should be '{wanted}', but is {_or_none(got)}{_because(decision)}")
    gone = [decision.destination, *decision.chain]
    for place, to in enumerate(expect.to):
        there = gone[place] if place < len(gone) else None
        if not _same_place(to, there):
            got = say_destination(there) or "nowhere"
            found.append(f"the call should {'then ' if place else ''}go to {say_destination(to)}, but goes to {got}")
            break
    return found


def _or_none(got: str) -> str:
    return f"'{got}'" if got else "none"


def _because(decision: Decision) -> str:
    """The last step before the end says most about why."""
    return f" ({decision.trail[-1].step}: {decision.trail[-1].outcome})" if decision.trail else ""


def _same_place(wanted: Destination, got: Destination | None) -> bool:
    if got is None or wanted.kind != got.kind or wanted.target not in ("", got.target):
        return False
    return wanted.priority in (None, got.priority) and wanted.ring_s in (None, got.ring_s)


# ---------------------------------------------------------------------------------------------------- reading


def read_examples(section: Section, page: RouteContext, route: Route) -> tuple[Example, ...]:
    """Take `examples` of a route that has been read."""
    names, found = UniqueNames("the example"), []
    for position, one in enumerate(section.sections("examples"), start=1):
        example = _read_example(one, page, route, position)
        names.enter(one, example.name)
        found.append(example)
    return tuple(found)


def _read_example(section: Section, page: RouteContext, route: Route, position: int) -> Example:
    origin, age_s = _read_origin(section)
    example = Example(
        name=read_name(section, f"example {position}", 200),
        caller=section.text("caller", USUAL_CALLER),
        caller_name=section.text("caller_name"),
        called=section.text("called"),
        input=section.texts("input"),
        at=_read_moment(section),
        language=section.text("language"),
        variables=_read_variables(section),
        records=_read_records(section, route),
        states=_read_states(section),
        expect=_read_expected(section, page, route),
        line=section.line,
        origin=origin,
        age_s=age_s,
    )
    section.close("an example")
    return example


def _read_origin(section: Section) -> tuple[Origin, float]:
    origin = cast(Origin, section.choice("origin", get_args(Origin), "live"))
    age_s = section.number("age_s", 0, 0, 1_000_000_000)
    if age_s and origin == "live":
        section.note("age_s", "a live answer has no age", "add origin: cache or origin: snapshot")
    return origin, age_s


def _read_moment(section: Section) -> datetime:
    text = section.text("at")
    if not text:
        return USUAL_MOMENT
    try:
        return read_moment(text)
    except ValueError:
        section.note("at", f"'{text[:80]}' is no moment", "write for example '2026-03-28 17:30'")
        return USUAL_MOMENT


def _read_variables(section: Section) -> Mapping[str, str]:
    variables = section.section("variables")
    return {} if variables is None else {name: variables.text(name) for name in variables.names()}


def _read_records(section: Section, route: Route) -> Mapping[str, Canned]:
    records = section.section("records")
    if records is None:
        return {}
    if not _leads_on(route):
        names = [source.name for source in route.sources]
        for name in records.names():
            if name not in names:
                records.note(name, f"the route has no source '{name}'", _one_of(name, names))
    return records_of(records)


def _read_states(section: Section) -> Mapping[Operand, Value]:
    states = section.section("states")
    return {} if states is None else states_of(states)


def _leads_on(route: Route) -> bool:
    """Whether a call may go on with another route, whose sources may be answered for too."""
    return any(WRITTEN[to.kind].is_route for action in actions_of(route) for to in branches_of(action.to))


def _one_of(name: str, names: list[str]) -> str:
    return suggest(name, names) if names else "remove it"


def _read_expected(section: Section, page: RouteContext, route: Route) -> Expected:
    section.require("expect", "expect: {rule: gold customers, to: {queue: vip}}")
    expect = section.section("expect")
    if expect is None:
        return Expected()
    if not expect.names():
        section.note("expect", "'expect' expects nothing", "write at least one of rule, to, reason and source")
    rule, source = expect.text("rule"), expect.text("source")
    if not _leads_on(route):
        _check_known(expect, "rule", rule, [rule.name for rule in rules_of(route)])
        _check_known(expect, "source", source, [source.name for source in route.sources])
    reason = expect.choice("reason", _REASONS, "") if expect.has("reason") else ""
    to = _read_destinations(expect, page)
    expect.close("'expect'")
    return Expected(rule, to, reason, source)


def _check_known(expect: Section, key: str, name: str, names: list[str]) -> None:
    if name and name not in names:
        expect.note(key, f"the route has no {key} '{name}'", _one_of(name, names))


def _read_destinations(expect: Section, page: RouteContext) -> tuple[Destination, ...]:
    node = expect.take("to")
    if isinstance(node, yaml.SequenceNode):
        found = [_read_destination(entry, expect, page) for entry in node.value]
        if not found:
            expect.note("to", "'to' expects nothing", "write where the call goes, then where its chain goes on")
    else:
        found = [] if node is None else [_read_destination(node, expect, page)]
    return tuple(destination for destination in found if destination is not None)


def _read_destination(node: yaml.Node, expect: Section, page: RouteContext) -> Destination | None:
    to = read_to(node, page, has_record=True)
    if to is None:
        return None
    if scalar(node) and to.target.operands:
        return Destination(to.kind, "")  # written alone, with values of the call as its target: whichever they are
    if to.target.operands or to.otherwise is not None or WRITTEN[to.kind].is_looked_up:
        expect.note("to", "an expected destination is a fixed one", "write the target that this call must reach")
        return None
    return Destination(to.kind, check_target(to.kind, "".join(map(str, to.target.parts))), to.priority, to.ring_s)
