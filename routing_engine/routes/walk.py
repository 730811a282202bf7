"""What a route looks at and where it may end: walks over the model."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.model import Action, Condition, Left, Route, Rule, Source, Test, To


def lefts_of(route: Route) -> set[Left]:
    """Give every left side that a route looks at: conditions, searches, targets and side effects."""
    found: set[Left] = set()
    for source in route.sources:
        found.update(source.by.lefts)
        for rule in source.rules:
            found.update(lefts_of_rule(rule))
    for action in actions_of(route):
        found.update(_of_action(action))
    return found


def lefts_of_rule(rule: Rule) -> set[Left]:
    """Give every left side of one rule."""
    sets = {left for _, template in rule.sets for left in template.lefts}
    return {*_of_condition(rule.when), *_of_action(rule.act), *sets}


def _of_action(action: Action) -> Iterator[Left]:
    return (left for to in branches_of(action.to) for left in to.target.lefts)


def _of_condition(condition: Condition | None) -> Iterator[Left]:
    if isinstance(condition, Test):
        yield condition.left
    elif condition is not None:
        for part in condition.conditions:
            yield from _of_condition(part)


def actions_of(route: Route) -> Iterator[Action]:
    """Give everything that a route may end with."""
    yield route.default
    yield from (one.on_failure for one in route.inputs if one.on_failure is not None)
    if route.anonymous is not None:
        yield route.anonymous
    for source in route.sources:
        yield from _actions_of_source(source)


def _actions_of_source(source: Source) -> Iterator[Action]:
    yield from (rule.act for rule in source.rules)
    yield from (action for action in (source.when_down, source.when_many) if isinstance(action, Action))


def branches_of(to: To) -> Iterator[To]:
    """Give a destination and all its `else` branches."""
    branch: To | None = to
    while branch is not None:
        yield branch
        branch = branch.otherwise
