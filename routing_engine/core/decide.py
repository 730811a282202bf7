"""The conversation: `decide` asks Play, Collect, Find or Open, is told, and returns a Decision with its trail.

Meaning of the route language: design contract, section 2. This is its only implementation: live calls, `run-test`,
the examples beside the routes and the tests all drive this generator.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar, cast

from routing_engine.core.checks import why_invalid
from routing_engine.core.destinations import check_target, clean_value
from routing_engine.core.model import (
    Action,
    Answer,
    Ask,
    Caller,
    Collect,
    Decision,
    Destination,
    Find,
    Found,
    Input,
    Left,
    Open,
    Opened,
    Play,
    Reason,
    Record,
    Route,
    Rule,
    Source,
    SourceDown,
    Step,
    To,
    Typed,
)
from routing_engine.core.operators import as_moment, why_not
from routing_engine.core.templates import Facts, as_text, render

T = TypeVar("T")
Conversation: TypeAlias = Generator[Ask, Answer, T]

#: How many routes one call may pass through, so that two routes that name each other cannot hold it for ever.
MAX_ROUTES = 8


@dataclass
class _Talk:
    """What has been said so far on one route."""

    route: Route
    caller: Caller
    trail: list[Step]
    #: Sensitive digits typed on this or an earlier route of the call.
    secrets: list[str] = field(default_factory=list)
    typed: dict[str, str] = field(default_factory=dict)
    down: str = ""

    def note(self, step: str, outcome: str, took_ms: float | None = None) -> None:
        self.trail.append(Step(step, outcome, took_ms))

    def hides(self, left: Left) -> bool:
        """Whether a left side holds digits that must not be shown."""
        return left.room == "input" and any(one.sensitive for one in self.route.inputs if left.name in ("", one.name))


def decide(route: Route, caller: Caller) -> Conversation[Decision]:
    """Find out where a call goes. Yields asks, is sent their answers, returns the decision.

    Play and Collect are answered with `Typed`, Find with `Found` or `SourceDown`, Open with `Opened`.
    """
    trail: list[Step] = []
    secrets: list[str] = []
    for _ in range(MAX_ROUTES):
        talk = _Talk(route, caller, trail, secrets)
        decision = yield from _follow(talk)
        if decision.destination is None or decision.destination.kind != "route":
            return _without_secrets(talk, decision)
        opened = cast(Opened, (yield Open(decision.destination.target)))
        if opened.route is None:
            talk.note("route", f"there is no route '{decision.destination.target}'")
            return _without_secrets(talk, (yield from _give_up(talk)))
        talk.note("route", f"going on with '{opened.route.name}'")
        trail[:], route, caller = _without_secrets(talk, decision).trail, opened.route, opened.caller or caller
    talk.note("route", f"{MAX_ROUTES} routes were passed: they may lead to one another")
    return _without_secrets(talk, (yield from _give_up(talk)))


def fall_back(route: Route, caller: Caller, why: str) -> Decision:
    """Give the route's default as a decision that the engine, not the route, made: status FALLBACK, reason `error`."""
    talk = _Talk(route, caller, [Step("engine", why)])
    destination = _resolve(talk, route.default.to, Facts(caller, {}))
    if destination is not None and destination.kind == "route":
        destination = None
    return Decision(route.name, route.revision, "error", destination, trail=tuple(talk.trail), failed=True)


def _follow(talk: _Talk) -> Conversation[Decision]:
    """Follow one route from its instruction to a decision."""
    route = talk.route
    if talk.caller.number is None and route.anonymous is not None:
        talk.note("caller", "the number is hidden or no number")
        return (yield from _land(talk, route.anonymous, "anonymous"))
    ahead = yield from _play(talk, "instruction", route.instruction)
    for one in route.inputs:
        digits = yield from _ask_digits(talk, one, ahead)
        if digits is None:
            return (yield from _land(talk, one.on_failure or route.default, "no_input"))
        talk.typed[one.name], ahead = digits, ""
        if one.sensitive and len(digits) > 2:
            talk.secrets.append(digits)
    for source in route.sources:
        decision = yield from _search(talk, source)
        if decision is not None:
            return decision
    return (yield from _land(talk, route.default, "source_down" if talk.down else "no_record", source=talk.down))


