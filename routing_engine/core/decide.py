"""The conversation: `decide` asks Play, Collect, Find, ..., is told, and returns a Decision with its trail.

Meaning of the route language: design contract, section 2. This is its only implementation: live calls, `run-test`,
the examples beside the routes and the tests all drive this generator.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import islice
from typing import cast

from routing_engine.core.asks import Collect, Find, Found, Open, Opened, SourceDown, Typed
from routing_engine.core.check_digits import why_invalid
from routing_engine.core.compare import as_moment
from routing_engine.core.conditions import nearly_not, why_not
from routing_engine.core.destinations import KINDS
from routing_engine.core.model import (
    Action,
    Caller,
    Decision,
    Input,
    Menu,
    Operand,
    Prefer,
    Record,
    Route,
    Rule,
    Sound,
    Source,
    Spoken,
    TrailStep,
    Value,
)
from routing_engine.core.prefetch import prefetch_before_prompts, prefetch_before_turn
from routing_engine.core.redact import mask_secrets
from routing_engine.core.resolve import default_of, resolve_destination, resolve_nowhere
from routing_engine.core.state import CallState, Conversation, fill_prompts, observe, play, switch
from routing_engine.core.templates import render

#: How many routes one call may pass through, so that two routes that name each other cannot hold it for ever.
MAX_ROUTES = 8
#: Our own prompts of the menu for several records: `For` NAME `press` KEY.
CHOOSE_FOR, CHOOSE_PRESS = "choose-for", "choose-press"


def decide(route: Route, caller: Caller) -> Conversation[Decision]:
    """Find out where a call goes. Yields asks, is sent their answers, returns the decision.

    Play, Collect, Switch and Ahead are answered with `Typed`, Find with `Found` or `SourceDown`, Open with `Opened`,
    Observe with `Observed`.
    """
    trail: list[TrailStep] = []
    secrets: list[str] = []
    seen: dict[Operand, Value] = {}
    passed: list[tuple[str, str, str]] = []
    for _ in range(MAX_ROUTES):
        talk = CallState(route, caller, trail, secrets, seen=seen, passed=passed)
        decision = yield from _follow(talk)
        if decision.destination is None or not KINDS[decision.destination.kind].is_route:
            return mask_secrets(decision, trail, secrets)
        opened = cast(Opened, (yield Open(decision.destination.target)))
        if opened.route is None:
            talk.log_step("route", f"there is no route '{decision.destination.target}'")
            return mask_secrets((yield from resolve_nowhere(talk)), trail, secrets)
        talk.log_step("route", f"going on with '{opened.route.name}'")
        passed.append((decision.route, decision.source, decision.rule))
        route, caller = opened.route, opened.caller or talk.caller
    talk.log_step("route", f"{MAX_ROUTES} routes were passed: they may lead to one another")
    return mask_secrets((yield from resolve_nowhere(talk)), trail, secrets)


def fall_back(route: Route, caller: Caller, why: str) -> Decision:
    """Return the route's default as the engine's decision, not the route's: status FALLBACK, reason `error`."""
    talk = CallState(route, caller, [TrailStep("engine", why)])
    places = [place for place in default_of(talk, route) if place.kind != "route"]
    return Decision(
        route=route.name,
        revision=route.revision,
        reason="error",
        destination=places[0] if places else None,
        trail=tuple(talk.trail),
        failed=True,
        chain=tuple(places[1:]),
    )


def _follow(talk: CallState) -> Conversation[Decision]:
    """Follow one route from its instruction to a decision."""
    route = talk.route
    if route.languages is not None:
        yield from _speak_language(talk)
    decision = yield from _run_rules(talk, route.rules[: route.early])
    if decision is not None:
        return decision
    if talk.caller.number is None and route.anonymous is not None:
        talk.log_step("caller", "the number is hidden or no number")
        return (yield from resolve_destination(talk, route.anonymous, "anonymous"))
    yield from prefetch_before_prompts(talk)
    failed = yield from _ask_inputs(talk)
    if failed is not None:
        return (yield from resolve_destination(talk, failed.on_failure or route.default, "no_input"))
    decision = yield from _run_rules(talk, route.rules[route.early :])
    if decision is not None:
        return decision
    for turn, source in enumerate(route.sources):
        yield from prefetch_before_turn(talk, turn)
        decision = yield from _search(talk, source)
        if decision is not None:
            return decision
    return (
        yield from resolve_destination(
            talk, route.default, "source_down" if talk.down else "no_record", source=talk.down
        )
    )


