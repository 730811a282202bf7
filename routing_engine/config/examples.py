"""`examples:` beside the rules: read with the route, and compared with what their calls came to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from routing_engine.config.canned import Canned, records_of, states_of
from routing_engine.config.route.actions import DESTINATION, read_to
from routing_engine.config.route.context import RouteContext, UniqueNames, name_of
from routing_engine.config.route.walk import actions_of, branches_of, rules_of
from routing_engine.core.caller import read_moment
from routing_engine.core.destinations import WRITTEN, check_target, say_destination
from routing_engine.core.model import Decision, Destination, Operand, Origin, Reason, Route, Value
from routing_engine.errors import Problem
from routing_engine.settings.spec import read, required, setting, unread
from routing_engine.settings.value_types import (
    Schema,
    as_section,
    choice,
    listed,
    mapping_of,
    number,
    one_or_more,
    parsed,
    text,
)
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

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
    gone = [decision.destination, *decision.chain]  # what an example leaves out at the end may be anything
    for place, to in enumerate(expect.to):
        there = gone[place] if place < len(gone) else None
        if not _same_place(to, there):
            got = say_destination(there) or "nowhere"
            found.append(f"the call should {'then ' if place else ''}go to {say_destination(to)}, but goes to {got}")
            break
    return found


def problems_of(file: str, example: Example, decision: Decision, sources: Collection[str]) -> list[Problem]:
    """Return a problem for each way in which an example is not what it expects. `sources` are those of all routes."""
    strangers = [f"no route has the source '{name}'" for name in example.records if name not in sources]
    return [
        Problem(file, example.line, f"the example '{example.name}' fails: {one}", "correct the rules or the example")
        for one in failures(example, decision) + strangers
    ]


def _or_none(got: str) -> str:
    return f"'{got}'" if got else "none"


def _because(decision: Decision) -> str:
    # The last step before the end says most about why.
    return f" ({decision.trail[-1].step}: {decision.trail[-1].outcome})" if decision.trail else ""


def _same_place(wanted: Destination, got: Destination | None) -> bool:
    if got is None or wanted.kind != got.kind or wanted.target not in ("", got.target):
        return False
    return wanted.priority in (None, got.priority) and wanted.ring_s in (None, got.ring_s)


# ---------------------------------------------------------------------------------------------------- reading


def _moment(written: str) -> datetime:
    try:
        return read_moment(written)
    except ValueError:
        raise ValueError(f"'{written[:80]}' is not a moment") from None


#: A field of a canned record, or a live state: one value, or a list.
_FIELD: Schema = {"type": ["string", "number", "boolean", "array", "object", "null"]}
_RECORD: Schema = {"type": "object", "additionalProperties": _FIELD}
_CANNED: Schema = {"anyOf": [{"enum": ["none", "down"]}, _RECORD, {"type": "array", "items": _RECORD}]}


@dataclass(frozen=True, slots=True)
class ExpectKeys:
    """What an example expects, as it is written."""

    rule: str = setting(text("name"), "", "the rule that must match", usual="not compared", example="gold")
    to: YamlValue | None = setting(
        DESTINATION.called("[destination](destinations.md), or a list"),
        None,
        "where the call must go, with a fixed target. A list: then where it goes when nobody answers, as far as the "
        "list says",
        usual="not compared",
        example="{queue: vip}",
    )
    reason: str = setting(
        choice(*_REASONS).called("[reason](reasons.md)"), "", listed(_REASONS), usual="not compared", example="matched"
    )
    source: str = setting(
        text("name"), "", "the source whose record decided", usual="not compared", example="customers"
    )

    def check(self, section: Section, what: str) -> None:
        """Note an example that would hold whatever happens."""
        if not section.names():
            section.notes.note(
                section.line, "'expect' expects nothing", "write at least one of rule, to, reason and source"
            )


@dataclass(frozen=True, slots=True)
class ExampleKeys:
    """One example as it is written; `name` "" is made from its place."""

    name: str = setting(name_of(200), "", "what it shows", usual="`example 1`, ...")
    caller: str = setting(text("number, or `anonymous`"), USUAL_CALLER, "who calls", example="+43 664 1234567")
    caller_name: str = setting(text(), "", "the caller's name, as the telephone sends it: `call.name`")
    called: str = setting(text("number"), "", "the number that was dialled", example="+43 1 2345678")
    input: tuple[str, ...] = setting(
        one_or_more(text()).called("a text or a list"),
        (),
        "the keys that are pressed at each attempt of each input, menus included; `''` is silence",
        example="'123456'",
    )
    at: datetime = setting(
        parsed(_moment, "date and time", "write for example '2026-03-28 17:30'"),
        USUAL_MOMENT,
        "when, at the site; with a zone (`2026-01-05T10:00Z`) that moment",
        usual="`2026-01-05 10:00`, a Monday",
        example="'2026-01-05 10:00'",
    )
    language: str = setting(text("code"), "", "the channel's language. The route's own goes before it", usual="`en`")
    variables: Mapping[str, str] = setting(
        mapping_of(text(), bare="").called("mapping"), {}, "channel variables", example="{CAMPAIGN: spring}"
    )
    records: Section | None = setting(
        as_section("mapping by source", {"type": "object", "additionalProperties": _CANNED}),
        None,
        "what each source answers: a record, by [our names](integrations.md#a-field), a list of records, `none` or "
        "`down`",
        usual="every source: no record",
        example="{customers: {name: Anna, tier: gold}}",
    )
    origin: Origin = setting(
        choice("live", "cache", "snapshot"),
        "live",
        "where these records come from: [`data.origin`](conditions.md#left-sides)",
    )
    age_s: float = setting(number(0, 1_000_000_000, "seconds"), 0.0, "how long ago they were read there: `data.age_s`")
    states: Section | None = setting(
        as_section("mapping", {"type": "object", "additionalProperties": _FIELD}),
        None,
        "live state: `device.201: inuse`, `queue.support.waiting: 3`, `call.attestation: A`, `last_agent: ['201', "
        "2026-01-02T10:00]`",
        usual="nothing is known",
        example="{device.201: inuse}",
    )
    expect: Section | None = required(
        unread(ExpectKeys).called("[mapping](#expect)"),
        None,
        "what must come of it",
        example="{rule: gold customers, to: {queue: vip}}",
    )

    def check(self, section: Section, what: str) -> None:
        """Note an age where nothing was kept."""
        if self.age_s and self.origin == "live":
            section.note("age_s", "a live answer has no age", "add origin: cache or origin: snapshot")


def read_examples(sections: Sequence[Section], context: RouteContext, route: Route) -> tuple[Example, ...]:
    """Read `examples` of a route that has been read."""
    names, found = UniqueNames("the example"), []
    for position, section in enumerate(sections, start=1):
        example = _read_example(section, context, route, position)
        names.enter(section, example.name)
        found.append(example)
    return tuple(found)


def _read_example(section: Section, context: RouteContext, route: Route, position: int) -> Example:
    keys = read(section, ExampleKeys, "an example")
    return Example(
        name=keys.name or f"example {position}",
        caller=keys.caller,
        caller_name=keys.caller_name,
        called=keys.called,
        input=keys.input,
        at=keys.at,
        language=keys.language,
        variables=keys.variables,
        records={} if keys.records is None else _read_records(keys.records, route),
        states={} if keys.states is None else states_of(keys.states),
        expect=Expected() if keys.expect is None else _read_expected(keys.expect, context, route),
        line=section.line,
        origin=keys.origin,
        age_s=keys.age_s,
    )


def _read_records(records: Section, route: Route) -> Mapping[str, Canned]:
    # A chain of routes may come to any source, which this file alone cannot know.
    if not leads_on(route):
        names = [source.name for source in route.sources]
        for name in records.names():
            if name not in names:
                records.note(name, f"the route has no source '{name}'", _one_of(name, names))
    return records_of(records)


def leads_on(route: Route) -> bool:
    """Return whether a call may go on with another route, whose sources may be answered for too."""
    return any(WRITTEN[to.kind].is_route for action in actions_of(route) for to in branches_of(action.to))


def _one_of(name: str, names: list[str]) -> str:
    return suggest(name, names) if names else "remove it"


def _read_expected(section: Section, context: RouteContext, route: Route) -> Expected:
    keys = read(section, ExpectKeys, "'expect'")
    if not leads_on(route):
        _check_known(section, "rule", keys.rule, [rule.name for rule in rules_of(route)])
        _check_known(section, "source", keys.source, [source.name for source in route.sources])
    to = () if keys.to is None else _read_destinations(keys.to, context)
    return Expected(keys.rule, to, keys.reason, keys.source)


def _check_known(expect: Section, key: str, name: str, names: list[str]) -> None:
    if name and name not in names:
        expect.note(key, f"the route has no {key} '{name}'", _one_of(name, names))


def _read_destinations(value: YamlValue, context: RouteContext) -> tuple[Destination, ...]:
    if not value.entries():
        value.note("'to' expects nothing", "write where the call goes, then where its chain goes on")
    found = [_read_destination(entry, context) for entry in value.entries()]
    return tuple(destination for destination in found if destination is not None)


def _read_destination(value: YamlValue, context: RouteContext) -> Destination | None:
    to = read_to(value, context, has_record=True)
    if to is None:
        return None
    if value.word() and to.target.operands:
        return Destination(to.kind, "")  # written alone, with values of the call as its target: whichever they are
    if to.target.operands or to.otherwise is not None or WRITTEN[to.kind].is_looked_up:
        value.note("an expected destination is a fixed one", "write the target that this call must reach")
        return None
    return Destination(to.kind, check_target(to.kind, "".join(map(str, to.target.parts))), to.priority, to.ring_s)
