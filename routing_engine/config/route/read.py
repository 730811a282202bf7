"""Text in, route out: a route's file as the model, or every problem that it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing_engine.config.engine_sections import FILLER, LOOK_AHEAD, FillerKeys, LookAhead, RouteDefaults
from routing_engine.config.examples import Example, ExampleKeys, read_examples
from routing_engine.config.route.actions import ACTION, read_action
from routing_engine.config.route.context import RouteContext
from routing_engine.config.route.inputs import InputKeys, NamedInputKeys, read_inputs
from routing_engine.config.route.prompts import LANGUAGE_OR_CHOICE, PROMPTS, read_language, read_prompts
from routing_engine.config.route.rules import RuleKeys, count_early, read_rules
from routing_engine.config.route.sources import SourceKeys, read_sources
from routing_engine.config.route.walk import operands_of
from routing_engine.core.events import HEALTH_CHECK
from routing_engine.core.model import Action, DestinationSpec, Filler, Route, Site, Template
from routing_engine.settings.integration import IntegrationFacts
from routing_engine.settings.spec import read, required, setting, unread
from routing_engine.settings.value_types import choice, list_of, number, text
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, read_yaml

_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{1,63}\Z", re.ASCII)
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
    elif name.startswith(HEALTH_CHECK):
        sentence = (
            f"a route cannot be called '{name}': nobody reads of calls to '{HEALTH_CHECK}...', they ask for health"
        )
        notes.note(0, sentence, "give the file another name")


@dataclass(frozen=True, slots=True)
class RouteKeys:
    """A file of `routes/` as it is written; what is None or "" is left out."""

    description: str = setting(text(), "", "for people")
    owner: str = setting(text(), "", "for people: who looks after this route")
    language: YamlValue | None = setting(
        LANGUAGE_OR_CHOICE,
        None,
        "the language of the prompts. A `language` in the AGI address goes before a code",
        usual="the channel's",
        example="de",
    )
    instruction: YamlValue | None = setting(
        PROMPTS,
        None,
        "played when no rule above has decided. A digit ends it and counts as the first digit of the input",
        example="greeting-welcome",
    )
    answer: Literal["before_prompts", "early_media", "never"] = setting(
        choice("before_prompts", "early_media", "never"),
        "before_prompts",
        "what is done before the first prompt: answer the call, open early media (not every carrier lets it through), "
        "or neither. A route without prompts does not answer",
    )
    input: Section | None = setting(
        unread(InputKeys).called("[mapping](#input)"),
        None,
        "the digits to ask for, called `input` in conditions and templates",
        filled=True,
    )
    inputs: tuple[Section, ...] = setting(
        list_of(unread(NamedInputKeys)).called("list of the same, each with a `name`"),
        (),
        "several of them, asked in this order. `input.NAME` is what was typed",
        filled=True,
    )
    deadline_s: float = setting(
        number(0.1, 60, "seconds"),
        3.0,
        "how long all look-ups of one call may take. Sources after that are not asked",
        usual="3, or `defaults.deadline_s` of [engine.yaml](engine.md)",
    )
    filler: FillerKeys = setting(
        FILLER.called("[mapping](#filler), or `none`"),
        FillerKeys(),
        "what the caller hears while a look-up lasts",
        usual="music on hold `default` after 0.7 s",
        example="{after_s: 0.7, music: default}",
    )
    look_ahead: LookAhead = setting(
        LOOK_AHEAD,
        "certain",
        "which look-ups begin [before their turn](#look_ahead)",
        usual="`certain`, or `defaults.look_ahead` of [engine.yaml](engine.md)",
    )
    rules: tuple[Section, ...] = setting(
        list_of(unread(RuleKeys)).called("list of [rules](#a-rule)"),
        (),
        "about the call itself: they need no record. None holds: the sources are asked",
        filled=True,
    )
    sources: tuple[Section, ...] = setting(
        list_of(unread(SourceKeys)).called("list of [sources](#a-source)"),
        (),
        "where to search, top to bottom. The first that has a record ends the search",
        filled=True,
    )
    anonymous: YamlValue | None = setting(
        ACTION,
        None,
        "where callers go whose number is hidden or no number. It is taken before the instruction",
        usual="go on without the caller's number",
        example="{to: {queue: reception}}",
        filled=True,
    )
    default: YamlValue | None = required(ACTION, None, "where everybody else goes", example="{to: {queue: reception}}")
    examples: tuple[Section, ...] = setting(
        list_of(unread(ExampleKeys)).called("list of [examples](#examples)"),
        (),
        "calls that are played through at every start and reload. One that fails is a problem",
    )


def _read(name: str, section: Section, context: RouteContext, defaults: RouteDefaults) -> RouteFile:
    # What engine.yaml says is what a remedy calls the default.
    usual = RouteKeys(deadline_s=defaults.deadline_s, look_ahead=defaults.look_ahead)
    keys = read(section, RouteKeys, "a route", usual=usual)
    language, languages = read_language(keys.language, context)
    instruction = read_prompts(keys.instruction, context)
    inputs = read_inputs(section, keys.input, keys.inputs, context)  # before all that may use them
    rules = read_rules(keys.rules, context, has_record=False)
    route = Route(
        name=name,
        # A record may be there: the default is where a rule's refused target ends, too.
        default=read_action(keys.default, context, has_record=True) or _NOWHERE,
        description=keys.description,
        owner=keys.owner,
        language=language,
        languages=languages,
        instruction=instruction,
        answer=keys.answer,
        inputs=inputs,
        deadline_s=keys.deadline_s,
        filler=keys.filler.over(defaults.filler.over(Filler())),
        look_ahead=keys.look_ahead,
        rules=rules,
        early=count_early(rules),
        sources=read_sources(keys.sources, context, defaults.timeout_s),
        anonymous=read_action(keys.anonymous, context, has_record=False),
        site=context.site or Site(),
    )
    return RouteFile(_with_variables(route), read_examples(keys.examples, context, route))


def _with_variables(route: Route) -> Route:
    names = {left.name for left in operands_of(route) if left.scope == "call" and left.name.startswith("variable.")}
    return replace(route, variables=tuple(sorted(name.removeprefix("variable.") for name in names)))
