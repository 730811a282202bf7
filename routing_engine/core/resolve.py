"""From an action to a decision: the target filled and checked, its `else` branches, chains, side effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

from routing_engine.core.asks import Observed
from routing_engine.core.compare import as_moment
from routing_engine.core.destinations import (
    KINDS,
    SIDE_EFFECTS,
    WRITTEN,
    check_outside,
    check_shown_number,
    check_target,
    clean_value,
)
from routing_engine.core.model import (
    Action,
    Decision,
    Destination,
    DestinationSpec,
    Operand,
    Reason,
    Record,
    Route,
    Rule,
    Sound,
    SpokenTemplate,
    Template,
)
from routing_engine.core.prompts import check_language, speak
from routing_engine.core.state import CallState, Conversation, fill_prompts, observe, play, switch
from routing_engine.core.templates import Facts, as_text, render

LAST_AGENT = Operand("last_agent", "")


def resolve_destination(
    state: CallState,
    action: Action,
    reason: Reason,
    rule: Rule | None = None,
    source: str = "",
    record: Record | None = None,
) -> Conversation[Decision]:
    """Turn an action into a decision: fill and check its target, then play what it plays.

    Where it leads nowhere the route's default is taken; only that may lead nowhere in the end.
    """
    facts, default = state.facts(record), state.route.default
    destination, chain = yield from _resolve(state, action.to, facts, must=action is default)
    if destination is None and action is not default:
        state.log_step("destination", "none that is allowed and reachable: the route's default is taken")
        return (yield from resolve_destination(state, default, _why_default(action, reason), rule, source, record))
    sets = _sets(state, rule, facts) if rule is not None and rule.sets else ()
    sounds = yield from _speak(state, action, dict(sets).get("language", ""), record)
    return Decision(
        route=state.route.name,
        revision=state.route.revision,
        reason=reason if destination is not None else "error",
        destination=destination,
        play=sounds,
        rule=rule.name if rule is not None else "",
        source=source,
        record=record,
        sets=sets,
        trail=tuple(state.trail),
        failed=destination is None,
        chain=chain,
        passed=tuple(state.passed),
    )


def _why_default(action: Action, reason: Reason) -> Reason:
    """Return the reason of a default that is taken instead: a chain of which nobody is free is not an error."""
    return reason if any(spec.chained for spec in _branches(action.to)) else "error"


def _speak(state: CallState, action: Action, language: str, record: Record | None) -> Conversation[tuple[Sound, ...]]:
    """Play what an action plays, in the language that the rule sets: it is meant for what is played, too."""
    yield from switch(state, language)
    sounds = fill_prompts(state, action.play, record)
    yield from play(state, "play", sounds, barge_in=False)
    return sounds


def resolve_nowhere(state: CallState) -> Conversation[Decision]:
    """Return the default of a route that leads nowhere; nothing when that is a route again."""
    decision = yield from resolve_destination(state, state.route.default, "error")
    if decision.destination is not None and KINDS[decision.destination.kind].is_route:
        return replace(decision, destination=None, failed=True)
    return decision


def default_of(state: CallState, route: Route) -> list[Destination]:
    """Return a route's default and the rest of its chain without asking anybody; empty when none is allowed."""
    resolving = _resolve(state, route.default.to, state.facts(), must=True)
    try:
        next(resolving)
        while True:  # nothing can be told: all counts as reachable
            resolving.send(Observed())
    except StopIteration as end:
        first, chain = cast("tuple[Destination | None, tuple[Destination, ...]]", end.value)
        return [] if first is None else [first, *chain]


def _sets(state: CallState, rule: Rule, facts: Facts) -> tuple[tuple[str, str], ...]:
    """Fill side effects; one that is not what it must be is left out, and the trail says why."""
    sets = []
    for name, template in rule.sets:
        try:
            sets.append((name, _set(name, template, facts)))
        except ValueError as refusal:
            state.log_step(name, f"left as it is: {refusal}")
    return tuple(sets)


def _set(name: str, template: Template, facts: Facts) -> str:
    value = clean_value(render(template, facts.value_of))
    holds = SIDE_EFFECTS[name].holds if name in SIDE_EFFECTS else "text"
    if holds == "number":
        return check_shown_number(value)
    if holds == "language":  # Asterisk would look for the sounds of any other text anywhere
        return check_language(value)
    if holds != "text":
        return str(speak(SpokenTemplate("sound", template), facts.value_of, facts.caller.at)) if value.strip() else ""
    return value


# ------------------------------------------------------------------------------------------- where a call goes


