"""The sources of a route, and the rules of each."""

from __future__ import annotations

from typing import Literal

import yaml

from routing_engine.core.model import Action, Left, Rule, Source, Template
from routing_engine.marked import Section, suggest, text_of
from routing_engine.routes.actions import read_action, read_sets, take_action
from routing_engine.routes.conditions import read_when
from routing_engine.routes.later import later, refuse_later
from routing_engine.routes.page import Names, Page, read_name, refuse_empty, scalar

_BY = {"caller": Left("call", "caller"), "called": Left("call", "called"), "input": Left("input", "")}
_SEARCH = "search: {field: phone, by: caller}"
_NOTHING = Template(())


def read_sources(route: Section, page: Page, timeout_s: float | None) -> tuple[Source, ...]:
    """Take `sources`; what is left out of one comes from `timeout_s` and the contract's defaults."""
    names, sources = Names("the source"), []
    for section in route.sections("sources"):
        source = _read_source(section, page, timeout_s)
        names.enter(section, source.name)
        sources.append(source)
    return tuple(sources)


def _read_source(section: Section, page: Page, timeout_s: float | None) -> Source:
    refuse_later(section, "source")
    integration, model = _read_model(section, page)
    field_name, by = _read_search(section, page)
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
        rules=_read_rules(section, page),
    )
    section.close("a source")
    return source


def _read_model(section: Section, page: Page) -> tuple[str, str]:
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


def _read_search(section: Section, page: Page) -> tuple[str, Template]:
    section.require("search", _SEARCH)
    search = section.section("search")
    if search is None:
        return "", _NOTHING
    node = search.require("by", "by: caller")
    by = _NOTHING if node is None else _read_by(node, page)
    name = search.text("field")
    search.close("'search'")
    return name, by


def _read_by(node: yaml.Node, page: Page) -> Template:
    text = text_of(node, page.notes, "'by'")
    if text is None:
        return _NOTHING
    if "{" in text or "}" in text:
        return page.template(node, text, has_record=False) or _NOTHING
    if text in _BY:
        text = str(_BY[text])
    if text.partition(".")[0].strip() not in ("call", "input"):
        page.notes.note(
            node, f"'by' cannot be '{text[:80]}'", "write caller, input, called, call.FIELD or '{call.FIELD}'"
        )
        return _NOTHING
    left = page.left(node, text.rstrip("."), has_record=False)
    return _NOTHING if left is None else Template((left,))


def _read_when_down(section: Section, page: Page) -> Literal["next", "default"] | Action:
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


def _read_when_many(section: Section, page: Page) -> tuple[Literal["first"] | Action, str]:
    refuse_empty(section, "when_many")
    node = section.take("when_many")
    if node is None:
        return "first", ""
    word = scalar(node)
    if word is None:
        return read_action(node, page, "'when_many'", has_record=False) or "first", ""
    if word.startswith("newest by ") and word.removeprefix("newest by ").strip():
        return "first", word.removeprefix("newest by ").strip()
    if word != "first":
        other = f"'when_many' cannot be '{word[:80]}'", "write first, newest by FIELD, or {play, to}"
        section.note("when_many", *(later("when_many", word) or other))
    return "first", ""


def _read_rules(source: Section, page: Page) -> tuple[Rule, ...]:
    names = Names("the rule")
    rules = []
    for position, section in enumerate(source.sections("rules"), start=1):
        rule = _read_rule(section, page, position)
        names.enter(section, rule[0])
        rules += [rule[1]] if rule[1] is not None else []
    return tuple(rules)


def _read_rule(section: Section, page: Page, position: int) -> tuple[str, Rule | None]:
    refuse_later(section, "rule")
    refuse_empty(section, "set")
    name = read_name(section, f"rule {position}")
    node = section.take("when")
    if node is None and "when" in section.names():
        section.note("when", "'when' has no condition", "write one, or remove 'when': the rule then always matches")
    when = None if node is None else read_when(node, page)
    act, sets = take_action(section, page, has_record=True), read_sets(section, page)
    section.close("a rule")
    return name, None if act is None else Rule(name, act, when, sets, section.line)
