"""The sources of a route: what to search, by what, and what happens when there is nothing, much or no answer."""

from __future__ import annotations

from typing import Literal

import yaml

from routing_engine.config.route.actions import read_action
from routing_engine.config.route.cache_policy import read_keep
from routing_engine.config.route.conditions import read_when
from routing_engine.config.route.context import (
    NOTHING,
    RouteContext,
    UniqueNames,
    read_by,
    read_name,
    refuse_empty,
    scalar,
)
from routing_engine.config.route.prompts import read_prompts
from routing_engine.config.route.rules import read_rules
from routing_engine.config.route.walk import of_condition
from routing_engine.core.model import Action, Menu, Operand, Prefer, Source, SpokenTemplate, Template
from routing_engine.settings.yaml_reader import Section, section_of, suggest

_SEARCH = "search: {field: phone, by: caller}"
#: `when_many: ask`: the records are told apart by their names.
_BY_NAME = Menu((SpokenTemplate("speech", Template((Operand("record", "name"),))),))


def read_sources(route: Section, page: RouteContext, timeout_s: float | None) -> tuple[Source, ...]:
    """Take `sources`; what is left out of one comes from `timeout_s` and the contract's defaults."""
    names, sources = UniqueNames("the source"), []
    for section in route.sections("sources"):
        source = _read_source(section, page, timeout_s)
        names.enter(section, source.name)
        sources.append(source)
    return tuple(sources)


def _read_source(section: Section, page: RouteContext, timeout_s: float | None) -> Source:
    refuse_empty(section, "cache", "stale_for")
    integration, model = _read_model(section, page)
    field_name, by = _read_search(section, page)
    _refuse_strangers(section, page, (integration, model), field_name, by)
    when_many, newest_by = _read_when_many(section, page)
    source = Source(
        name=read_name(section, f"{integration}.{model}"),
        integration=integration,
        model=model,
        by=by,
        field=field_name,
        timeout_s=section.number("timeout_s", timeout_s or 3, 0.05, 60, "the route's deadline_s")
        if section.has("timeout_s")
        else timeout_s,
        when_down=_read_when_down(section, page),
        when_many=when_many,
        newest_by=newest_by,
        keep=read_keep(section, page, by),
        rules=read_rules(section, page, has_record=True),
    )
    section.close("a source")
    return source


def _read_model(section: Section, page: RouteContext) -> tuple[str, str]:
    section.require("integration", "integration: crm")
    name, model = section.text("integration"), section.text("model")
    if name and name not in page.integrations:
        remedy = suggest(name, page.integrations) if page.integrations else f"write config/integrations/{name}.yaml"
        section.note("integration", f"there is no integration '{name}'", remedy)
    models = page.integrations.get(name)
    if not model and models is not None and len(models) == 1:
        return name, next(iter(models))
    if models is not None or not name:  # else its file is broken, and says so itself
        section.require("model", "model: contact")
    if model and models is not None and model not in models:
        section.note("model", f"the integration '{name}' has no model '{model}'", suggest(model, models))
    return name, model


def _read_search(section: Section, page: RouteContext) -> tuple[str, Template]:
    section.require("search", _SEARCH)
    search = section.section("search")
    if search is None:
        return "", NOTHING
    node = search.require("by", "by: caller")
    by = NOTHING if node is None else read_by(node, page)
    name = search.text("field")
    search.close("'search'")
    return name, by


def _refuse_strangers(
    section: Section, page: RouteContext, place: tuple[str, str], field_name: str, by: Template
) -> None:
    """Refuse a search that the provider cannot do, and one whose hits do not tell the caller from strangers."""
    model = (page.integrations.get(place[0]) or {}).get(place[1])
    if model is None or not section.has("search"):
        return
    by_caller = Operand("call", "caller") in by.operands
    fault = model.why_unsearchable(field_name, by_caller) or (model.why_unsafe(field_name) if by_caller else None)
    if fault:
        section.note("search", *fault)


def _read_when_down(section: Section, page: RouteContext) -> Literal["next", "default"] | Action:
    refuse_empty(section, "when_down")
    node = section.take("when_down")
    if node is None:
        return "next"
    word = scalar(node)
    if word is None:
        return read_action(node, page, "'when_down'", has_record=False) or "next"
    if word not in ("next", "default"):
        section.note("when_down", f"'when_down' cannot be '{word[:80]}'", "write next, default or {play, to}")
    return "default" if word == "default" else "next"


def _read_when_many(section: Section, page: RouteContext) -> tuple[Literal["first"] | Action | Prefer | Menu, str]:
    refuse_empty(section, "when_many")
    node = section.take("when_many")
    if node is None:
        return "first", ""
    word = scalar(node)
    if word is None:
        return _read_choice(node, page) or "first", ""
    if word == "ask":
        return _BY_NAME, ""
    if word.startswith("newest by ") and word.removeprefix("newest by ").strip():
        return "first", word.removeprefix("newest by ").strip()
    if word != "first":
        remedy = "write first, newest by FIELD, ask, {ask: ...}, {prefer: ...} or {play, to}"
        section.note("when_many", f"'when_many' cannot be '{word[:80]}'", remedy)
    return "first", ""


def _read_choice(node: yaml.Node, page: RouteContext) -> Action | Prefer | Menu | None:
    """Read how one of several records is chosen: by a condition, by the caller, or not at all."""
    section = section_of(node, page.notes, "'when_many'")
    if section is None:
        return None
    if section.has("prefer"):
        return _read_prefer(section, page)
    if section.has("ask"):
        return _read_menu(section, page)
    return read_action(node, page, "'when_many'", has_record=False)


def _read_prefer(section: Section, page: RouteContext) -> Prefer | None:
    node = section.take("prefer")
    when = None if node is None else read_when(node, page)
    section.close("'when_many'")
    if any(left.live for left in of_condition(when)):
        section.note("prefer", "'prefer' chooses by the record, not by live state", "write a rule for that")
        return None
    return None if when is None else Prefer(when)


def _read_menu(section: Section, page: RouteContext) -> Menu:
    otherwise = section.take("else")
    before = len(page.notes.problems)
    menu = Menu(
        label=read_prompts(section, "ask", page, has_record=True),
        prompt=read_prompts(section, "prompt", page),
        at_most=section.whole("at_most", 9, 2, 9),
        otherwise=None if otherwise is None else read_action(otherwise, page, "'else'", has_record=False),
    )
    if not menu.label and len(page.notes.problems) == before:
        section.note("ask", "'ask' says nothing", "say what tells the records apart: {ask: {say: '{name}'}}")
    section.close("'when_many'")
    return menu
