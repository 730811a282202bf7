"""Routes in one line each, and a conversation with `decide` that is answered from a table.

`converse` is the only place that drives the generator by itself. `routing_engine/call.py` is the driver of every call,
and tests that want to know where a call goes use that (`tests/peers/site.py`, `tests/properties/five_ways.py`). The
tests of the core want something else: what it asks, word by word and in which order, of a side that may answer what no
channel of ours does; and this room may not know the rooms above it. It takes 50 microseconds, without a loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import re2

from routing_engine.config.route.walk import of_condition
from routing_engine.core.asks import (
    Answer,
    Ask,
    Collect,
    Find,
    Found,
    Observe,
    Observed,
    Open,
    Opened,
    Play,
    Prefetch,
    SourceDown,
    Switch,
    Typed,
)
from routing_engine.core.decide import decide
from routing_engine.core.model import (
    Action,
    Caller,
    Comparison,
    Condition,
    ConditionGroup,
    Decision,
    DestinationSpec,
    Input,
    Operand,
    Pattern,
    Prompt,
    Record,
    Route,
    Rule,
    SayingKind,
    Source,
    Spoken,
    SpokenTemplate,
    Value,
)
from routing_engine.core.phone import read_number
from routing_engine.core.resolve import LAST_AGENT
from routing_engine.core.templates import read_operand, read_template

VIENNA = ZoneInfo("Europe/Vienna")
#: A Wednesday morning.
NOW = datetime(2026, 11, 18, 10, 30, tzinfo=VIENNA)
ANNA = Caller(read_number("+43 664 1234567", "AT"), "217", "Anna", "en", NOW, "1795198986.2")
HIDDEN = replace(ANNA, number=None, name="", hidden=True)
DOWN = SourceDown("nobody answers")
GOLD = Record({"id": "7", "tier": "gold", "balance": 2500, "owner": "12"}, "7", "https://crm/7")


def to(
    kind: str, target: str, otherwise: DestinationSpec | None = None, priority: int | None = None
) -> DestinationSpec:
    return DestinationSpec(kind, read_template(target), priority, otherwise)


def go(
    kind: str, target: str, *play: Prompt, otherwise: DestinationSpec | None = None, priority: int | None = None
) -> Action:
    return Action(to(kind, target, otherwise, priority), play)


def chain(*entries: DestinationSpec) -> DestinationSpec:
    """Join destinations as `to: [...]` does."""
    first: DestinationSpec | None = None
    for entry in reversed(entries):
        first = replace(entry, chained=True, then=first)
    assert first is not None
    return first


def say(kind: SayingKind, text: str) -> SpokenTemplate:
    return SpokenTemplate(kind, read_template(text))


def when(left: str, operator: str, expected: Value | Pattern, loosely: bool = False) -> Comparison:
    return Comparison(read_operand(left), operator, expected, loosely)


def group(join: Literal["all", "any", "none"], *conditions: Condition) -> ConditionGroup:
    return ConditionGroup(join, conditions)


def rule(name: str, act: Action, condition: Condition | None = None, **sets: str) -> Rule:
    made = Rule(name, act, condition, tuple((key, read_template(text)) for key, text in sets.items()))
    return replace(made, live=tuple(left for left in of_condition(condition) if left.live))


def source(name: str, *rules: Rule, by: str = "{call.caller}", **more: object) -> Source:
    made = Source(name, "crm", "contact", read_template(by), rules=rules)
    return replace(made, **more)  # type: ignore[arg-type]


def route(*sources: Source, **more: object) -> Route:
    made = Route("support", go("ivr", "main", "no-match"), sources=sources, revision="r1")
    return replace(made, **more)  # type: ignore[arg-type]


def pattern(text: str) -> Pattern:
    compiled: Pattern = re2.compile(text)
    return compiled


SALES = rule("everybody", go("queue", "sales"))
NUMBER = Input(prompt=("enter",), min=6, max=10)


@dataclass(frozen=True)
class Told:
    """A finished conversation: the decision, and every ask in order."""

    decision: Decision
    asks: Sequence[Ask]

    @property
    def searched(self) -> list[str]:
        return [ask.source.name for ask in self.asks if isinstance(ask, Find)]

    @property
    def values(self) -> list[str]:
        return [ask.value for ask in self.asks if isinstance(ask, Find)]

    @property
    def played(self) -> list[str | Spoken]:
        return [sound for ask in self.asks if isinstance(ask, Play) for sound in ask.sounds]

    @property
    def prompts(self) -> list[tuple[str | Spoken, ...]]:
        return [ask.prompt for ask in self.asks if isinstance(ask, Collect)]

    @property
    def observed(self) -> list[str]:
        return [str(left) for ask in self.asks if isinstance(ask, Observe) for left in ask.operands]

    @property
    def languages(self) -> list[str]:
        return [ask.language for ask in self.asks if isinstance(ask, Switch)]

    @property
    def steps(self) -> list[str]:
        return [f"{step.step}: {step.outcome}" for step in self.decision.trail]

    @property
    def outcomes(self) -> list[str]:
        return [step.outcome for step in self.decision.trail]


Answers = Mapping[str, Record | SourceDown | Found | tuple[Record, ...]]


@dataclass
class _Other:
    """The other side: one of `typed` per try, `ahead` during the first prompt, an answer per source and live state.

    `missing` are the sounds that it has not got.
    """

    typed: Iterator[str]
    ahead: str
    found: Answers
    routes: Mapping[str, Route]
    states: Mapping[Operand, Value]
    missing: Collection[str]

    def answer(self, ask: Ask) -> Answer:
        if isinstance(ask, Play):
            digits, self.ahead = (self.ahead, "") if ask.barge_in else ("", self.ahead)
            return Typed(digits, self._lacks(ask.sounds))
        if isinstance(ask, Collect):
            return Typed(ask.typed + next(self.typed, ""), self._lacks(ask.prompt))
        if isinstance(ask, Open):
            return Opened(self.routes.get(ask.route))
        if isinstance(ask, Observe):
            return Observed({left: self.states[left] for left in ask.operands if left in self.states})
        if isinstance(ask, Switch | Prefetch):
            return Typed()
        answer = self.found.get(ask.source.name, ())
        if isinstance(answer, SourceDown | Found):
            return answer
        return Found((answer,) if isinstance(answer, Record) else answer, 1.0)

    def _lacks(self, sounds: Sequence[str | Spoken]) -> tuple[str, ...]:
        return tuple(str(sound) for sound in sounds if sound in self.missing)


def converse(
    route: Route,
    caller: Caller = ANNA,
    typed: Sequence[str] = (),
    ahead: str = "",
    found: Answers | None = None,
    routes: Mapping[str, Route] | None = None,
    states: Mapping[str, Value] | None = None,
    missing: Collection[str] = (),
) -> Told:
    """Hold the whole conversation, answered from the tables that are given."""
    live = {LAST_AGENT if name == "last_agent" else read_operand(name): value for name, value in (states or {}).items()}
    other, asks = _Other(iter(typed), ahead, found or {}, routes or {}, live, missing), list[Ask]()
    talk = decide(route, caller)
    try:
        ask = next(talk)
        while True:
            asks.append(ask)
            ask = talk.send(other.answer(ask))
    except StopIteration as end:
        return Told(end.value, asks)
