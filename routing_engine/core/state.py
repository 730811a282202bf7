"""The state of a call on one route, and the small asks that every part of the decision needs."""

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


@dataclass(slots=True)
class CallState:
    """What is known of a call on one route so far: what was typed and observed, and the trail.

    `typed` has the digits by the input's name; `seen` the live state that was looked at; `down` the first source that
    did not answer, "" for none.
    """

    route: Route
    caller: Caller
    trail: list[TrailStep]
    #: Sensitive digits typed on this or an earlier route of the call.
    secrets: list[str] = field(default_factory=list)
    typed: dict[str, str] = field(default_factory=dict)
    #: Shared by all routes of a call, so that one call sees one state of the world.
    seen: dict[Operand, Value] = field(default_factory=dict)
    down: str = ""
    #: Route, source and rule of those that sent the call on to this route.
    passed: list[tuple[str, str, str]] = field(default_factory=list)

    def log_step(self, step: str, outcome: str, took_ms: float | None = None) -> None:
        """Add a step to the trail."""
        self.trail.append(TrailStep(visible(step, _LONGEST_STEP), visible(outcome, _LONGEST_OUTCOME), took_ms))

    def facts(self, record: Record | None = None) -> Facts:
        """Return all that conditions and templates may look at now."""
        return Facts(self.caller, self.typed, record, self.route.site, self.seen, self.route.name)


def play(state: CallState, step: str, sounds: tuple[Sound, ...], barge_in: bool = True) -> Conversation[str]:
    """Play sounds and return the digit that ended them, "" for none."""
    if not sounds:
        return ""
    heard = cast(Typed, (yield Play(sounds, barge_in)))
    outcome = "played, ended by a key" if heard.digits else "played"
    if heard.missing:
        outcome = f"could not be played: {', '.join(heard.missing)}"
    elif heard.unsure:
        outcome = not_known(heard.unsure)
    state.log_step(f"{step} {' '.join(map(str, sounds))}", outcome, heard.took_ms)
    return heard.digits


def not_known(sounds: tuple[str, ...]) -> str:
    """Return what is said of sounds that nobody here has."""
    return f"to be played; among the sounds here is no {', '.join(sounds)}: it is silence unless Asterisk has it"


def fill_prompts(state: CallState, prompts: tuple[Prompt, ...], record: Record | None = None) -> tuple[Sound, ...]:
    """Put values into prompts; one that cannot be said is left out, and the trail says why."""
    if all(isinstance(prompt, str) for prompt in prompts):  # nearly always
        return cast(tuple[Sound, ...], prompts)
    facts, sounds = state.facts(record), list[Sound]()
    for prompt in prompts:
        try:
            sounds.append(prompt if isinstance(prompt, str) else speak(prompt, facts.value_of, state.caller.at))
        except ValueError as refusal:
            state.log_step("prompt", f"left out: {refusal}")
    return tuple(sounds)


def switch(state: CallState, language: str) -> Conversation[None]:
    """Go on in another language; a text that is not a language changes nothing, and the trail says so."""
    language = language.strip()
    if not language or language == state.caller.language:
        return
    try:
        check_language(language)
    except ValueError as refusal:
        state.log_step("language", f"left as it is: {refusal}")
        return
    yield Switch(language)
    state.caller = replace(state.caller, language=language)
    state.log_step("language", language)


def observe(state: CallState, operands: Iterable[Operand]) -> Conversation[None]:
    """Look at live state, once for each operand and call: the state must not change between two rules."""
    wanted = tuple(operand for operand in operands if operand not in state.seen)
    if not wanted:
        return
    observed = cast(Observed, (yield Observe(wanted)))
    for operand in wanted:
        value = observed.values.get(operand)
        state.seen[operand] = value
        state.log_step(f"state {operand}", "not known" if value is None else as_text(value))