def _resolve(
    state: CallState, to: DestinationSpec, facts: Facts, must: bool
) -> Conversation[tuple[Destination | None, tuple[Destination, ...]]]:
    """Return the first destination of `to` that is allowed (in a chain: and reachable), and the rest of its chain.

    Where the call `must` land, in the route's default, an unreachable one is better than none.
    """
    unreachable: tuple[DestinationSpec, Destination] | None = None
    for spec in _branches(to):
        destination = yield from _allowed(state, spec, facts)
        if destination is None:
            continue
        if not spec.chained or (yield from _reachable(state, destination)):
            return destination, (yield from _rest(state, spec, destination, facts))
        unreachable = unreachable or (spec, destination)
    if unreachable is None or not must:
        return None, ()
    state.log_step("destination", "none that is reachable: the first is tried all the same")
    return unreachable[1], (yield from _rest(state, *unreachable, facts))


def _branches(to: DestinationSpec) -> Iterator[DestinationSpec]:
    """Return a destination, then what is tried when it is not taken: the next of its chain, or its `else`."""
    spec: DestinationSpec | None = to
    while spec is not None:
        yield spec
        spec = spec.then or spec.otherwise


def _allowed(state: CallState, to: DestinationSpec, facts: Facts) -> Conversation[Destination | None]:
    """Fill and check one target; None, with the trail saying why, when it is empty or refused."""
    try:
        if WRITTEN[to.kind].is_looked_up:
            return (yield from _last_agent(state, to, facts))
        return Destination(to.kind, _target(to, facts), to.priority, to.ring_s)
    except ValueError as refusal:
        hidden = any(state.route.hides(operand) for operand in to.target.operands)
        state.log_step(f"destination {to.kind}", f"refused: {'it is not what was allowed' if hidden else refusal}")
        return None


def _target(to: DestinationSpec, facts: Facts) -> str:
    """Fill the target and check it: a value never brings another part of a place, or a code of the telephone system."""
    for operand in to.target.operands:
        text = as_text(facts.value_of(operand))
        if "," in text:
            raise ValueError(f"'{operand}' holds a comma, which no target may get from a value")
        # What is dialled only: a place in the dialplan is the operator's, and he may want to see the keys there.
        if WRITTEN[to.kind].rings and ("*" in text or "#" in text):
            raise ValueError(f"'{operand}' holds a code: '*' and '#' must stand in the route itself")
    target = check_target(to.kind, render(to.target, facts.value_of))
    if WRITTEN[to.kind].is_outside and to.target.operands:
        check_outside(target, facts.site)
    return target


def _last_agent(state: CallState, to: DestinationSpec, facts: Facts) -> Conversation[Destination]:
    """Return the extension that the caller spoke to within the days that the target says."""
    yield from observe(state, (LAST_AGENT,))
    seen, days = state.seen[LAST_AGENT], render(to.target, facts.value_of)
    if not isinstance(seen, tuple) or len(seen) != 2:
        raise ValueError("it is not known whom the caller spoke to last")
    spoke = as_moment(seen[1], state.caller.at)
    if spoke is None or (spoke.tzinfo is None) != (state.caller.at.tzinfo is None):
        raise ValueError("it is not known when the caller spoke to somebody")
    if state.caller.at - spoke > timedelta(days=float(days)):
        raise ValueError(f"the caller spoke to nobody within {days} days")
    return Destination("extension", check_target("extension", as_text(seen[0])), None, to.ring_s)


def _reachable(state: CallState, destination: Destination) -> Conversation[bool]:
    """Return whether an entry of a chain can be reached; what cannot be known counts as reachable."""
    reach = KINDS[destination.kind].reach
    if reach is None:
        return True
    operand = Operand(reach.scope, reach.name.replace("{target}", destination.target))
    yield from observe(state, (operand,))
    why = reach.why_not(state.seen[operand])
    if why:
        state.log_step(f"destination {destination.kind} {destination.target}", f"not reachable: {why}")
    return not why


def _rest(
    state: CallState, taken: DestinationSpec, first: Destination, facts: Facts
) -> Conversation[tuple[Destination, ...]]:
    """Return where the call goes on when nobody answers: a chain's other entries that are allowed, then the default.

    A destination alone goes on only when it says for how long it rings.
    """
    if not taken.chained and taken.ring_s is None:
        return ()
    found = [first]
    for spec in _branches(taken.then) if taken.then is not None else ():
        destination = yield from _allowed(state, spec, facts)
        found += [destination] if destination is not None and destination not in found else []
    for spec in _branches(state.route.default.to):
        last = yield from _allowed(state, spec, facts)
        found += [last] if last is not None and last not in found else []
        if last is not None and not spec.chained:
            break
    return tuple(found[1:])
