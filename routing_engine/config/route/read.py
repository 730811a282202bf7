"""Text in, route out: a route's file as the model, or every problem that it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from routing_engine.config.engine_yaml import FILLER, LOOK_AHEAD, LookAhead, RouteDefaults
from routing_engine.config.examples import Example, read_examples
from routing_engine.config.route.actions import read_action
from routing_engine.config.route.context import RouteContext, refuse_empty
from routing_engine.config.route.inputs import read_inputs
from routing_engine.config.route.prompts import read_language, read_prompts
from routing_engine.config.route.rules import count_early, read_rules
from routing_engine.config.route.sources import read_sources
from routing_engine.config.route.walk import operands_of
from routing_engine.core.model import Action, DestinationSpec, Filler, Route, Site, Template
from routing_engine.settings.integration import IntegrationFacts
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml

_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{1,63}\Z", re.ASCII)
_DEFAULT = "default: {to: {queue: reception}}"
#: Stands for a default that could not be read, so that the rest of the file is still looked at.
_NOWHERE = Action(DestinationSpec("hangup", Template(("normal",))))


@dataclass(frozen=True, slots=True)
class RouteFile:
    """All that one route's file says: the route, and the examples beside its rules."""

    route: Route
    examples: tuple[Example, ...] = ()


def read_route(
    name: str,
    text: str,
    notes: Problems,
    defaults: RouteDefaults,
    integrations: Mapping[str, IntegrationFacts],
    routes: Collection[str] | None = None,
    site: Site | None = None,
) -> RouteFile | None:
    """Read the file of the route `name`. None when there is any problem; `notes` then holds all of them.

    `routes` are the names of all routes: a destination `route` must name one of them. None leaves that unchecked.
    `site` has the calendars and lists that conditions may name.
    """
    _check_name(name, notes)
    section = read_yaml(text, notes)
    if section is None:
        return None
    found = _read(name, section, RouteContext(notes, integrations, routes, site), defaults)
    return None if notes.problems else found


def _check_name(name: str, notes: Problems) -> None:
    if not _ROUTE_NAME.match(name):
        notes.note(
            0,
            f"a route cannot be called '{name}'",
            "name the file with 2 to 64 of a-z A-Z 0-9 - and _, a letter or digit first",
        )


def _read(name: str, section: Section, page: RouteContext, defaults: RouteDefaults) -> RouteFile | None:
    refuse_empty(section, "anonymous", "input", "inputs", "rules", "sources")
    language, languages = read_language(section, page)
    instruction = read_prompts(section, "instruction", page)
    inputs = read_inputs(section, page)  # before all that may use them
    rules = read_rules(section, page, has_record=False)
    route = Route(
        name=name,
        default=_read_default(section, page) or _NOWHERE,
        description=section.text("description"),
        owner=section.text("owner"),
        language=language,
        languages=languages,
        instruction=instruction,
        answer=_read_answer(section),
        inputs=inputs,
        deadline_s=section.number("deadline_s", defaults.deadline_s, 0.1, 60),
        filler=_read_filler(section, defaults),
        look_ahead=_read_look_ahead(section, defaults),
        rules=rules,
        early=count_early(rules),
        sources=read_sources(section, page, defaults.timeout_s),
        anonymous=_read_anonymous(section, page),
        site=page.site or Site(),
    )
    examples = read_examples(section, page, route)
    section.close("a route")
    return RouteFile(_with_variables(route), examples)


def _read_answer(section: Section) -> Literal["before_prompts", "early_media", "never"]:
    allowed = ("before_prompts", "early_media", "never")
    return cast(Literal["before_prompts", "early_media", "never"], section.choice("answer", allowed, allowed[0]))


def _read_filler(section: Section, defaults: RouteDefaults) -> Filler:
    value, usual = section.value("filler"), defaults.filler.over(Filler())
    found = None if value is None else FILLER.read(value, "")
    return usual if found is None else found.over(usual)


def _read_look_ahead(section: Section, defaults: RouteDefaults) -> LookAhead:
    value = section.value("look_ahead")
    return (None if value is None else LOOK_AHEAD.read(value, "")) or defaults.look_ahead


def _read_default(section: Section, page: RouteContext) -> Action | None:
    node = section.require("default", _DEFAULT)
    return None if node is None else read_action(node, page, "'default'", has_record=True)


def _read_anonymous(section: Section, page: RouteContext) -> Action | None:
    node = section.take("anonymous")
    return None if node is None else read_action(node, page, "'anonymous'", has_record=False)


def _with_variables(route: Route) -> Route:
    names = {left.name for left in operands_of(route) if left.scope == "call" and left.name.startswith("variable.")}
    return replace(route, variables=tuple(sorted(name.removeprefix("variable.") for name in names)))
