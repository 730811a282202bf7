"""The sources of a route: what to search, by what, and what happens when there is nothing, much or no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routing_engine.config.route.actions import ACTION, ActionKeys, read_action
from routing_engine.config.route.cache_policy import CacheKeys, policy_of
from routing_engine.config.route.conditions import CONDITION, read_when
from routing_engine.config.route.context import NOTHING, RouteContext, UniqueNames, name_of, read_by
from routing_engine.config.route.prompts import PROMPTS, read_prompts
from routing_engine.config.route.rules import RuleKeys, read_rules
from routing_engine.config.route.walk import of_condition
from routing_engine.core.model import Action, Menu, Operand, Prefer, Source, SpokenTemplate, Template
from routing_engine.settings.spec import nested, read, refer_to, required, setting, unread
from routing_engine.settings.value_types import TEXT, Definitions, Schema, list_of, number, period, raw, text, whole
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

#: `when_many: ask`: the records are told apart by their names.
_BY_NAME = Menu((SpokenTemplate("speech", Template((Operand("record", "name"),))),))


@dataclass(frozen=True, slots=True)
class SearchKeys:
    """What is searched for, and in which field of ours; "" leaves that to the integration."""

    by: YamlValue | None = required(
        raw("`caller`, `input`, `input.NAME`, `called`, `call.FIELD`, or a template", TEXT),
        None,
        "the value to search for",
        example="caller",
    )
    field: str = setting(
        text("one of our field names"),
        "",
        "the field to search it in",
        usual="the integration's own choice",
        example="phone",
    )


@dataclass(frozen=True, slots=True)
class MenuKeys:
    """The caller chooses among several records."""

    ask: YamlValue | None = required(PROMPTS, None, "what one record is called", example="{say: '{name}'}")
    prompt: YamlValue | None = setting(PROMPTS, None, "before the choice", example="choose-account")
    at_most: int = setting(whole(2, 9), 9, "how many are offered")
    else_: YamlValue | None = setting(
        ACTION, None, "for a caller who chooses none", usual="the default, reason `no_input`"
    )


@dataclass(frozen=True, slots=True)
class PreferKeys:
    """Conditions choose among several records."""

    prefer: YamlValue | None = required(
        CONDITION,
        None,
        "the first record for which these hold is taken, else the first",
        example="{active: true}",
    )


def _when_many_schema(definitions: Definitions) -> Schema:
    words: Schema = {"type": "string", "pattern": "^(first|ask|newest by .+)$"}
    ways = (refer_to(one, definitions) for one in (MenuKeys, PreferKeys, ActionKeys))
    # The words are listed beside the pattern, so that an editor can propose them.
    return {"anyOf": [*ways, {"enum": ["first", "ask"]}, words]}


def _when_down_schema(definitions: Definitions) -> Schema:
    return {"anyOf": [ACTION.schema(definitions), {"enum": ["next", "default"]}]}


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """One source as it is written; what is None or "" is left out."""

    name: str = setting(
        name_of(), "", "its name in trail, log and examples. Two sources need two names", usual="`INTEGRATION.MODEL`"
    )
    integration: str = required(text("name"), "", "the file in `config/integrations`", example="crm")
    model: str = setting(
        text("name"), "", "which data model of it", usual="the integration's only one", example="contact"
    )
    search: SearchKeys = required(
        nested(SearchKeys).called("[mapping](#search)"),
        SearchKeys(),
        "what to search for",
        example="{field: phone, by: caller}",
    )
    timeout_s: float | None = setting(
        number(0.05, 60, "seconds"),
        None,
        "how long this source may take",
        usual="`defaults.timeout_s` of [engine.yaml](engine.md), else what is left of `deadline_s`",
        example="1.5",
    )
    cache: CacheKeys | None = setting(
        nested(CacheKeys).called("[mapping](#cache)"),
        None,
        "how long an answer is used again",
        usual="every call asks anew",
        example="{ttl_s: 300}",
        filled=True,
    )
    stale_for: float = setting(
        period(),
        0.0,
        "while the source is down, its last answer counts, when it is no older than this",
        usual="never",
        example="24h",
        filled=True,
    )
    when_down: YamlValue | None = setting(
        raw("`next`, `default`, or a [destination](#a-destination-with-play)", _when_down_schema),
        None,
        'the source does not answer, or not with a record or "no record"',
        usual="`next`",
        filled=True,
    )
    when_many: YamlValue | None = setting(
        raw("[how one is chosen](#when_many)", _when_many_schema),
        None,
        "the source has more than one record",
        usual="`first`",
        example="newest by updated",
        filled=True,
    )
    rules: tuple[Section, ...] = setting(
        list_of(unread(RuleKeys)).called("list of [rules](#a-rule)"), (), "for what this source finds"
    )


def read_sources(sections: tuple[Section, ...], context: RouteContext, timeout_s: float | None) -> tuple[Source, ...]:
    """Read `sources`; what is left out of one comes from `timeout_s` and the contract's defaults."""
    # Trail, log and examples tell sources apart by their names.
    names, sources = UniqueNames("the source"), []
    for section in sections:
        source = _read_source(section, context, timeout_s)
        names.enter(section, source.name)
        sources.append(source)
    return tuple(sources)


