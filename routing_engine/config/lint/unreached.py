"""What no call comes to: sources and defaults below rules that take every call, and routes that lead in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from routing_engine.config.lint.atoms import AllOf, AnyOf, Formula, Opposite, formula_of, questions_in
from routing_engine.config.lint.coverage import takes_all
from routing_engine.config.lint.spaces import KnownValues, Space
from routing_engine.config.lint.subject import RouteSubject
from routing_engine.config.lint.values import TooMany
from routing_engine.config.route.walk import branches_of
from routing_engine.core.destinations import WRITTEN
from routing_engine.core.model import Action, Route, Site
from routing_engine.errors import Problem

#: How far a circle of routes is followed. A call may pass through 8.
_LONGEST = 8


def unreached(subject: RouteSubject) -> Iterator[Problem]:
    """Yield a remark for what stands below rules of the route that take every call."""
    route, lines = subject.route, subject.lines
    if not route.rules:
        return
    taking = takes_all(route.rules, subject.known())
    if not taking:
        return
    names = " and ".join(f"'{rule.name}' (line {rule.line})" for rule in taking[-3:])
    for place, source in enumerate(route.sources):
        sentence = f"the source '{source.name}' is never asked: {names} {_take(len(taking))} every call"
        remedy = "remove it, or let a rule above leave calls to it"
        yield subject.problem(lines.line("sources", place), sentence, remedy)
    # A call whose input is never valid, or whose target is refused or not free, goes to the default all the same.
    above_input = not route.inputs or len(taking) <= route.early
    if not above_input or not all(_is_certain(rule.act) for rule in taking):
        return
    last = taking[-1]
    sentence = f"the default is never reached: {names} {_take(len(taking))} every call"
    remedy = f"write as default what '{last.name}' does, and remove that rule; or narrow it"
    yield subject.problem(lines.line("default"), sentence, remedy)


def _is_certain(action: Action) -> bool:
    branches = branches_of(action.to)
    return any(not one.target.operands and not one.chained and not WRITTEN[one.kind].is_looked_up for one in branches)


def _take(count: int) -> str:
    return "takes" if count == 1 else "together take"


def circles(routes: Mapping[str, Route], line_of: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a remark for every circle of routes that some call goes round in. `line_of` are their files."""
    # Of ten thousand routes, few lead on to another.
    ways = {name: found for name, route in routes.items() if (found := _ways_on(route))}
    told = set[frozenset[str]]()
    for name in ways:
        for circle in _circles_from(name, (name,), ALL, ways):
            if frozenset(circle) not in told:
                told.add(frozenset(circle))
                yield _told(circle, line_of)


ALL: Formula = AllOf(())


def _ways_on(route: Route) -> list[tuple[str, Formula]]:
    """Return the routes that a call without a record may go on with, each with when it does."""
    if not any(map(_target, (route.default, *(rule.act for rule in route.rules)))):
        return []
    # A rule counts only for calls that come past those above it.
    passed: list[Formula] = []
    found: list[tuple[str, Formula]] = []
    for rule in route.rules:
        when = formula_of(rule.when, "")
        if any(one.left.scope == "input" for one in questions_in(when)):
            return found  # what is typed is another matter on each route
        target = "" if rule.disabled or rule.until is not None else _target(rule.act)
        if target:
            found.append((target, AllOf((when, Opposite(AnyOf(tuple(passed)))))))
        passed += [] if rule.disabled else [when]
    target = _target(route.default)
    return [*found, (target, Opposite(AnyOf(tuple(passed))))] if target else found


def _target(action: Action) -> str:
    to = action.to
    # A chain comes back only when nobody answers, and a value may name any route.
    fixed = WRITTEN[to.kind].is_route and not to.target.operands and not to.chained
    return str(to.target) if fixed else ""


def _circles_from(
    name: str, path: tuple[str, ...], when: Formula, ways: Mapping[str, list[tuple[str, Formula]]]
) -> Iterator[tuple[str, ...]]:
    for target, condition in ways.get(name, ()):
        both = AllOf((when, condition))
        if not _is_possible(both):
            continue
        if target == path[0]:
            yield path
        elif target not in path and len(path) < _LONGEST:
            yield from _circles_from(target, (*path, target), both, ways)


def _is_possible(formula: Formula) -> bool:
    try:
        return bool(Space([formula], KnownValues(Site())).boxes(formula))
    except TooMany:
        return False


def _told(circle: tuple[str, ...], files: Mapping[str, str]) -> Problem:
    way = " to ".join(f"'{name}'" for name in (*circle, circle[0]))
    sentence = f"routes lead in a circle: {way}: a call without a record goes round, and ends in an error"
    return Problem(files[circle[-1]], 0, sentence, "let the default of one of them lead to a queue, or hang up")
