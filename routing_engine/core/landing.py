"""From an action to a decision: the target filled and checked, its `else` branches, chains, side effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

from routing_engine.core.destinations import check_target, clean_value
from routing_engine.core.model import Action, Decision, Destination, Left, Observed, Reason, Record, Route, Rule, To
from routing_engine.core.operators import as_moment
from routing_engine.core.prompts import LANGUAGE
from routing_engine.core.talk import Conversation, Talk, fill_prompts, observe, play, switch
from routing_engine.core.templates import Facts, as_text, render

#: Device states in which a telephone would not ring for a new call. One that is not known is tried.
UNREACHABLE = frozenset({"busy", "inuse", "ringing", "ringinuse", "onhold", "unavailable", "invalid"})
LAST_AGENT = Left("last_agent", "")


def land(
    talk: Talk,
    action: Action,
    reason: Reason,
    rule: Rule | None = None,
    source: str = "",
    record: Record | None = None,
) -> Conversation[Decision]:
    """Turn an action into a decision: check its target, set the language, then play what it plays."""
    facts = talk.facts(record)
    destination, chain = yield from _resolve(talk, action.to, facts)
    if destination is None and action is not talk.route.default:
        talk.note("destination", "none that is allowed and reachable: the route's default is taken")
        reason = reason if action.to.chained else "error"
        return (yield from land(talk, talk.route.default, reason, rule, source, record))
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
    )


def land_nowhere(talk: Talk) -> Conversation[Decision]:
    """Land on the default of a route whose way leads nowhere; on nothing when that is a route again."""
    decision = yield from land(talk, talk.route.default, "error")
    if decision.destination is not None and decision.destination.kind == "route":
        return replace(decision, destination=None, failed=True)
    return decision


def default_of(talk: Talk, route: Route) -> Destination | None:
    """Give a route's default without asking anybody anything; None when it has none that is allowed."""
    resolving = _resolve(talk, route.default.to, talk.facts())
    try:
        next(resolving)
        while True:
            resolving.send(Observed())
    except StopIteration as end:
        return cast("tuple[Destination | None, tuple[Destination, ...]]", end.value)[0]


def _sets(talk: Talk, rule: Rule, facts: Facts) -> tuple[tuple[str, str], ...]:
    """Fill side effects. A language that is none is left out: Asterisk would look for its sounds anywhere."""
    found = [(name, clean_value(render(text, facts.look))) for name, text in rule.sets]
    for name, value in found:
        if name == "language" and not LANGUAGE.match(value):
            talk.note("language", f"left as it is: '{value[:80]}' is no language")
    return tuple((name, value) for name, value in found if name != "language" or LANGUAGE.match(value))


# ------------------------------------------------------------------------------------------- where a call goes


def _resolve(talk: Talk, to: To, facts: Facts) -> Conversation[tuple[Destination | None, tuple[Destination, ...]]]:
    """Give the first destination of `to` that is allowed (in a chain: and reachable), and the rest of its chain."""
    branch: To | None = to
    while branch is not None:
        destination = yield from _allowed(talk, branch, facts)
        if destination is not None and (not branch.chained or (yield from _reachable(talk, destination))):
            return destination, (yield from _rest(talk, branch, destination, facts))
        branch = branch.then or branch.otherwise
    return None, ()


def _allowed(talk: Talk, to: To, facts: Facts) -> Conversation[Destination | None]:
    """Fill and check one target; None, with the trail saying why, when it is empty or refused."""
    try:
        if to.kind == "last_agent":
            return (yield from _last_agent(talk, to, facts))
        return Destination(to.kind, _target(to, facts), to.priority, to.ring_s)
    except ValueError as refusal:
        hidden = any(talk.hides(left) for left in to.target.lefts)
        talk.note(f"destination {to.kind}", f"refused: {'it is not what was allowed' if hidden else refusal}")
        return None


def _target(to: To, facts: Facts) -> str:
    """Fill the target and check it. A value may never bring a comma: it would become another part of the place."""
    for left in to.target.lefts:
        if "," in as_text(facts.look(left)):
            raise ValueError(f"'{left}' holds a comma, which no target may get from a value")
    return check_target(to.kind, render(to.target, facts.look))


def _last_agent(talk: Talk, to: To, facts: Facts) -> Conversation[Destination]:
    """Give the extension that the caller spoke to within the days that the target says."""
    yield from observe(talk, (LAST_AGENT,))
    seen, days = talk.seen[LAST_AGENT], render(to.target, facts.look)
    if not isinstance(seen, tuple) or len(seen) != 2:
        raise ValueError("it is not known whom the caller spoke to last")
    spoke = as_moment(seen[1], talk.caller.at)
    if spoke is None or (spoke.tzinfo is None) != (talk.caller.at.tzinfo is None):
        raise ValueError("it is not known when the caller spoke to somebody")
    if talk.caller.at - spoke > timedelta(days=float(days)):
        raise ValueError(f"the caller spoke to nobody within {days} days")
    return Destination("extension", check_target("extension", as_text(seen[0])), None, to.ring_s)


def _reachable(talk: Talk, destination: Destination) -> Conversation[bool]:
    """Tell whether an entry of a chain can be reached; what cannot be known counts as reachable."""
    if destination.kind == "extension":
        left = Left("device", destination.target)
        yield from observe(talk, (left,))
        if talk.seen[left] in UNREACHABLE:
            talk.note(f"destination extension {destination.target}", f"not reachable: {talk.seen[left]}")
            return False
    if destination.kind == "queue":
        left = Left("queue", f"{destination.target}.members")
        yield from observe(talk, (left,))
        if talk.seen[left] == 0:
            talk.note(f"destination queue {destination.target}", "not reachable: it has no members")
            return False
    return True


def _rest(talk: Talk, taken: To, first: Destination, facts: Facts) -> Conversation[tuple[Destination, ...]]:
    """Give where a chain goes on when nobody answers: its other entries that are allowed, then the route's default."""
    if not taken.chained:
        return ()
    found, branch = [first], taken.then
    while branch is not None:
        destination = yield from _allowed(talk, branch, facts)
        if destination is not None and destination not in found:
            found.append(destination)
        branch = branch.then
    default: To | None = talk.route.default.to
    while default is not None:
        last = yield from _allowed(talk, default, talk.facts())
        if last is not None:
            return tuple(found[1:]) if last in found else (*found[1:], last)
        default = default.then or default.otherwise
    return tuple(found[1:])
