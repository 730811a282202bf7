"""The rules of a source, and of the route itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing_engine.config.route.actions import DESTINATION, SETS, action_of, note_misplaced, read_sets
from routing_engine.config.route.conditions import CONDITION, read_when
from routing_engine.config.route.context import RouteContext, UniqueNames, name_of
from routing_engine.config.route.prompts import PROMPTS
from routing_engine.config.route.walk import of_condition, operands_of_rule
from routing_engine.core.model import Rule
from routing_engine.settings.spec import read, required, setting
from routing_engine.settings.value_types import flag, parsed, text
from routing_engine.settings.yaml_reader import Section, YamlValue

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)


def read_until(written: str) -> datetime:
    """Return the last day (its end), or the last moment, in the site's time. Raises `ValueError` with a sentence."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = datetime.min
    # Without a zone: it is the site's day that ends, whatever the zone of the machine.
    if not 1971 <= moment.year <= 2999 or moment.tzinfo is not None:
        raise ValueError(f"'{written[:80]}' is not a day")
    return moment + timedelta(days=1, microseconds=-1) if _DAY.match(written) else moment


@dataclass(frozen=True, slots=True)
class RuleKeys:
    """One rule as it is written; `name` "" is made from its place."""

    name: str = setting(
        name_of(), "", "its name in trail, log, examples and `ROUTE_RULE`", usual="`rule 1`, `rule 2`, ..."
    )
    when: YamlValue | None = setting(
        CONDITION.called("[conditions](conditions.md)"),
        None,
        "what must hold",
        usual="none: it always holds",
        example="{tier: gold}",
    )
    play: YamlValue | None = setting(PROMPTS, None, "played to its end before the call goes on")
    to: YamlValue | None = required(
        DESTINATION.called("[destination](destinations.md), or a list: [a chain](destinations.md#a-chain)"),
        None,
        "where the call goes",
        example="{queue: sales}",
    )
    set: YamlValue | None = setting(
        SETS.called("[mapping](#set)"), None, "side effects", example="{caller_name: '{name}'}", filled=True
    )
    disabled: bool = setting(flag(), False, "true: the rule sleeps. It is read and checked all the same")
    until: datetime | None = setting(
        parsed(read_until, "day, or `'2026-12-31 17:30'`", "write for example 2026-12-31, or '2026-12-31 17:30'"),
        None,
        "the last day (whole) or moment on which it holds, at the site. `check` remarks one that is over",
        usual="for ever",
        example="2026-12-31",
        filled=True,
    )
    owner: str = setting(text(), "", "for people: who wanted it")
    comment: str = setting(text(), "", "for people: why")


def read_rules(sections: tuple[Section, ...], context: RouteContext, has_record: bool) -> tuple[Rule, ...]:
    """Read `rules`; without a record those that are about the call itself."""
    names, rules = UniqueNames("the rule"), []
    for position, section in enumerate(sections, start=1):
        name, rule = _read_rule(section, context, position, has_record)
        names.enter(section, name)
        rules += [rule] if rule is not None else []
    return tuple(rules)


def count_early(rules: tuple[Rule, ...]) -> int:
    """Return how many of a route's rules can run before the input: those above the first that looks at it."""
    for place, rule in enumerate(rules):
        if any(left.scope == "input" for left in operands_of_rule(rule)):
            return place
    return len(rules)


def _read_rule(section: Section, context: RouteContext, position: int, has_record: bool) -> tuple[str, Rule | None]:
    told = note_misplaced(section)
    keys = read(section, RuleKeys, "a rule", told=told)
    name = keys.name or f"rule {position}"
    # Such a rule would always match: the opposite of what an unfinished condition means.
    if keys.when is None and "when" in section.names():
        section.note("when", "'when' has no condition", "write one, or remove 'when': the rule then always matches")
    when = None if keys.when is None else read_when(keys.when, context, has_record)
    act = action_of(keys.play, keys.to, context, has_record)
    sets = read_sets(keys.set, context, has_record)
    if act is None:
        return name, None
    # The channel is asked for all of a rule's live states in one round trip.
    live = tuple(sorted({left for left in of_condition(when) if left.live}, key=str))
    return name, Rule(name, act, when, sets, section.line, keys.disabled, keys.until, live, keys.owner, keys.comment)
