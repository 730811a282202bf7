"""A route in words: the steps that a call takes, in the order of `core.decide`, and the ways that lead out of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from routing_engine.core.conditions import describe
from routing_engine.core.destinations import WRITTEN
from routing_engine.core.model import (
    Action,
    DestinationSpec,
    Input,
    Menu,
    Operand,
    Prefer,
    Prompt,
    Route,
    Rule,
    Source,
    SpokenTemplate,
    Template,
)

StepKind: TypeAlias = Literal["rules", "caller", "play", "input", "source", "default"]
GOES_ON = "the next step"
DEFAULT = "the default"
_RULES = "the rules"
_UNKNOWN = "nobody knows the caller's number"


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way out of a step: `when` it is taken, the `rule` that says so ("" for none), where it leads.

    `to` is a place, `GOES_ON`, `DEFAULT` or the rules of the same step; `plays` what is heard before, "" for nothing;
    `route` is the name of the route that goes on there, "" for none. `asleep` says why a rule does not count at all.
    """

    when: str
    to: str
    rule: str = ""
    plays: str = ""
    route: str = ""
    asleep: str = ""

    @property
    def ends(self) -> bool:
        """Whether the call leaves the route here, for another place than its default."""
        return not (self.asleep or self.to in (GOES_ON, DEFAULT) or self.to.startswith(_RULES))

    @property
    def leads(self) -> str:
        """What happens then, in one line."""
        return f"plays {self.plays}, then {self.to}" if self.plays else self.to


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step of a call on a route; `ways` are tried from the first to the last, and else the call goes on."""

    kind: StepKind
    title: str
    ways: tuple[WayOut, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutePreview:
    """A route as it is drawn."""

    name: str
    description: str
    steps: tuple[PreviewStep, ...]


def preview_of(route: Route) -> RoutePreview:
    """Return a route as people would draw it."""
    return RoutePreview(route.name, route.description, tuple(_Reading(route).steps()))


@dataclass(frozen=True, slots=True)
class _Reading:
    route: Route

    def steps(self) -> Iterator[PreviewStep]:
        route = self.route
        if route.rules[: route.early]:
            yield PreviewStep("rules", "looks at the call", self._rules(route.rules[: route.early]))
        if route.anonymous is not None:
            yield PreviewStep("caller", "is there a number?", (_way(_UNKNOWN, route.anonymous),))
        if route.instruction:
            yield PreviewStep("play", f"plays {_heard(route.instruction)}")
        yield from map(self._input, route.inputs)
        if route.rules[route.early :]:
            yield PreviewStep("rules", "looks at the call and what was typed", self._rules(route.rules[route.early :]))
        yield from map(self._source, route.sources)
        yield PreviewStep("default", "otherwise, and by default", (_way("", route.default),))

    def _rules(self, rules: Iterable[Rule]) -> tuple[WayOut, ...]:
        return tuple(self._rule(rule) for rule in rules)

    def _rule(self, rule: Rule) -> WayOut:
        when = describe(rule.when, self.route.hides) if rule.when is not None else "always"
        until = f" (until {rule.until:%Y-%m-%d %H:%M})" if rule.until is not None else ""
        return _way(when + until, rule.act, rule.name, "switched off" if rule.disabled else "")

    def _input(self, one: Input) -> PreviewStep:
        length = f"{one.min} to {one.max} digits" if one.min != one.max else _many(one.max, "digit")
        form = f", of the form /{one.pattern.pattern}/" if one.pattern is not None else ""
        check = f", with a check digit ({one.check})" if one.check else ""
        name = "digits" if one.name == "input" else one.name
        prompt = f": {_heard(one.prompt)}" if one.prompt else ""
        title = f"asks for {name}{prompt} ({length}{form}{check}; {_many(one.attempts, 'try', 'tries')})"
        nothing = "nothing valid is typed"
        failed = _way(nothing, one.on_failure) if one.on_failure else WayOut(nothing, DEFAULT)
        heard = ", ".join(part for part in (_heard(one.final_prompt), failed.plays) if part)
        return PreviewStep("input", title, (replace(failed, plays=heard),))

    def _source(self, source: Source) -> PreviewStep:
        field = f" whose {source.field} is" if source.field else " with"
        title = f"looks for {_article(source.model)} in {source.integration}{field} {_value(source.by)}"
        return PreviewStep("source", title, (*self._several(source), *self._rules(source.rules), *_else(source)))

    def _several(self, source: Source) -> Iterator[WayOut]:
        many = source.when_many
        if isinstance(many, Action):
            yield _way("several are found", many)
        elif isinstance(many, Menu):
            yield WayOut("several are found", f"{_RULES}, with the one of up to {many.at_most} that the caller chooses")
            yield _way("none is chosen", many.otherwise) if many.otherwise else WayOut("none is chosen", DEFAULT)
        elif source.newest_by:
            yield WayOut("several are found", f"{_RULES}, with the newest by {source.newest_by}")
        elif isinstance(many, Prefer):
            preferred = describe(many.when, self.route.hides)
            yield WayOut("several are found", f"{_RULES}, with the first for which {preferred}, else the first")


def _else(source: Source) -> Iterator[WayOut]:
    # A record that is found ends the search, whether a rule holds or not.
    if not any(rule.when is None and rule.until is None and not rule.disabled for rule in source.rules):
        yield WayOut("found, and no rule holds", DEFAULT)
    silent = f"{source.integration} does not answer"
    if source.when_down == "next":
        yield WayOut(f"no record, or {silent}", GOES_ON)
        return
    yield _way(silent, source.when_down) if isinstance(source.when_down, Action) else WayOut(silent, DEFAULT)
    yield WayOut("no record", GOES_ON)


def _way(when: str, act: Action, rule: str = "", asleep: str = "") -> WayOut:
    route = str(act.to.target) if WRITTEN[act.to.kind].is_route else ""
    return WayOut(when, place_of(act.to), rule, _heard(act.play), route, asleep)


def place_of(to: DestinationSpec) -> str:
    """Return a destination as it is written, in words: `extension {owner}, else queue sales`."""
    row = WRITTEN[to.kind]
    target = str(to.target)
    said = row.label if target == row.bare == "normal" else f"{row.label} {target}"
    said += f", priority {to.priority}" if to.priority is not None else ""
    said += f", for {to.ring_s} s" if to.ring_s is not None else ""
    if to.then is not None:
        return f"{said}, then {place_of(to.then)}"
    if to.chained:
        return f"{said}, then {DEFAULT}"
    return f"{said}, else {place_of(to.otherwise)}" if to.otherwise is not None else said


def _heard(prompts: Iterable[Prompt]) -> str:
    return ", ".join(map(_prompt, prompts))


def _prompt(prompt: Prompt) -> str:
    if not isinstance(prompt, SpokenTemplate):
        return prompt
    return str(prompt.text) if prompt.kind == "sound" else f"'{prompt.text}' as {prompt.kind}"


_VALUES = {
    Operand("call", "caller"): "the caller's number",
    Operand("call", "called"): "the number dialled",
    Operand("input", ""): "what was typed",
}


def _value(by: Template) -> str:
    alone = by.operands[0] if len(by.parts) == len(by.operands) == 1 else None
    return str(by) if alone is None else _VALUES.get(alone, str(by))


def _article(model: str) -> str:
    return f"{'an' if model[:1] in 'aeiou' else 'a'} {model}"


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"
