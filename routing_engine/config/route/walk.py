"""What a route looks at and where it may end: walks over the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from routing_engine.core.model import (
    Action,
    Comparison,
    Condition,
    DestinationSpec,
    Menu,
    Operand,
    Prefer,
    Prompt,
    Route,
    Rule,
    Source,
    SpokenTemplate,
    Template,
)


def operands_of(route: Route) -> set[Operand]:
    """Return every left side that a route looks at: conditions, searches, targets, prompts and side effects."""
    found: set[Operand] = {*_of_prompts(prompts_of(route)), *(route.languages.by.operands if route.languages else ())}
    for rule in rules_of(route):
        found.update(operands_of_rule(rule))
    for source in route.sources:
        found.update(_of_source(source))
    for action in actions_of(route):
        found.update(_of_action(action))
    return found


def rules_of(route: Route) -> Iterator[Rule]:
    """Return the rules of the route itself and of all its sources."""
    yield from route.rules
    for source in route.sources:
        yield from source.rules


def operands_of_rule(rule: Rule) -> set[Operand]:
    """Return every left side of one rule."""
    sets = {left for _, template in rule.sets for left in template.operands}
    return {*of_condition(rule.when), *_of_action(rule.act), *sets}


def _of_source(source: Source) -> Iterator[Operand]:
    yield from source.by.operands
    if isinstance(source.when_many, Prefer):
        yield from of_condition(source.when_many.when)


def _of_action(action: Action) -> Iterator[Operand]:
    yield from _of_prompts(action.play)
    yield from (left for to in branches_of(action.to) for left in to.target.operands)


def _of_prompts(prompts: Iterable[Prompt]) -> Iterator[Operand]:
    return (left for prompt in prompts if not isinstance(prompt, str) for left in prompt.text.operands)


def of_condition(condition: Condition | None) -> Iterator[Operand]:
    """Return the left sides of a condition."""
    for test in comparisons_in(condition):
        yield test.left
        yield from test.expected.operands if isinstance(test.expected, Template) else ()


def comparisons_in(condition: Condition | None) -> Iterator[Comparison]:
    """Return the comparisons of a condition."""
    if isinstance(condition, Comparison):
        yield condition
    elif condition is not None:
        for part in condition.conditions:
            yield from comparisons_in(part)


def actions_of(route: Route) -> Iterator[Action]:
    """Return everything that a route may end with."""
    yield route.default
    yield from (one.on_failure for one in route.inputs if one.on_failure is not None)
    if route.anonymous is not None:
        yield route.anonymous
    yield from (rule.act for rule in rules_of(route))
    for source in route.sources:
        yield from _actions_of_source(source)


def _actions_of_source(source: Source) -> Iterator[Action]:
    many = source.when_many.otherwise if isinstance(source.when_many, Menu) else source.when_many
    yield from (action for action in (source.when_down, many) if isinstance(action, Action))


def prompts_of(route: Route) -> Iterator[Prompt]:
    """Return everything that a route may play or say."""
    yield from route.instruction
    for one in route.inputs:
        yield from (*one.prompt, *one.retry_prompt, *one.final_prompt)
    for source in route.sources:
        if isinstance(source.when_many, Menu):
            yield from (*source.when_many.prompt, *source.when_many.label)
    for action in actions_of(route):
        yield from action.play


def speaks(route: Route) -> bool:
    """Return whether a route has a text that a synthesiser says."""
    return any(isinstance(prompt, SpokenTemplate) and prompt.kind == "speech" for prompt in prompts_of(route))


def languages_of(route: Route) -> set[str]:
    """Return the languages that a route names; empty when it leaves that to the channel."""
    chosen = {language for one in route.inputs for language in one.languages.values()}
    by_value = {*route.languages.cases.values(), route.languages.otherwise} if route.languages else set[str]()
    return {route.language, *chosen, *by_value} - {""}


def branches_of(to: DestinationSpec) -> Iterator[DestinationSpec]:
    """Return a destination, all its `else` branches and the rest of its chain."""
    branch: DestinationSpec | None = to
    while branch is not None:
        yield branch
        branch = branch.then or branch.otherwise