def _read_source(section: Section, context: RouteContext, timeout_s: float | None) -> Source:
    keys = read(section, SourceKeys, "a source")
    model = _model_of(section, keys, context)
    by = NOTHING if keys.search.by is None else read_by(keys.search.by, context)
    _refuse_strangers(section, keys, model, context, by)
    when_many, newest_by = _read_when_many(keys.when_many, context)
    return Source(
        name=keys.name or f"{keys.integration}.{model}",
        integration=keys.integration,
        model=model,
        by=by,
        field=keys.search.field,
        timeout_s=timeout_s if keys.timeout_s is None else keys.timeout_s,
        when_down=_read_when_down(keys.when_down, context),
        when_many=when_many,
        newest_by=newest_by,
        keep=policy_of(keys.cache, keys.stale_for, section, context, by),
        rules=read_rules(keys.rules, context, has_record=True),
    )


def _model_of(section: Section, keys: SourceKeys, context: RouteContext) -> str:
    """Return the model that a source searches; note an integration or a model that is not there."""
    name, model = keys.integration, keys.model
    if name and name not in context.integrations:
        remedy = (
            suggest(name, context.integrations) if context.integrations else f"write config/integrations/{name}.yaml"
        )
        section.note("integration", f"there is no integration '{name}'", remedy)
    models = context.integrations.get(name)
    # One model leaves no choice, so nobody has to write it.
    if not model and models is not None and len(models) == 1:
        return next(iter(models))
    if not model and (models is not None or not name):  # else its file is broken, and says so itself
        section.note("model", "'model' is missing", "add for example: model: contact")
    if model and models is not None and model not in models:
        section.note("model", f"the integration '{name}' has no model '{model}'", suggest(model, models))
    return model


def _refuse_strangers(section: Section, keys: SourceKeys, model_name: str, context: RouteContext, by: Template) -> None:
    """Refuse a search that the provider cannot do, and one whose hits do not tell the caller from strangers."""
    model = (context.integrations.get(keys.integration) or {}).get(model_name)
    # What is missing has a problem of its own.
    if model is None or not section.has("search"):
        return
    by_caller = Operand("call", "caller") in by.operands
    # Refused here and not on the first call: the caller would be the one who finds out.
    fault = model.why_unsearchable(keys.search.field, by_caller)
    if fault is None and by_caller:
        fault = model.why_unsafe(keys.search.field)
    if fault:
        section.note("search", *fault)


def _read_when_down(value: YamlValue | None, context: RouteContext) -> Literal["next", "default"] | Action:
    word = None if value is None else value.word()
    if value is None or word == "next":
        return "next"
    if word is None:
        return read_action(value, context, has_record=False) or "next"
    if word != "default":
        value.note(f"'when_down' cannot be '{word[:80]}'", "write next, default or {play, to}")
    return "default" if word == "default" else "next"


def _read_when_many(
    value: YamlValue | None, context: RouteContext
) -> tuple[Literal["first"] | Action | Prefer | Menu, str]:
    word = None if value is None else value.word()
    if value is None or word == "first":
        return "first", ""
    if word is None:
        return _read_choice(value, context) or "first", ""
    if word == "ask":
        return _BY_NAME, ""
    # One text instead of a mapping: it is read as it is said.
    newest_by = word.removeprefix("newest by ").strip() if word.startswith("newest by ") else ""
    if not newest_by:
        remedy = "write first, newest by FIELD, ask, {ask: ...}, {prefer: ...} or {play, to}"
        value.note(f"'when_many' cannot be '{word[:80]}'", remedy)
    return "first", newest_by


def _read_choice(value: YamlValue, context: RouteContext) -> Action | Prefer | Menu | None:
    """Read how one of several records is chosen: by a condition, by the caller, or not at all."""
    section = value.section()
    if section is None:
        return None
    if section.has("prefer"):
        return _read_prefer(section, context)
    if section.has("ask"):
        return _read_menu(section, context)
    return read_action(value, context, has_record=False)


def _read_prefer(section: Section, context: RouteContext) -> Prefer | None:
    keys = read(section, PreferKeys, "'when_many'")
    when = None if keys.prefer is None else read_when(keys.prefer, context)
    # Telephones may be busy by the time the record is chosen; the caller would go by chance.
    if any(left.live for left in of_condition(when)):
        section.note("prefer", "'prefer' chooses by the record, not by live state", "write a rule for that")
        return None
    return None if when is None else Prefer(when)


def _read_menu(section: Section, context: RouteContext) -> Menu:
    before = len(context.notes.problems)
    keys = read(section, MenuKeys, "'when_many'")
    menu = Menu(
        label=read_prompts(keys.ask, context, has_record=True),
        prompt=read_prompts(keys.prompt, context),
        at_most=keys.at_most,
        otherwise=read_action(keys.else_, context, has_record=False),
    )
    if not menu.label and len(context.notes.problems) == before:
        section.note("ask", "'ask' says nothing", "say what tells the records apart: {ask: {say: '{name}'}}")
    return menu
