"""From an action to a decision: the target filled and checked, its `else` branches, chains, side effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

from routing_engine.core.asks import Observed
from routing_engine.core.compare import as_moment
from routing_engine.core.destinations import KINDS, WRITTEN, check_target, clean_value
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
    SpokenTemplate,
    Template,
)
from routing_engine.core.prompts import check_language, speak
from routing_engine.core.state import CallState, Conversation, fill_prompts, observe, play, switch
from routing_engine.core.templates import Facts, as_text, render

LAST_AGENT = Operand("last_agent", "")
#: Side effects that are a name of something: letters, digits and few signs, as sounds have them.
_NAMES = frozenset({"announce", "music", "record"})


def resolve_destination(
    talk: CallState,
    action: Action,
    reason: Reason,
    rule: Rule | None = None,
    source: str = "",
    record: Record | None = None,
) -> Conversation[Decision]:
    """Turn an action into a decision: check its target, set the language, then play what it plays."""
    facts = talk.facts(record)
    is_default = action is talk.route.default
    destination, chain = yield from _resolve(talk, action.to, facts, must=is_default)
    if destination is None and not is_default:
        talk.log_step("destination", "none that is allowed and reachable: the route's default is taken")
        reason = reason if any(way.chained for way in _ways(action.to)) else "error"
        return (yield from resolve_destination(talk, talk.route.default, reason, rule, source, record))
    sets = _sets(talk, rule, facts) if rule is not None and rule.sets else ()
    for name, value in sets:
        if name == "language":
            yield from switch(talk, value)
    sounds = fill_prompts(talk, action.play, record)
    yield from play(talk, "play", sounds, barge_in=False)
    return Decision(
        route=talk.route.name,
        revision=talk.route.revision,
        reason=reason if destination is not None else "error",
        destination=destination,
        play=sounds,
        rule=rule.name if rule is not None else "",
        source=source,
        record=record,
        sets=sets,
        trail=tuple(talk.trail),
        failed=destination is None,
        chain=chain,
        passed=tuple(talk.passed),
    )


def resolve_nowhere(talk: CallState) -> Conversation[Decision]:
    """Land on the default of a route whose way leads nowhere; on nothing when that is a route again."""
    decision = yield from resolve_destination(talk, talk.route.default, "error")
    if decision.destination is not None and KINDS[decision.destination.kind].is_route:
        return replace(decision, destination=None, failed=True)
    return decision


def default_of(talk: CallState, route: Route) -> list[Destination]:
    """Return a route's default and the rest of its chain without asking anybody; nothing when none is allowed."""
    resolving = _resolve(talk, route.default.to, talk.facts(), must=True)
    try:
        next(resolving)
        while True:
            resolving.send(Observed())
    except StopIteration as end:
        first, chain = cast("tuple[Destination | None, tuple[Destination, ...]]", end.value)
        return [] if first is None else [first, *chain]


def _sets(talk: CallState, rule: Rule, facts: Facts) -> tuple[tuple[str, str], ...]:
    """Fill side effects; one that is not what it must be is left out, and the trail says why."""
    sets = []
    for name, template in rule.sets:
        try:
            sets.append((name, _set(name, template, facts)))
        except ValueError as refusal:
            talk.log_step(name, f"left as it is: {refusal}")
    return tuple(sets)


def _set(name: str, template: Template, facts: Facts) -> str:
    value = clean_value(render(template, facts.value_of))
    if name == "language":  # Asterisk would look for the sounds of any other text anywhere
        return check_language(value)
    if name in _NAMES:  # the dialplan puts it among the options of an application
        return str(speak(SpokenTemplate("sound", template), facts.value_of, facts.caller.at)) if value.strip() else ""
    return value


# ------------------------------------------------------------------------------------------- where a call goes


