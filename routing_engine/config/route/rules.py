"""The rules of a source, and of the route itself."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from routing_engine.config.route.actions import read_sets, take_action
from routing_engine.config.route.conditions import read_when
from routing_engine.config.route.context import RouteContext, UniqueNames, read_name, refuse_empty
from routing_engine.config.route.walk import of_condition, operands_of_rule
from routing_engine.core.model import Rule
from routing_engine.settings.yaml_reader import Section

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)


def read_rules(parent: Section, page: RouteContext, has_record: bool) -> tuple[Rule, ...]:
    """Take `rules`; without a record those that are about the call itself."""
    names = UniqueNames("the rule")
    rules = []
    for position, section in enumerate(parent.sections("rules"), start=1):
        name, rule = _read_rule(section, page, position, has_record)
        names.enter(section, name)
        rules += [rule] if rule is not None else []
    return tuple(rules)


def count_early(rules: tuple[Rule, ...]) -> int:
    """Return how many of a route's rules can run before the input: those above the first that looks at it."""
    for place, rule in enumerate(rules):
        if any(left.scope == "input" for left in operands_of_rule(rule)):
            return place
    return len(rules)


def _read_rule(section: Section, page: RouteContext, position: int, has_record: bool) -> tuple[str, Rule | None]:
    refuse_empty(section, "set", "until")
    name = read_name(section, f"rule {position}")
    node = section.take("when")
    if node is None and "when" in section.names():
        section.note("when", "'when' has no condition", "write one, or remove 'when': the rule then always matches")
    when = None if node is None else read_when(node, page, has_record)
    act, sets = take_action(section, page, has_record), read_sets(section, page, has_record)
    disabled, until = section.flag("disabled", False), read_until(section)
    owner, comment = section.text("owner"), section.text("comment")
    section.close("a rule")
    if act is None:
        return name, None
    live = tuple(sorted({left for left in of_condition(when) if left.live}, key=str))
    return name, Rule(name, act, when, sets, section.line, disabled, until, live, owner, comment)


def read_until(section: Section) -> datetime | None:
    """Take `until`: the last day (whole), or the last moment, in the site's time."""
    text = section.text("until")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if not 1971 <= moment.year <= 2999 or moment.tzinfo is not None:
        section.note("until", f"'{text[:80]}' is no day", "write for example 2026-12-31, or '2026-12-31 17:30'")
        return None
    return moment + timedelta(days=1, microseconds=-1) if _DAY.match(text) else moment