def _play(talk: _Talk, step: str, sounds: tuple[str, ...], barge_in: bool = True) -> Conversation[str]:
    """Play sounds; give the digit that ended them, "" for none."""
    if not sounds:
        return ""
    heard = cast(Typed, (yield Play(sounds, barge_in)))
    outcome = "played, ended by a key" if heard.digits else "played"
    if heard.missing:
        outcome = f"could not be played: {', '.join(heard.missing)}"
    talk.note(f"{step} {' '.join(sounds)}", outcome, heard.took_ms)
    return heard.digits


def _ask_digits(talk: _Talk, one: Input, ahead: str) -> Conversation[str | None]:
    """Ask up to `attempts` times; None when no try was valid. Digits typed ahead belong to the first try."""
    if ahead == one.terminator:
        ahead = ""  # it has ended the instruction and is no digit
    for attempt in range(1, one.attempts + 1):
        prompt = one.prompt if attempt == 1 else one.retry_prompt + one.prompt
        heard = cast(Typed, (yield Collect(one, prompt, ahead)))
        digits, ahead = heard.digits[: one.max], ""
        fault = why_invalid(one, digits)
        shown = "*" * len(digits) if one.sensitive else digits
        talk.note(f"{one.name}, try {attempt} of {one.attempts}", fault or f"typed {shown}", heard.took_ms)
        if heard.missing:
            talk.note("prompt", f"could not be played: {', '.join(heard.missing)}")
        if not fault:
            return digits
    yield from _play(talk, "final prompt", one.final_prompt, barge_in=False)
    return None


def _search(talk: _Talk, source: Source) -> Conversation[Decision | None]:
    """Ask one source; None sends the search on to the next."""
    step = f"source {source.name}"
    if source.by_caller and talk.caller.number is None:
        talk.note(step, "skipped: the caller's number is hidden or no number")
        return None
    value = render(source.by, Facts(talk.caller, talk.typed).look)
    if not value:
        talk.note(step, "skipped: there is nothing to search by")
        return None
    answer = cast(Found | SourceDown, (yield Find(source, value, talk.caller.number)))
    if isinstance(answer, SourceDown):
        return (yield from _when_down(talk, source, answer))
    if not answer.records:
        talk.note(step, "no record", answer.took_ms)
        return None
    return (yield from _choose(talk, source, answer))


def _when_down(talk: _Talk, source: Source, answer: SourceDown) -> Conversation[Decision | None]:
    talk.note(f"source {source.name}", f"down: {answer.why}", answer.took_ms)
    talk.down = talk.down or source.name
    if source.when_down == "next":
        return None
    action = talk.route.default if source.when_down == "default" else source.when_down
    return (yield from _land(talk, action, "source_down", source=source.name))


def _choose(talk: _Talk, source: Source, answer: Found) -> Conversation[Decision]:
    """Take one of the records as `when_many` says, then run the source's rules on it."""
    records, record = answer.records, answer.records[0]
    outcome = "1 record" if len(records) == 1 else f"{len(records)} records, taking the first"
    if len(records) > 1 and source.newest_by:
        record = _newest(records, source.newest_by, talk.caller)
        outcome = f"{len(records)} records, taking the newest by {source.newest_by}"
    if len(records) > 1 and isinstance(source.when_many, Action):
        talk.note(
            f"source {source.name}", f"{len(records)} records, which have a destination of their own", answer.took_ms
        )
        return (yield from _land(talk, source.when_many, "matched", source=source.name))
    talk.note(f"source {source.name}", outcome, answer.took_ms)
    return (yield from _run_rules(talk, source, record))


