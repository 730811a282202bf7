"""Remarks on a route that can be used: what never happens, what nobody uses, what no example proves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from routing_engine.config.examples import Example
from routing_engine.config.lint.coverage import Ladder, hidden_rules
from routing_engine.config.lint.spaces import KnownValues
from routing_engine.config.route.read import RouteFile
from routing_engine.config.route.walk import (
    actions_of,
    branches_of,
    comparisons_in,
    operands_of,
    operands_of_rule,
    rules_of,
)
from routing_engine.core.destinations import WRITTEN
from routing_engine.core.model import Action, Record, Route, Rule, Source
from routing_engine.errors import Problem
from routing_engine.settings.integration import IntegrationFacts, Model
from routing_engine.settings.yaml_reader import suggest


def lint(
    file: str,
    found: RouteFile,
    integrations: Mapping[str, IntegrationFacts],
    proven: Collection[tuple[str, str]] | None = None,
    now: datetime = datetime.min,
) -> list[Problem]:
    """Return the remarks on a route's file.

    `proven` are the (source, rule) pairs that examples came to, if they ran; `now` is the site's time without a zone.
    """
    route = found.route
    remarks = [*_of_route(file, found), *_hidden_rules(file, found)]
    for source in route.sources:
        remarks += _unmapped_fields(file, source, integrations)
        remarks += _unmapped_answers(file, source, found.examples, integrations)
    lines = {id(rule.act): rule.line for rule in rules_of(route)}
    for action in actions_of(route):
        remarks += _chosen_by_values(file, lines.get(id(action), 0), action, route)
    for rule in rules_of(route):
        remarks += _asleep(file, rule, now)
    if found.examples and proven is not None:
        remarks += _unproven(file, route, proven, now)
    return remarks


def _of_route(file: str, found: RouteFile) -> Iterator[Problem]:
    route = found.route
    # `input` without a name is the first one; whatever uses it is counted under "".
    used = {left.name for left in operands_of(route) if left.scope == "input"}
    for one in route.inputs:
        if not one.languages and one.name not in used and "" not in used:
            called = "input" if one.name == "input" else f"input '{one.name}'"
            yield Problem(file, 0, f"the {called} is asked for, but nothing uses it", "search by it, or remove it")
    if not found.examples:
        yield Problem(file, 0, "the route has no examples", "add 'examples:': they are checked before each reload")
    if not _is_sure(route.default):
        sentence = "the default's target comes from values of the call, which may be missing"
        yield Problem(file, 0, sentence, "add an 'else' with a fixed target")
    for source in route.sources:
        if not source.rules:
            yield Problem(file, 0, f"the source '{source.name}' has no rules", "a record of it leads to the default")


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


def _hidden_rules(file: str, found: RouteFile) -> Iterator[Problem]:
    route = found.route
    known = KnownValues(route.site, route.inputs)
    yield from hidden_rules(Ladder(file, route.rules, known))
    for source in route.sources:
        ladder = Ladder(file, (*route.rules, *source.rules), known, len(route.rules), _lists(source, found.examples))
        yield from hidden_rules(ladder)


def _lists(source: Source, examples: Collection[Example]) -> frozenset[str]:
    """Return the fields of a source's records that something here shows to be lists."""
    answers = (record for example in examples for record in records_of(example, source.name))
    given = {name for record in answers for name, value in record.fields.items() if isinstance(value, tuple)}
    tests = (test for rule in source.rules for test in comparisons_in(rule.when))
    return frozenset(given | {test.left.name for test in tests if test.operator == "contains"})


def records_of(example: Example, source: str) -> tuple[Record, ...]:
    """Return the records that an example gives a source; `down` and `none` are answers too, and have none."""
    answer = example.records.get(source, ())
    return answer if isinstance(answer, tuple) else ()


def _unmapped_answers(
    file: str, source: Source, examples: Collection[Example], integrations: Mapping[str, IntegrationFacts]
) -> Iterator[Problem]:
    """Yield what examples give a source that its system never would: it is passed over when they run."""
    model = _mapped_model(source, integrations)
    if model is None:
        return
    for example in examples:
        given = {name for record in records_of(example, source.name) for name in record.fields}
        for name in sorted(given - {*model.fields, "id"}):
            sentence = f"the example '{example.name}' gives '{name}', which the model '{model.name}' does not map"
            yield Problem(file, example.line, sentence, suggest(name, model.fields))


def _mapped_model(source: Source, integrations: Mapping[str, IntegrationFacts]) -> Model | None:
    """Return the model that a source searches; None where it takes fields as they come, or is not known."""
    models = integrations.get(source.integration)
    model = models.get(source.model) if models else None
    return model if model is not None and model.fields else None


def _unmapped_fields(file: str, source: Source, integrations: Mapping[str, IntegrationFacts]) -> Iterator[Problem]:
    model = _mapped_model(source, integrations)
    if model is None:
        return
    for rule in source.rules:
        for name in sorted(_fields(rule) - {*model.fields, "id"}):
            yield Problem(
                file,
                rule.line,
                f"the rule '{rule.name}' looks at '{name}', which the model '{model.name}' does not map",
                suggest(name, model.fields),
            )


def _fields(rule: Rule) -> set[str]:
    return {left.name for left in operands_of_rule(rule) if left.scope == "record"}


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