def _speak_language(talk: CallState) -> Conversation[None]:
    languages = talk.route.languages
    assert languages is not None
    value = render(languages.by, talk.facts().value_of)
    yield from switch(talk, languages.cases.get(value, languages.otherwise))


# --------------------------------------------------------------------------------------------------- the input


def _ask_inputs(talk: CallState) -> Conversation[Input | None]:
    """Play the instruction and ask for every input; give the one that was never valid, None when all were."""
    ahead = yield from play(talk, "instruction", fill_prompts(talk, talk.route.instruction))
    for one in talk.route.inputs:
        digits = yield from _ask_digits(talk, one, fill_prompts(talk, one.prompt), ahead)
        if digits is None:
            return one
        talk.typed[one.name], ahead = digits, ""
        if one.sensitive and len(digits) > 2:
            talk.secrets.append(digits)
        yield from switch(talk, one.languages.get(digits, ""))
    return None


def _ask_digits(talk: CallState, one: Input, prompt: tuple[Sound, ...], ahead: str = "") -> Conversation[str | None]:
    """Ask up to `attempts` times; None when no try was valid. Digits typed ahead belong to the first try."""
    if ahead == one.terminator:
        ahead = ""  # it has ended the instruction and is no digit
    for attempt in range(1, one.attempts + 1):
        sounds = prompt if attempt == 1 else fill_prompts(talk, one.retry_prompt) + prompt
        heard = cast(Typed, (yield Collect(one, sounds, ahead)))
        digits, ahead = heard.digits[: one.max], ""
        fault = why_invalid(one, digits)
        shown = "*" * len(digits) if one.sensitive else digits
        talk.log_step(f"{one.name}, try {attempt} of {one.attempts}", fault or f"typed {shown}", heard.took_ms)
        if heard.missing:
            talk.log_step("prompt", f"could not be played: {', '.join(heard.missing)}")
        if not fault:
            return digits
    yield from play(talk, "final prompt", fill_prompts(talk, one.final_prompt), barge_in=False)
    return None


# ------------------------------------------------------------------------------------------------- the sources


def _search(talk: CallState, source: Source) -> Conversation[Decision | None]:
    """Ask one source; None sends the search on to the next."""
    step = f"source {source.name}"
    if source.by_caller and talk.caller.number is None:
        talk.log_step(step, "skipped: the caller's number is hidden or no number")
        return None
    value = render(source.by, talk.facts().value_of)
    if not value:
        talk.log_step(step, "skipped: there is nothing to search by")
        return None
    answer = cast(Found | SourceDown, (yield Find(source, value, talk.caller.number)))
    if isinstance(answer, SourceDown):
        return (yield from _when_down(talk, source, answer))
    if not answer.records:
        talk.log_step(
            step, f"no record{_strangers(answer)}{f' ({answer.note})' if answer.note else ''}", answer.took_ms
        )
        return None
    return (yield from _choose(talk, source, answer))


def _strangers(answer: Found) -> str:
    return f" ({answer.strangers} more with another number than the caller's)" if answer.strangers else ""


def _when_down(talk: CallState, source: Source, answer: SourceDown) -> Conversation[Decision | None]:
    talk.log_step(f"source {source.name}", f"down: {answer.why}", answer.took_ms)
    talk.down = talk.down or source.name
    if source.when_down == "next":
        return None
    action = talk.route.default if source.when_down == "default" else source.when_down
    return (yield from resolve_destination(talk, action, "source_down", source=source.name))


