"""What has been said so far on one route, and the small asks that every part of the conversation needs."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar, cast

from routing_engine.core.asks import Answer, Ask, Observe, Observed, Play, Switch, Typed
from routing_engine.core.model import Caller, Operand, Prompt, Record, Route, Sound, TrailStep, Value
from routing_engine.core.prompts import check_language, speak
from routing_engine.core.redact import visible
from routing_engine.core.templates import Facts, as_text

T = TypeVar("T")
#: A trail is for people: what callers and CRMs wrote into it is cut and cannot do anything to a terminal.
_LONGEST_STEP, _LONGEST_OUTCOME = 500, 1000
Conversation: TypeAlias = Generator[Ask, Answer, T]


@dataclass
class CallState:
    """What has been said so far on one route."""

    route: Route
    caller: Caller
    trail: list[TrailStep]
    #: Sensitive digits typed on this or an earlier route of the call.
    secrets: list[str] = field(default_factory=list)
    typed: dict[str, str] = field(default_factory=dict)
    seen: dict[Operand, Value] = field(default_factory=dict)
    down: str = ""
    #: Route, source and rule of those that sent the call on to this route.
    passed: list[tuple[str, str, str]] = field(default_factory=list)

    def log_step(self, step: str, outcome: str, took_ms: float | None = None) -> None:
        """Add a step to the trail."""
        self.trail.append(TrailStep(visible(step, _LONGEST_STEP), visible(outcome, _LONGEST_OUTCOME), took_ms))

    def hides(self, left: Operand) -> bool:
        """Whether a left side holds digits that must not be shown."""
        if left.scope != "input":
            return False
        inputs = self.route.inputs
        return any(one.sensitive for one in (inputs if left.name else inputs[:1]) if left.name in ("", one.name))

    def facts(self, record: Record | None = None) -> Facts:
        """Return all that conditions and templates may look at now."""
        return Facts(self.caller, self.typed, record, self.route.site, self.seen, self.route.name)


def play(talk: CallState, step: str, sounds: tuple[Sound, ...], barge_in: bool = True) -> Conversation[str]:
    """Play sounds; give the digit that ended them, "" for none."""
    if not sounds:
        return ""
    heard = cast(Typed, (yield Play(sounds, barge_in)))
    outcome = "played, ended by a key" if heard.digits else "played"
    if heard.missing:
        outcome = f"could not be played: {', '.join(heard.missing)}"
    talk.log_step(f"{step} {' '.join(map(str, sounds))}", outcome, heard.took_ms)
    return heard.digits


def fill_prompts(talk: CallState, prompts: tuple[Prompt, ...], record: Record | None = None) -> tuple[Sound, ...]:
    """Put values into prompts; one that cannot be said is left out, and the trail says why."""
    if all(isinstance(prompt, str) for prompt in prompts):
        return cast(tuple[Sound, ...], prompts)
    facts, sounds = talk.facts(record), list[Sound]()
    for prompt in prompts:
        try:
            sounds.append(prompt if isinstance(prompt, str) else speak(prompt, facts.value_of, talk.caller.at))
        except ValueError as refusal:
            talk.log_step("prompt", f"left out: {refusal}")
    return tuple(sounds)


def switch(talk: CallState, language: str) -> Conversation[None]:
    """Go on in another language; one that is none is left out."""
    language = language.strip()
    if not language or language == talk.caller.language:
        return
    try:
        check_language(language)
    except ValueError as refusal:
        talk.log_step("language", f"left as it is: {refusal}")
        return
    yield Switch(language)
    talk.caller = replace(talk.caller, language=language)
    talk.log_step("language", language)


def observe(talk: CallState, lefts: Iterable[Operand]) -> Conversation[None]:
    """Look at live state, once for each left side and call."""
    wanted = tuple(left for left in lefts if left not in talk.seen)
    if not wanted:
        return
    observed = cast(Observed, (yield Observe(wanted)))
    for left in wanted:
        value = observed.values.get(left)
        talk.seen[left] = value
        talk.log_step(f"state {left}", "not known" if value is None else as_text(value))
