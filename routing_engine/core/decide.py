"""The decision: `decide` asks Play, Collect, Find, ..., is sent the answers, and returns a Decision with its trail.

Meaning of the route language: docs/reference/routes.md and conditions.md. This is its only implementation: live calls,
`run-test`, the examples beside the routes and the tests all drive this generator.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import cast

from routing_engine.core.asks import Collect, Find, Found, Open, Opened, SourceDown, Typed
from routing_engine.core.check_digits import why_invalid
from routing_engine.core.compare import as_moment
from routing_engine.core.conditions import answers_to, nearly_not, why_not
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
from routing_engine.core.redact import MASK, mask_digits, mask_secrets, visible
from routing_engine.core.resolve import default_of, resolve_destination, resolve_nowhere
from routing_engine.core.state import CallState, Conversation, fill_prompts, not_known, observe, play, switch
from routing_engine.core.templates import render

#: How many routes one call may pass through, so that two routes that name each other cannot hold it for ever.
MAX_ROUTES = 8
#: Our own prompts of the menu for several records: `For` NAME `press` KEY.
CHOOSE_FOR, CHOOSE_PRESS = "choose-for", "choose-press"


def decide(route: Route, caller: Caller) -> Conversation[Decision]:
    """Find out where a call goes: yield asks, be sent their answers, return the decision.

    Play, Collect, Switch and Prefetch are answered with `Typed`, Find with `Found` or `SourceDown`, Open with
    `Opened`, Observe with `Observed`.
    """
    # One trail and one set of secrets for the whole call: digits typed on one route are masked on the next one, too.
    trail: list[TrailStep] = []
    secrets: list[str] = []
    seen: dict[Operand, Value] = {}
    passed: list[tuple[str, str, str]] = []
    for _ in range(MAX_ROUTES):
        state = CallState(route, caller, trail, secrets, seen=seen, passed=passed)
        decision = _hide_answers(state, (yield from _follow(state)))
        if decision.destination is None or not KINDS[decision.destination.kind].is_route:
            return mask_secrets(decision, trail, secrets)
        opened = cast(Opened, (yield Open(decision.destination.target)))
        if opened.route is None:
            state.log_step("route", f"there is no route '{decision.destination.target}'")
            return mask_secrets((yield from resolve_nowhere(state)), trail, secrets)
        state.log_step("route", f"going on with '{opened.route.name}'")
        passed.append((decision.route, decision.source, decision.rule))
        route, caller = opened.route, opened.caller or state.caller
    state.log_step("route", f"{MAX_ROUTES} routes were passed: they may lead to one another")
    return mask_secrets((yield from resolve_nowhere(state)), trail, secrets)


def fall_back(route: Route, caller: Caller, why: str) -> Decision:
    """Return the route's default as the engine's decision, not the route's: status FALLBACK, reason `error`."""
    state = CallState(route, caller, [TrailStep("engine", why)])
    # A route would need a decision again, and that is what has just failed.
    places = [one for one in default_of(state, route) if not KINDS[one.kind].is_route]
    return Decision(
        route=route.name,
        revision=route.revision,
        reason="error",
        destination=places[0] if places else None,
        trail=tuple(state.trail),
        failed=True,
        chain=tuple(places[1:]),
    )


def _hide_answers(state: CallState, decision: Decision) -> Decision:
    """Return a decision whose record does not tell what sensitive digits were compared with: whoever typed wrong digits
    would read the right ones in a test.
    """
    record, inputs = decision.record, state.route.inputs
    if record is None or not any(one.sensitive for one in inputs):
        return decision
    rules = (rule for source in state.route.sources for rule in source.rules)
    right = {name for rule in rules for name in answers_to(rule.when, state.route.hides)}
    fields = {name: MASK if name in right else value for name, value in record.fields.items()}
    return replace(decision, record=replace(record, fields=fields)) if right else decision


def _follow(state: CallState) -> Conversation[Decision]:
    """Follow one route from its instruction to a decision."""
    route = state.route
    if route.languages is not None:
        yield from _speak_language(state)
    decision = yield from _run_rules(state, route.rules[: route.early])
    if decision is not None:
        return decision
    if state.caller.number is None and route.anonymous is not None:
        state.log_step("caller", _without_number(state.caller))
        return (yield from resolve_destination(state, route.anonymous, "anonymous"))
    yield from prefetch_before_prompts(state)
    failed = yield from _ask_inputs(state)
    if failed is not None:
        return (yield from resolve_destination(state, failed.on_failure or route.default, "no_input"))
    decision = yield from _run_rules(state, route.rules[route.early :])
    if decision is not None:
        return decision
    for turn, source in enumerate(route.sources):
        yield from prefetch_before_turn(state, turn)
        decision = yield from _search(state, source)
        if decision is not None:
            return decision
    return (
        yield from resolve_destination(
            state, route.default, "source_down" if state.down else "no_record", source=state.down
        )
    )