def _choose(talk: CallState, source: Source, answer: Found) -> Conversation[Decision]:
    """Take one of the records as `when_many` says, then run the source's rules on it."""
    records, many, step = answer.records, source.when_many, f"source {source.name}"
    count = f"{len(records)} record{'s' if len(records) > 1 else ''}{_strangers(answer)}"
    count += f" ({answer.note})" if answer.note else ""
    if len(records) == 1:
        talk.log_step(step, count, answer.took_ms)
        return (yield from _decide_on(talk, source, records[0]))
    if isinstance(many, Action):
        talk.log_step(step, f"{count}, which have a destination of their own", answer.took_ms)
        return (yield from resolve_destination(talk, many, "matched", source=source.name))
    if isinstance(many, Menu):
        return (yield from _let_choose(talk, source, many, answer, count))
    record, how = _pick(talk, source, records)
    talk.log_step(step, f"{count}, taking the {how}", answer.took_ms)
    return (yield from _decide_on(talk, source, record))


def _pick(talk: CallState, source: Source, records: tuple[Record, ...]) -> tuple[Record, str]:
    """Return one of several records, and which it is."""
    if source.newest_by:
        return _newest(records, source.newest_by, talk.caller), f"newest by {source.newest_by}"
    if isinstance(source.when_many, Prefer):
        for place, record in enumerate(records, start=1):
            if not why_not(source.when_many.when, talk.facts(record), talk.hides):
                return record, f"one that is preferred (number {place})"
        return records[0], "first: none is one of those preferred"
    return records[0], "first"


def _newest(records: tuple[Record, ...], by: str, caller: Caller) -> Record:
    def moment(record: Record) -> float:
        found = as_moment(record.fields.get(by), caller.at)
        if found is None:
            return float("-inf")
        # Not timestamp(): that fails on dates near the year 1, which CRMs write for "never".
        since = found.replace(tzinfo=None) - datetime(1970, 1, 1) - (found.utcoffset() or timedelta(0))
        return since.total_seconds()

    return max(records, key=moment)


def _let_choose(talk: CallState, source: Source, menu: Menu, answer: Found, count: str) -> Conversation[Decision]:
    """Build a keypad menu from the records: `for Acme press 1, ...`. One that cannot be called anything is left out."""
    labelled = ((record, fill_prompts(talk, menu.label, record)) for record in answer.records)
    offered = list(islice(((record, label) for record, label in labelled if label), menu.at_most))
    talk.log_step(f"source {source.name}", f"{count}, asking the caller to choose of {len(offered)}", answer.took_ms)
    prompt = fill_prompts(talk, menu.prompt)
    for key, (_, label) in enumerate(offered, start=1):
        prompt += (CHOOSE_FOR, *label, CHOOSE_PRESS, Spoken("digits", str(key)))
    choice = Input(name="choice", max=1, pattern=re.compile(f"[1-{len(offered) or 1}]"))
    digits = (yield from _ask_digits(talk, choice, prompt)) if offered else None
    if digits is None:
        return (
            yield from resolve_destination(talk, menu.otherwise or talk.route.default, "no_input", source=source.name)
        )
    return (yield from _decide_on(talk, source, offered[int(digits) - 1][0]))


# --------------------------------------------------------------------------------------------------- the rules


def _decide_on(talk: CallState, source: Source, record: Record) -> Conversation[Decision]:
    """Take the first rule of the source that holds; later sources are not tried when none does."""
    decision = yield from _run_rules(talk, source.rules, source.name, record)
    if decision is not None:
        return decision
    return (yield from resolve_destination(talk, talk.route.default, "no_rule", source=source.name, record=record))


def _run_rules(
    talk: CallState, rules: tuple[Rule, ...], source: str = "", record: Record | None = None
) -> Conversation[Decision | None]:
    """Land on the first rule that holds; None when none does."""
    if not rules:
        return None
    facts = talk.facts(record)
    for rule in rules:
        why = _asleep(rule, talk.caller.at)
        if not why and rule.live:
            yield from observe(talk, rule.live)
        why = why or why_not(rule.when, facts, talk.hides)
        talk.log_step(f"rule {rule.name}", why or f"matched{nearly_not(rule.when, facts, talk.hides)}")
        if not why:
            return (yield from resolve_destination(talk, rule.act, "matched", rule, source, record))
    return None


def _asleep(rule: Rule, now: datetime) -> str:
    """Say why a rule does not count at all; "" when it does."""
    if rule.disabled:
        return "disabled"
    if rule.until is not None and now.replace(tzinfo=None) > rule.until:
        return f"expired: it held until {rule.until:%Y-%m-%d %H:%M}"
    return ""
