"""What happens in the end: `play`, `to` with its `else`, and `set`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from routing_engine.config.route.context import RouteContext
from routing_engine.config.route.prompts import PROMPTS, read_prompts
from routing_engine.core.destinations import KINDS, SIDE_EFFECTS, WRITTEN, DestinationKind, check_target, check_variable
from routing_engine.core.model import Action, DestinationSpec, Template
from routing_engine.core.templates import read_template
from routing_engine.settings.spec import properties_of, read, refer_to, required, setting
from routing_engine.settings.value_types import TEXT, Definitions, Schema, or_empty, raw, whole
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

_LONGEST_CHAIN = 9
_EXAMPLE = "to: {queue: sales}"


# ------------------------------------------------------------------------------------------- JSON Schema


def destination_schema(definitions: Definitions) -> Schema:
    """Return the JSON Schema of a destination: a word, one kind with its target, or a chain of them."""
    return definitions.refer("Destination", _destination_schema)


def _destination_schema(definitions: Definitions) -> Schema:
    kinds: dict[str, Schema] = {}
    for name, row in WRITTEN.items():
        kinds[name] = {**(or_empty(TEXT) if row.bare else TEXT), "description": f"{row.doc}: {row.says}"}
    beside = properties_of(DestinationKeys, definitions)
    one: Schema = {
        "type": "object",
        "properties": {**kinds, **beside},
        "additionalProperties": False,
        "minProperties": 1,
    }
    # in a chain the next entry is what happens otherwise
    alone = {name: schema for name, schema in beside.items() if name != "else"}
    link: Schema = {**one, "properties": {**kinds, **alone}}
    bare: Schema = {"enum": [name for name, row in WRITTEN.items() if row.bare]}
    chain: Schema = {
        "type": "array",
        "items": {"anyOf": [link, bare]},
        "minItems": 1,
        "maxItems": _LONGEST_CHAIN,
    }
    return {"anyOf": [one, chain, bare]}  # where nothing fits, an editor explains the first


DESTINATION = raw("[destination](destinations.md)", destination_schema)
SETS = raw(
    "mapping, [side effect](destinations.md#set) to text",
    {
        "type": "object",
        "properties": {name: {**TEXT, "description": f"sets {row.variable}"} for name, row in SIDE_EFFECTS.items()},
        "additionalProperties": TEXT,
    },
)


# ------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class ActionKeys:
    """Where a call goes, and what is played before that."""

    play: YamlValue | None = setting(PROMPTS, None, "played before the call goes on", example="greeting-sorry")
    to: YamlValue | None = required(DESTINATION, None, "where the call goes", example="{queue: sales}")


#: `{play, to}`, as `default` and `anonymous` of a route have it.
ACTION = raw("[destination](#a-destination-with-play)", lambda definitions: refer_to(ActionKeys, definitions))


def read_action(value: YamlValue | None, context: RouteContext, has_record: bool) -> Action | None:
    """Read `{play, to}`; None, with the problems noted, when it has no usable destination."""
    section = None if value is None else value.section()
    if value is None or section is None:
        return None
    told = note_misplaced(section)
    keys = read(section, ActionKeys, value.what, told=told)
    return action_of(keys.play, keys.to, context, has_record)


def note_misplaced(section: Section) -> Collection[str]:
    """Note a destination that stands where `to` belongs; return the keys whose absence need not be noted then."""
    if section.has("to"):
        return ()
    kinds = [name for name in section.names() if name in WRITTEN]
    # One sentence is enough: the second kind has nothing to do with the mistake.
    for kind in kinds[:1]:
        section.note(kind, f"'{kind}' stands where 'to' belongs", f"write to: {{{kind}: ...}}")
    for kind in kinds:
        section.value(kind)
    return ("to",) if kinds else ()


def action_of(play: YamlValue | None, to: YamlValue | None, context: RouteContext, has_record: bool) -> Action | None:
    """Return what `play` and `to` come to; None, with the problems noted, when there is no usable destination."""
    prompts = read_prompts(play, context, has_record)
    spec = None if to is None else read_to(to, context, has_record)
    return None if spec is None else Action(spec, prompts)


def read_to(value: YamlValue, context: RouteContext, has_record: bool) -> DestinationSpec | None:
    """Read a destination: `{KIND: target, ...}`, a kind that needs no target, or a list of them, which is a chain."""
    if value.is_list:
        return _read_chain(value, context, has_record)
    bare = value.word()
    if bare is not None:
        return _bare(value, bare)
    section = value.called("a destination").section()
    return None if section is None else _read_mapping(section, context, has_record)


def _bare(place: YamlValue, kind: str) -> DestinationSpec | None:
    if kind in WRITTEN and WRITTEN[kind].bare:
        return DestinationSpec(kind, read_template(WRITTEN[kind].bare))
    if kind in WRITTEN:
        place.note(f"'{kind}' needs a target", f"write {{{kind}: TARGET}}")
    else:
        first, _, rest = kind.replace(":", " ").partition(" ")
        # `queue sales` and `queue:sales` are how people write it who think of a command.
        remedy = f"write {{{first}: {rest.strip()}}}" if first in WRITTEN else suggest(kind, WRITTEN)
        place.note(f"'{kind[:80]}' is not a destination", remedy)
    return None


def _read_chain(value: YamlValue, context: RouteContext, has_record: bool) -> DestinationSpec | None:
    """Read a chain; each entry knows the next."""
    if not 1 <= len(value.entries()) <= _LONGEST_CHAIN:
        value.note(f"a chain has 1 to {_LONGEST_CHAIN} destinations", f"write for example [{_EXAMPLE[4:]}]")
        return None
    entries = [_read_entry(entry, context, has_record) for entry in value.entries()]
    chain: DestinationSpec | None = None
    # From the end: each entry holds the next.
    for entry in reversed(entries):
        if entry is None:
            return None
        chain = replace(entry, chained=True, then=chain)
    return chain


def _read_entry(value: YamlValue, context: RouteContext, has_record: bool) -> DestinationSpec | None:
    if value.is_list:
        value.note("a chain in a chain", "write its destinations into the one list")
        return None
    entry = read_to(value, context, has_record)
    if entry is not None and entry.otherwise is not None:
        value.note("'else' has no place in a chain", "the next entry is what happens otherwise")
        return None
    return entry


@dataclass(frozen=True, slots=True)
class DestinationKeys:
    """What a destination may have beside its kind."""

    priority: int | None = setting(
        whole(0, 1_000_000),
        None,
        "of a `queue` only: `QUEUE_PRIO`. Callers with more wait in front",
        filled=True,
    )
    ring_s: int | None = setting(
        whole(1, 3600, "seconds"),
        None,
        "how long an `extension`, `ring_group`, `external` or `last_agent` rings, or a caller waits in a `queue`; then "
        "the call goes on with the [chain](#a-chain), or with the route's default where there is none. `ROUTE_RING_S`",
        usual="none: `ROUTING_ENGINE_RING_S`, of a queue `ROUTING_ENGINE_QUEUE_S`, of a number outside 60",
        filled=True,
    )
    else_: YamlValue | None = setting(
        raw("another destination", destination_schema),
        None,
        "taken when the target is empty or refused. It may have an `else` too",
        usual="the route's default, reason `error`",
        filled=True,
    )


def _read_mapping(section: Section, context: RouteContext, has_record: bool) -> DestinationSpec | None:
    kinds = [name for name in section.names() if name in WRITTEN]
    if len(kinds) != 1:
        _note_kinds(section, kinds)
        return None
    kind, row = kinds[0], WRITTEN[kinds[0]]
    target = _read_target(section, kind, context, has_record)
    keys = read(section, DestinationKeys, "a destination")
    if keys.priority is not None and not row.has_priority:
        those = _those(lambda one: one.has_priority)
        section.note("priority", f"a destination '{kind}' has no priority", f"remove it: only {those} has one")
    if keys.ring_s is not None and not row.rings:
        those = _those(lambda one: one.rings)
        section.note("ring_s", f"a destination '{kind}' does not ring", f"remove it: {those} ring")
    branch = None if keys.else_ is None else read_to(keys.else_, context, has_record)
    return None if target is None else DestinationSpec(kind, target, keys.priority, branch, keys.ring_s)


def _those(have: Callable[[DestinationKind], bool]) -> str:
    return ", ".join(kind for kind, row in WRITTEN.items() if have(row))


def _note_kinds(section: Section, kinds: list[str]) -> None:
    if kinds:
        section.note(
            kinds[1], f"a destination has one kind, not both {kinds[0]} and {kinds[1]}", "the second belongs in 'else'"
        )
        return
    strange = [name for name in section.names() if name not in ("priority", "else", "ring_s")]
    for name in strange:
        section.note(name, f"'{name}' is not a destination", suggest(name, WRITTEN))
    if not strange:
        section.notes.note(section.line, "this names no destination", f"write for example {_EXAMPLE}")


def _read_target(section: Section, kind: str, context: RouteContext, has_record: bool) -> Template | None:
    value, row = section.value(kind), WRITTEN[kind]
    if value is None:
        if not row.bare:
            section.note(kind, f"'{kind}' needs a target", f"write {{{kind}: TARGET}}")
        return read_template(row.bare) if row.bare else None
    text = value.called(f"the target of '{kind}'").text()
    if text is None:
        return None
    # Days, not a target: who it is, is looked up in the call.
    if row.is_looked_up:
        return _read_days(value, kind, text)
    template = context.template(value, text, has_record, shows=True)
    return None if template is None else _checked(value, kind, text, template, context)


def _read_days(place: YamlValue, kind: str, text: str) -> Template | None:
    try:
        return Template((check_target(kind, text).split()[0],))
    except ValueError:
        place.note(f"'{kind}' cannot be '{text[:80]}'", f"write how long it counts: {kind}: 14 days")
        return None


def _checked(place: YamlValue, kind: str, text: str, template: Template, context: RouteContext) -> Template | None:
    """Check what is known of a target before a call: values stand as `11`, which every kind allows somewhere."""
    shape = "".join(part if isinstance(part, str) else "11" for part in template.parts)
    try:
        target = check_target(kind, shape)
    except ValueError as error:
        # What it must be is the remedy here, and a part of the sentence in a trail.
        why = str(error).partition(": it must be ")[0]
        sentence = f"{kind} can never be '{text[:80]}'" if template.operands else why
        place.note(sentence, f"it must be {KINDS[kind].says}")
        return None
    if KINDS[kind].is_route and not template.operands and context.routes is not None and target not in context.routes:
        place.note(f"there is no route '{target}'", suggest(target, context.routes))
        return None
    return template


# ------------------------------------------------------------------------------------------- side effects


def read_sets(value: YamlValue | None, context: RouteContext, has_record: bool) -> tuple[tuple[str, Template], ...]:
    """Read `set`: side effects in the order they are written, their names checked."""
    sets = None if value is None else value.section()
    if sets is None:
        return ()
    found = [(name, _read_set(sets, name, context, has_record)) for name in sets.names()]
    return tuple((name, template) for name, template in found if template is not None)


def _read_set(sets: Section, name: str, context: RouteContext, has_record: bool) -> Template | None:
    _check_set_name(sets, name, context)
    value = sets.value(name)
    if value is None:
        sets.note(name, f"'{name}' has no value", "write a text, or '' to empty it")
        return None
    text = value.text()
    return None if text is None else context.template(value, text, has_record, shows=True)


def _check_set_name(sets: Section, name: str, context: RouteContext) -> None:
    if name in SIDE_EFFECTS:
        return
    if name.islower() and not name.startswith("header."):
        known = suggest(name, SIDE_EFFECTS)
        sets.note(name, f"'{name}' is not a side effect of the engine", f"{known}; channel variables are upper-case")
        return
    try:
        check_variable(name, context.site.variables if context.site is not None else None)
    except ValueError as error:
        sets.note(name, str(error), "choose another name")