def _speak_language(state: CallState) -> Conversation[None]:
    languages = state.route.languages
    assert languages is not None
    value = render(languages.by, state.facts().value_of)
    yield from switch(state, languages.cases.get(value, languages.otherwise))


# --------------------------------------------------------------------------------------------------- the input


def _ask_inputs(state: CallState) -> Conversation[Input | None]:
    """Play the instruction and ask for every input; return the one that was never valid, None when all were."""
    # A key that ends the instruction is the first digit of the input: nothing that is typed gets lost.
    ahead = yield from play(state, "instruction", fill_prompts(state, state.route.instruction))
    for one in state.route.inputs:
        digits = yield from _ask_digits(state, one, fill_prompts(state, one.prompt), ahead)
        if digits is None:
            return one
        state.typed[one.name], ahead = digits, ""
        if one.sensitive and len(digits) > 2:  # one or two digits stand in too many texts to be taken out
            state.secrets.append(digits)
        yield from switch(state, one.languages.get(digits, ""))
    return None


def _ask_digits(state: CallState, one: Input, prompt: tuple[Sound, ...], ahead: str = "") -> Conversation[str | None]:
    """Ask up to `attempts` times; None when no try was valid. Digits typed ahead belong to the first try."""
    if ahead == one.terminator:
        ahead = ""  # it has ended the instruction, and is not a digit
    for attempt in range(1, one.attempts + 1):
        sounds = prompt if attempt == 1 else fill_prompts(state, one.retry_prompt) + prompt
        heard = cast(Typed, (yield Collect(one, sounds, ahead)))
        digits, ahead = heard.digits[: one.max], ""
        fault = why_invalid(one, digits)
        shown = "*" * len(digits) if one.sensitive else digits
        state.log_step(f"{one.name}, try {attempt} of {one.attempts}", fault or f"typed {shown}", heard.took_ms)
        if heard.missing:
            state.log_step("prompt", f"could not be played: {', '.join(heard.missing)}")
        if heard.unsure:
            state.log_step("prompt", not_known(heard.unsure))
        if not fault:
            return digits
    yield from play(state, "final prompt", fill_prompts(state, one.final_prompt), barge_in=False)
    return None


# ------------------------------------------------------------------------------------------------- the sources


def _search(state: CallState, source: Source) -> Conversation[Decision | None]:
    """Ask one source; None sends the search on to the next."""
    step = f"source {source.name}"
    if source.by_caller and state.caller.number is None:
        state.log_step(step, f"skipped: {_without_number(state.caller)}")
        return None
    value = render(source.by, state.facts().value_of)
    if not value:
        state.log_step(step, "skipped: there is nothing to search by")
        return None
    answer = cast(Found | SourceDown, (yield Find(source, value, state.caller.number)))
    if isinstance(answer, SourceDown):
        return (yield from _when_down(state, source, answer))
    if not answer.records:
        state.log_step(
            step, f"no record{_mismatches(answer)}{f' ({answer.note})' if answer.note else ''}", answer.took_ms
        )
        return None
    return (yield from _choose(state, source, answer))


def _without_number(caller: Caller) -> str:
    if not caller.unread:
        return "the caller's number is hidden"
    return f"what arrived as the caller's number is not one: '{mask_digits(visible(caller.unread[:40]))}'"


def _mismatches(answer: Found) -> str:
    left_out = [f"{answer.mismatches} more with another number than the caller's"] if answer.mismatches else []
    left_out += [f"{answer.unreadable} more whose number cannot be read"] if answer.unreadable else []
    return f" ({', '.join(left_out)})" if left_out else ""


def _when_down(state: CallState, source: Source, answer: SourceDown) -> Conversation[Decision | None]:
    state.log_step(f"source {source.name}", f"down: {answer.why}", answer.took_ms)
    state.down = state.down or source.name
    if source.when_down == "next":
        return None
    action = state.route.default if source.when_down == "default" else source.when_down
    return (yield from resolve_destination(state, action, "source_down", source=source.name))


