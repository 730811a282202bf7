"""Text in, route out: a route's file as the model, or every problem that it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from routing_engine.core.model import Action, Input, Pattern, Route, Template, To
from routing_engine.integration import IntegrationFacts
from routing_engine.marked import Notes, Section, read_yaml
from routing_engine.routes.actions import read_action
from routing_engine.routes.examples import Example, read_examples
from routing_engine.routes.later import refuse_later
from routing_engine.routes.page import Page, read_filler, read_pattern, read_sounds, refuse_empty, scalar
from routing_engine.routes.settings import Defaults
from routing_engine.routes.sources import read_sources
from routing_engine.routes.walk import lefts_of

_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{1,63}\Z", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([_\-][A-Za-z0-9]{1,8}){0,3}\Z", re.ASCII)
_DEFAULT = "default: {to: {queue: reception}}"
#: Stands for a default that could not be read, so that the rest of the file is still looked at.
_NOWHERE = Action(To("hangup", Template(("normal",))))
_KEYS = frozenset("0123456789*#")


@dataclass(frozen=True, slots=True)
class RouteFile:
    """All that one route's file says: the route, and the examples beside its rules."""

    route: Route
    examples: tuple[Example, ...] = ()


def read_route(
    name: str,
    text: str,
    notes: Notes,
    defaults: Defaults,
    integrations: Mapping[str, IntegrationFacts],
    routes: Collection[str] | None = None,
) -> RouteFile | None:
    """Read the file of the route `name`. None when there is any problem; `notes` then holds all of them.

    `routes` are the names of all routes: a destination `route` must name one of them. None leaves that unchecked.
    """
    _check_name(name, notes)
    section = read_yaml(text, notes)
    if section is None:
        return None
    found = _read(name, section, Page(notes, integrations, section.has("input"), routes), defaults)
    return None if notes.problems else found


def _check_name(name: str, notes: Notes) -> None:
    if not _ROUTE_NAME.match(name):
        notes.note(
            0,
            f"a route cannot be called '{name}'",
            "name the file with 2 to 64 of a-z A-Z 0-9 - and _, a letter or digit first",
        )


def _read(name: str, section: Section, page: Page, defaults: Defaults) -> RouteFile | None:
    refuse_later(section, "route")
    refuse_empty(section, "anonymous", "input", "sources")
    route = Route(
        name=name,
        default=_read_default(section, page) or _NOWHERE,
        description=section.text("description"),
        language=_read_language(section),
        instruction=read_sounds(section, "instruction"),
        answer=_read_answer(section),
        inputs=_read_inputs(section, page),
        deadline_s=section.number("deadline_s", defaults.deadline_s, 0.1, 60),
        filler=read_filler(section, defaults.filler),
        sources=read_sources(section, page, defaults.timeout_s),
        anonymous=_read_anonymous(section, page),
    )
    examples = read_examples(section, page, route)
    section.close("a route")
    return RouteFile(_with_variables(route), examples)


def _read_language(section: Section) -> str:
    """Take `language`: `en`, `de_AT`, `pt-br`."""
    language = section.text("language")
    if language and not _LANGUAGE.match(language):
        section.note("language", f"'{language[:80]}' is no language", "write a code such as en, de or pt_BR")
    return language


def _read_answer(section: Section) -> Literal["before_prompts", "early_media", "never"]:
    allowed = ("before_prompts", "early_media", "never")
    return cast(Literal["before_prompts", "early_media", "never"], section.choice("answer", allowed, allowed[0]))


def _read_default(section: Section, page: Page) -> Action | None:
    node = section.require("default", _DEFAULT)
    return None if node is None else read_action(node, page, "'default'", has_record=True)


def _read_anonymous(section: Section, page: Page) -> Action | None:
    node = section.take("anonymous")
    return None if node is None else read_action(node, page, "'anonymous'", has_record=False)


def _read_inputs(route: Section, page: Page) -> tuple[Input, ...]:
    section = route.section("input")
    if section is None:
        return ()
    low, high = _read_lengths(section)
    found = Input(
        prompt=read_sounds(section, "prompt"),
        attempts=section.whole("attempts", 3, 1, 10),
        min=low,
        max=high,
        pattern=_read_input_pattern(section, page),
        check=cast(Literal["", "luhn", "mod11"], section.choice("check", ("luhn", "mod11"), "")),
        terminator=_read_terminator(section),
        first_digit_timeout_s=section.number("first_digit_timeout_s", 5.0, 0.5, 120),
        inter_digit_timeout_s=section.number("inter_digit_timeout_s", 3.0, 0.5, 120),
        retry_prompt=read_sounds(section, "retry_prompt"),
        final_prompt=read_sounds(section, "final_prompt"),
        on_failure=_read_on_failure(section, page),
        sensitive=section.flag("sensitive", False),
    )
    section.close("'input'")
    return (found,)


def _read_lengths(section: Section) -> tuple[int, int]:
    digits = section.section("digits")
    if digits is None:
        return Input().min, Input().max
    low = digits.whole("min", Input().min, 1, 64)
    high = digits.whole("max", max(low, Input().max), 1, 64)
    if low > high:
        digits.note("min", f"'min' ({low}) is above 'max' ({high})", "swap them")
    digits.close("'digits'")
    return low, high


def _read_input_pattern(section: Section, page: Page) -> Pattern | None:
    refuse_empty(section, "pattern", "check", "digits")
    node = section.take("pattern")
    return None if node is None else read_pattern(node, page.notes, "'pattern'")


def _read_terminator(section: Section) -> str:
    terminator = section.text("terminator", "#")
    if terminator and terminator not in _KEYS:
        section.note("terminator", f"'terminator' cannot be '{terminator[:80]}'", "write one key: '#', '*' or a digit")
    return terminator


def _read_on_failure(section: Section, page: Page) -> Action | None:
    refuse_empty(section, "on_failure")
    node = section.take("on_failure")
    if node is None or scalar(node) == "default":
        return None
    word = scalar(node)
    if word is not None:
        section.note("on_failure", f"'on_failure' cannot be '{word[:80]}'", "write default or {play, to}")
        return None
    return read_action(node, page, "'on_failure'", has_record=False)


def _with_variables(route: Route) -> Route:
    names = {left.name.removeprefix("variable.") for left in lefts_of(route) if left.name.startswith("variable.")}
    return replace(route, variables=tuple(sorted(names)))
