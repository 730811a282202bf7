"""Remarks on a route that can be used: what never happens, what nobody uses, what no example proves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from routing_engine.config.lint.coverage import Ladder, hidden_rules
from routing_engine.config.lint.fields import unmapped
from routing_engine.config.lint.fits import unfitting
from routing_engine.config.lint.idle import idle
from routing_engine.config.lint.ranges import holes_and_overlaps
from routing_engine.config.lint.subject import RouteSubject
from routing_engine.config.lint.unreached import unreached
from routing_engine.config.route.read import RouteFile
from routing_engine.config.route.walk import actions_of, branches_of, operands_of, rules_of
from routing_engine.core.destinations import WRITTEN
from routing_engine.core.model import Action, Route, Rule
from routing_engine.errors import Problem
from routing_engine.settings.integration import IntegrationFacts
from routing_engine.settings.yaml_lines import YamlLines


def lint(
    file: str,
    found: RouteFile,
    integrations: Mapping[str, IntegrationFacts],
    proven: Collection[tuple[str, str]] | None = None,
    now: datetime = datetime.min,
    text: str = "",
) -> list[Problem]:
    """Return the remarks on a route's file, whose text says where things stand.

    `proven` are the (source, rule) pairs that examples came to, if they ran; `now` is the site's time without a zone.
    """
    route, subject = found.route, RouteSubject(file, found, integrations, YamlLines(text))
    remarks = [*_of_route(subject), *_hidden_rules(subject), *unfitting(subject), *unmapped(subject)]
    remarks += [*idle(subject), *holes_and_overlaps(subject), *unreached(subject)]
    lines = {id(rule.act): rule.line for rule in rules_of(route)}
    for action in actions_of(route):
        remarks += _chosen_by_values(file, lines.get(id(action), 0), action, route)
    for rule in rules_of(route):
        remarks += _asleep(file, rule, now)
    if found.examples and proven is not None:
        remarks += _unproven(file, route, proven, now)
    return remarks


def _of_route(subject: RouteSubject) -> Iterator[Problem]:
    route, lines = subject.route, subject.lines
    # `input` without a name is the first one; whatever uses it is counted under "".
    used = {left.name for left in operands_of(route) if left.scope == "input"}
    for place, one in enumerate(route.inputs):
        if not one.languages and one.name not in used and "" not in used:
            called = "input" if one.name == "input" else f"input '{one.name}'"
            line = lines.line("inputs", place) or lines.line("input")
            yield subject.problem(line, f"the {called} is asked for, but nothing uses it", "search by it, or remove it")
    if not subject.found.examples:
        yield subject.problem(0, "the route has no examples", "add 'examples:': they are checked before each reload")
    if not _is_sure(route.default):
        sentence = "the default's target comes from values of the call, which may be missing"
        yield subject.problem(lines.line("default", "to"), sentence, "add an 'else' with a fixed target")
    for place, source in enumerate(route.sources):
        if not source.rules:
            sentence = f"the source '{source.name}' has no rules: a record of it leads to the default"
            yield subject.problem(lines.line("sources", place), sentence, "add rules to it, or remove it")


def _chosen_by_values(file: str, line: int, action: Action, route: Route) -> Iterator[Problem]:
    """Yield a remark where whoever writes the records, or calls, chooses more than one of our own destinations."""
    for to in branches_of(action.to):
        if not to.target.operands:
            continue
        if WRITTEN[to.kind].is_outside and route.site.outside is None:
            sentence = f"a value ({to.target.operands[0]}) dials outside: whatever number it is, premium ones too"
            yield Problem(file, line, sentence, "write external: {allow: ['+43', ...]} in engine.yaml")
        if to.kind == "dialplan":
            sentence = f"a value ({to.target.operands[0]}) names the place in the dialplan: it chooses what runs there"
            yield Problem(file, line, sentence, "write the place here, with a rule for each value")


def _is_sure(action: Action) -> bool:
    # One branch is enough: the call gets there when those before it come to nothing.
    return any(not to.target.operands and not WRITTEN[to.kind].is_looked_up for to in branches_of(action.to))


def _hidden_rules(subject: RouteSubject) -> Iterator[Problem]:
    above = subject.route.rules
    for source, rules in subject.rules_by_source():
        if source is None:
            yield from hidden_rules(Ladder(subject.file, rules, subject.known()))
        else:
            lists = subject.lists_of(source)
            yield from hidden_rules(Ladder(subject.file, (*above, *rules), subject.known(source), len(above), lists))


def _asleep(file: str, rule: Rule, now: datetime) -> Iterator[Problem]:
    if rule.disabled:
        yield Problem(file, rule.line, f"the rule '{rule.name}' is disabled", "remove it when it is not needed again")
    elif rule.until is not None and rule.until < now:
        sentence = f"the rule '{rule.name}' expired on {rule.until:%Y-%m-%d}"
        yield Problem(file, rule.line, sentence, "remove it, or write a later 'until'")


def _unproven(file: str, route: Route, proven: Collection[tuple[str, str]], now: datetime) -> Iterator[Problem]:
    pairs = [("", rule) for rule in route.rules]
    pairs += [(source.name, rule) for source in route.sources for rule in source.rules]
    for source, rule in pairs:
        # What sleeps cannot be come to, so no example can prove it.
        counts = not rule.disabled and (rule.until is None or rule.until >= now)
        if counts and (source, rule.name) not in proven:
            yield Problem(file, rule.line, f"no example proves the rule '{rule.name}'", "add one that comes to it")