def _newest(records: tuple[Record, ...], by: str, caller: Caller) -> Record:
    def moment(record: Record) -> float:
        found = as_moment(record.fields.get(by), caller.at)
        if found is None:
            return float("-inf")
        # Not timestamp(): that fails on dates near the year 1, which CRMs write for "never".
        since = found.replace(tzinfo=None) - datetime(1970, 1, 1) - (found.utcoffset() or timedelta(0))
        return since.total_seconds()

    return max(records, key=moment)


def _run_rules(talk: _Talk, source: Source, record: Record) -> Conversation[Decision]:
    """Take the first rule that holds; later sources are not tried when none does."""
    facts = Facts(talk.caller, talk.typed, record)
    for rule in source.rules:
        why = why_not(rule.when, facts, talk.hides)
        talk.note(f"rule {rule.name}", why or "matched")
        if not why:
            return (yield from _land(talk, rule.act, "matched", rule, source.name, record))
    return (yield from _land(talk, talk.route.default, "no_rule", source=source.name, record=record))


def _land(
    talk: _Talk,
    action: Action,
    reason: Reason,
    rule: Rule | None = None,
    source: str = "",
    record: Record | None = None,
) -> Conversation[Decision]:
    """Turn an action into a decision: check its target, then play what it plays."""
    facts = Facts(talk.caller, talk.typed, record)
    destination = _resolve(talk, action.to, facts)
    if destination is None and action is not talk.route.default:
        talk.note("destination", "none that is allowed: the route's default is taken")
        return (yield from _land(talk, talk.route.default, "error", rule, source, record))
    yield from _play(talk, "play", action.play, barge_in=False)
    return Decision(
        route=talk.route.name,
        revision=talk.route.revision,
        reason=reason if destination is not None else "error",
        destination=destination,
        play=action.play,
        rule=rule.name if rule is not None else "",
        source=source,
        record=record,
        sets=tuple((name, clean_value(render(text, facts.look))) for name, text in rule.sets) if rule else (),
        trail=tuple(talk.trail),
        failed=destination is None,
    )


def _give_up(talk: _Talk) -> Conversation[Decision]:
    """Land on the default of a route whose way leads nowhere; on nothing when that is a route again."""
    decision = yield from _land(talk, talk.route.default, "error")
    if decision.destination is not None and decision.destination.kind == "route":
        return replace(decision, destination=None, failed=True)
    return decision


def _resolve(talk: _Talk, to: To, facts: Facts) -> Destination | None:
    """Give the first destination of `to` and its `else` branches whose target is allowed."""
    branch: To | None = to
    while branch is not None:
        try:
            return Destination(branch.kind, _target(branch, facts), branch.priority)
        except ValueError as refusal:
            hidden = any(talk.hides(left) for left in branch.target.lefts)
            talk.note(f"destination {branch.kind}", f"refused: {'it is not what was allowed' if hidden else refusal}")
        branch = branch.otherwise
    return None


def _target(to: To, facts: Facts) -> str:
    """Fill the target and check it. A value may never bring a comma: it would become another part of the place."""
    for left in to.target.lefts:
        if "," in as_text(facts.look(left)):
            raise ValueError(f"'{left}' holds a comma, which no target may get from a value")
    return check_target(to.kind, render(to.target, facts.look))


def _without_secrets(talk: _Talk, decision: Decision) -> Decision:
    """Mask digits marked sensitive wherever the trail or the record repeats them."""
    trail = tuple(talk.trail)
    for secret in talk.secrets:
        trail = tuple(replace(step, outcome=step.outcome.replace(secret, "***")) for step in trail)
    return replace(decision, trail=trail, record=_mask_record(decision.record, talk.secrets))


def _mask_record(record: Record | None, secrets: list[str]) -> Record | None:
    if record is None or not secrets:
        return record
    fields = {
        name: "***" if any(one in as_text(value) for one in secrets) else value for name, value in record.fields.items()
    }
    url = "" if any(one in record.url for one in secrets) else record.url
    record_id = "***" if any(one in record.id for one in secrets) else record.id
    return replace(record, fields=fields, url=url, id=record_id)