def _choose(state: CallState, source: Source, answer: Found) -> Conversation[Decision]:
    """Take one of the records as `when_many` says, then run the source's rules on it."""
    records, many, step = answer.records, source.when_many, f"source {source.name}"
    count = f"{len(records)} record{'s' if len(records) > 1 else ''}{_mismatches(answer)}"
    count += f" ({answer.note})" if answer.note else ""
    if len(records) == 1:
        state.log_step(step, count, answer.took_ms)
        return (yield from _decide_on(state, source, records[0]))
    if isinstance(many, Action):
        state.log_step(step, f"{count}, which have a destination of their own", answer.took_ms)
        return (yield from resolve_destination(state, many, "matched", source=source.name))
    if isinstance(many, Menu):
        return (yield from _let_choose(state, source, many, answer, count))
    record, how = _pick(state, source, records)
    state.log_step(step, f"{count}, taking the {how}", answer.took_ms)
    return (yield from _decide_on(state, source, record))


def _pick(state: CallState, source: Source, records: tuple[Record, ...]) -> tuple[Record, str]:
    """Return one of several records, and which it is."""
    if source.newest_by:
        return _newest(records, source.newest_by, state.caller)
    if isinstance(source.when_many, Prefer):
        for place, record in enumerate(records, start=1):
            if not why_not(source.when_many.when, state.facts(record), state.route.hides):
                return record, f"one that is preferred (number {place})"
        return records[0], "first: none is one of those preferred"
    return records[0], "first"


def _newest(records: tuple[Record, ...], by: str, caller: Caller) -> tuple[Record, str]:
    """Return the record with the latest date, and which it is. Dates that cannot be read count as the oldest."""

    def moment(record: Record) -> float:
        found = as_moment(record.fields.get(by), caller.at)
        if found is None:
            return float("-inf")
        # Not timestamp(): that fails on dates near the year 1, which CRMs write for "never".
        since = found.replace(tzinfo=None) - datetime(1970, 1, 1) - (found.utcoffset() or timedelta(0))
        return since.total_seconds()

    unread = sum(moment(record) == float("-inf") for record in records)
    if unread == len(records):
        return records[0], f"first: none has a date in '{by}' that can be read"
    few = f" ({unread} without a date that can be read)" if unread else ""
    return max(records, key=moment), f"newest by {by}{few}"


def _let_choose(state: CallState, source: Source, menu: Menu, answer: Found, count: str) -> Conversation[Decision]:
    """Let the caller choose by keypad: `for Acme press 1, ...`. A record whose label cannot be said is left out."""
    labelled = ((record, fill_prompts(state, menu.label, record)) for record in answer.records)
    offered = list(islice(((record, label) for record, label in labelled if label), menu.at_most))
    state.log_step(f"source {source.name}", f"{count}, asking the caller to choose of {len(offered)}", answer.took_ms)
    prompt = fill_prompts(state, menu.prompt)
    for key, (_, label) in enumerate(offered, start=1):
        prompt += (CHOOSE_FOR, *label, CHOOSE_PRESS, Spoken("digits", str(key)))
    choice = Input(name="choice", max=1, pattern=re.compile(f"[1-{len(offered) or 1}]"))
    digits = (yield from _ask_digits(state, choice, prompt)) if offered else None
    if digits is None:
        return (
            yield from resolve_destination(state, menu.otherwise or state.route.default, "no_input", source=source.name)
        )
    return (yield from _decide_on(state, source, offered[int(digits) - 1][0]))


# --------------------------------------------------------------------------------------------------- the rules


def _decide_on(state: CallState, source: Source, record: Record) -> Conversation[Decision]:
    """Take the first rule of the source that holds; later sources are not tried when none does."""
    decision = yield from _run_rules(state, source.rules, source.name, record)
    if decision is not None:
        return decision
    return (yield from resolve_destination(state, state.route.default, "no_rule", source=source.name, record=record))


def _run_rules(
    state: CallState, rules: tuple[Rule, ...], source: str = "", record: Record | None = None
) -> Conversation[Decision | None]:
    """Go where the first rule that holds says; None when none does."""
    if not rules:
        return None
    facts = state.facts(record)
    for rule in rules:
        why = _asleep(rule, state.caller.at)
        if not why and rule.live:  # only now: a rule that an earlier one hides costs no round trip to Asterisk
            yield from observe(state, rule.live)
        why = why or why_not(rule.when, facts, state.route.hides)
        state.log_step(f"rule {rule.name}", why or f"matched{nearly_not(rule.when, facts, state.route.hides)}")
        if not why:
            return (yield from resolve_destination(state, rule.act, "matched", rule, source, record))
    return None


def _asleep(rule: Rule, now: datetime) -> str:
    """Return why a rule does not count at all; "" when it does."""
    if rule.disabled:
        return "disabled"
    if rule.until is not None and now.replace(tzinfo=None) > rule.until:
        return f"expired: it held until {rule.until:%Y-%m-%d %H:%M}"
    return ""