def _resolve(
    talk: CallState, to: DestinationSpec, facts: Facts, must: bool
) -> Conversation[tuple[Destination | None, tuple[Destination, ...]]]:
    """Return the first destination of `to` that is allowed (in a chain: and reachable), and the rest of its chain.

    Where the call `must` land, in the route's default, an unreachable one is better than none.
    """
    unreachable: tuple[DestinationSpec, Destination] | None = None
    for way in _ways(to):
        destination = yield from _allowed(talk, way, facts)
        if destination is None:
            continue
        if not way.chained or (yield from _reachable(talk, destination)):
            return destination, (yield from _rest(talk, way, destination, facts))
        unreachable = unreachable or (way, destination)
    if unreachable is None or not must:
        return None, ()
    talk.log_step("destination", "none that is reachable: the first is tried all the same")
    return unreachable[1], (yield from _rest(talk, *unreachable, facts))


def _ways(to: DestinationSpec) -> Iterator[DestinationSpec]:
    """Return a destination, then what is tried when it is not taken: the next of its chain, or its `else`."""
    way: DestinationSpec | None = to
    while way is not None:
        yield way
        way = way.then or way.otherwise


def _allowed(talk: CallState, to: DestinationSpec, facts: Facts) -> Conversation[Destination | None]:
    """Fill and check one target; None, with the trail saying why, when it is empty or refused."""
    try:
        if WRITTEN[to.kind].is_looked_up:
            return (yield from _last_agent(talk, to, facts))
        return Destination(to.kind, _target(to, facts), to.priority, to.ring_s)
    except ValueError as refusal:
        hidden = any(talk.hides(left) for left in to.target.operands)
        talk.log_step(f"destination {to.kind}", f"refused: {'it is not what was allowed' if hidden else refusal}")
        return None


def _target(to: DestinationSpec, facts: Facts) -> str:
    """Fill the target and check it. A value may never bring a comma: it would become another part of the place."""
    for left in to.target.operands:
        if "," in as_text(facts.value_of(left)):
            raise ValueError(f"'{left}' holds a comma, which no target may get from a value")
    return check_target(to.kind, render(to.target, facts.value_of))


def _last_agent(talk: CallState, to: DestinationSpec, facts: Facts) -> Conversation[Destination]:
    """Return the extension that the caller spoke to within the days that the target says."""
    yield from observe(talk, (LAST_AGENT,))
    seen, days = talk.seen[LAST_AGENT], render(to.target, facts.value_of)
    if not isinstance(seen, tuple) or len(seen) != 2:
        raise ValueError("it is not known whom the caller spoke to last")
    spoke = as_moment(seen[1], talk.caller.at)
    if spoke is None or (spoke.tzinfo is None) != (talk.caller.at.tzinfo is None):
        raise ValueError("it is not known when the caller spoke to somebody")
    if talk.caller.at - spoke > timedelta(days=float(days)):
        raise ValueError(f"the caller spoke to nobody within {days} days")
    return Destination("extension", check_target("extension", as_text(seen[0])), None, to.ring_s)


def _reachable(talk: CallState, destination: Destination) -> Conversation[bool]:
    """Return whether an entry of a chain can be reached; what cannot be known counts as reachable."""
    reach = KINDS[destination.kind].reach
    if reach is None:
        return True
    left = Operand(reach.scope, reach.name.replace("{target}", destination.target))
    yield from observe(talk, (left,))
    why = reach.why_not(talk.seen[left])
    if why:
        talk.log_step(f"destination {destination.kind} {destination.target}", f"not reachable: {why}")
    return not why


def _rest(
    talk: CallState, taken: DestinationSpec, first: Destination, facts: Facts
) -> Conversation[tuple[Destination, ...]]:
    """Return where the call goes on when nobody answers: a chain's other entries that are allowed, then the default.

    A destination alone goes on only when it says for how long it rings.
    """
    if not taken.chained and taken.ring_s is None:
        return ()
    found = [first]
    for way in _ways(taken.then) if taken.then is not None else ():
        destination = yield from _allowed(talk, way, facts)
        found += [destination] if destination is not None and destination not in found else []
    for way in _ways(talk.route.default.to):
        last = yield from _allowed(talk, way, facts)
        found += [last] if last is not None and last not in found else []
        if last is not None and not way.chained:
            break
    return tuple(found[1:])
