"""What happens in the end: `play`, `to` with its `else`, and `set`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import yaml

from routing_engine.config.route.context import RouteContext, refuse_empty, scalar
from routing_engine.config.route.prompts import read_prompts
from routing_engine.core.destinations import KINDS, SIDE_EFFECTS, WRITTEN, DestinationKind, check_target, check_variable
from routing_engine.core.model import Action, DestinationSpec, Template
from routing_engine.core.templates import read_template
from routing_engine.settings.yaml_reader import Section, is_null, section_of, suggest, text_of

_LONGEST_CHAIN = 9
_EXAMPLE = "to: {queue: sales}"


def read_action(node: yaml.Node, page: RouteContext, what: str, has_record: bool) -> Action | None:
    """Read `{play, to}`; None, with the problems noted, when it has no usable destination."""
    section = section_of(node, page.notes, what)
    if section is None:
        return None
    action = take_action(section, page, has_record)
    section.close(what)
    return action


def take_action(section: Section, page: RouteContext, has_record: bool) -> Action | None:
    """Take `play` and `to` from a section that may hold more."""
    play = read_prompts(section, "play", page, has_record)
    for kind in (name for name in section.names() if name in WRITTEN and not section.has("to")):
        section.take(kind)
        section.take("to")
        section.note(kind, f"'{kind}' stands where 'to' belongs", f"write to: {{{kind}: ...}}")
        return None
    node = section.require("to", _EXAMPLE)
    to = None if node is None else read_to(node, page, has_record)
    return None if to is None else Action(to, play)


def read_to(node: yaml.Node, page: RouteContext, has_record: bool) -> DestinationSpec | None:
    """Read a destination: `{KIND: target, ...}`, a kind that needs no target, or a list of them, which is a chain."""
    if isinstance(node, yaml.SequenceNode):
        return _read_chain(node, page, has_record)
    bare = scalar(node)
    if bare is not None:
        return _bare(node, page, bare)
    section = section_of(node, page.notes, "a destination")
    return None if section is None else _read_mapping(section, page, has_record)


def _bare(node: yaml.Node, page: RouteContext, kind: str) -> DestinationSpec | None:
    if kind in WRITTEN and WRITTEN[kind].bare:
        return DestinationSpec(kind, read_template(WRITTEN[kind].bare))
    if kind in WRITTEN:
        page.notes.note(node, f"'{kind}' needs a target", f"write {{{kind}: TARGET}}")
    else:
        first, _, rest = kind.replace(":", " ").partition(" ")
        remedy = f"write {{{first}: {rest.strip()}}}" if first in WRITTEN else suggest(kind, WRITTEN)
        page.notes.note(node, f"'{kind[:80]}' is no destination", remedy)
    return None


def _read_chain(node: yaml.SequenceNode, page: RouteContext, has_record: bool) -> DestinationSpec | None:
    """Read a chain; each entry knows the next."""
    if not 1 <= len(node.value) <= _LONGEST_CHAIN:
        page.notes.note(node, f"a chain has 1 to {_LONGEST_CHAIN} destinations", f"write for example [{_EXAMPLE[4:]}]")
        return None
    entries = [_read_entry(entry, page, has_record) for entry in node.value]
    chain: DestinationSpec | None = None
    for entry in reversed(entries):
        if entry is None:
            return None
        chain = replace(entry, chained=True, then=chain)
    return chain


def _read_entry(node: yaml.Node, page: RouteContext, has_record: bool) -> DestinationSpec | None:
    if isinstance(node, yaml.SequenceNode):
        page.notes.note(node, "a chain in a chain", "write its destinations into the one list")
        return None
    entry = read_to(node, page, has_record)
    if entry is not None and entry.otherwise is not None:
        page.notes.note(node, "'else' has no place in a chain", "the next entry is what happens otherwise")
        return None
    return entry


def _read_mapping(section: Section, page: RouteContext, has_record: bool) -> DestinationSpec | None:
    refuse_empty(section, "else", "priority", "ring_s")
    kinds = [name for name in section.names() if name in WRITTEN]
    if len(kinds) != 1:
        _note_kinds(section, kinds)
        return None
    kind, row = kinds[0], WRITTEN[kinds[0]]
    priority = section.whole("priority", 0, 0, 1_000_000) if section.has("priority") else None
    if priority is not None and not row.has_priority:
        those = _those(lambda one: one.has_priority)
        section.note("priority", f"a destination '{kind}' has no priority", f"remove it: only {those} has one")
    ring_s = section.whole("ring_s", 0, 1, 3600) or None
    if ring_s is not None and not row.rings:
        those = _those(lambda one: one.rings)
        section.note("ring_s", f"a destination '{kind}' does not ring", f"remove it: {those} ring")
    otherwise = section.take("else")
    branch = None if otherwise is None else read_to(otherwise, page, has_record)
    target = _read_target(section, kind, page, has_record)
    section.close("a destination")
    return None if target is None else DestinationSpec(kind, target, priority, branch, ring_s)


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
        section.note(name, f"'{name}' is no destination", suggest(name, WRITTEN))
    if not strange:
        section.notes.note(section.line, "this names no destination", f"write for example {_EXAMPLE}")


def _read_target(section: Section, kind: str, page: RouteContext, has_record: bool) -> Template | None:
    node = section.take(kind)
    if node is None or is_null(node):
        bare = WRITTEN[kind].bare
        if not bare:
            section.note(kind, f"'{kind}' needs a target", f"write {{{kind}: TARGET}}")
        return read_template(bare) if bare else None
    text = text_of(node, page.notes, f"the target of '{kind}'")
    if text is not None and WRITTEN[kind].is_looked_up:
        return _read_days(node, kind, text, page)
    template = None if text is None else page.template(node, text, has_record, shows=True)
    if text is None or template is None:
        return None
    return _checked(node, kind, text, template, page)


def _read_days(node: yaml.Node, kind: str, text: str, page: RouteContext) -> Template | None:
    try:
        return Template((check_target(kind, text).split()[0],))
    except ValueError:
        page.notes.note(node, f"'{kind}' cannot be '{text[:80]}'", f"write how long it counts: {kind}: 14 days")
        return None


def _checked(node: yaml.Node, kind: str, text: str, template: Template, page: RouteContext) -> Template | None:
    """Check what is known of a target before a call: values stand as `11`, which every kind allows somewhere."""
    shape = "".join(part if isinstance(part, str) else "11" for part in template.parts)
    try:
        target = check_target(kind, shape)
    except ValueError as error:
        sentence = f"{kind} can never be '{text[:80]}'" if template.operands else str(error)
        page.notes.note(node, sentence, f"it must be {KINDS[kind].says}")
        return None
    if KINDS[kind].is_route and not template.operands and page.routes is not None and target not in page.routes:
        page.notes.note(node, f"there is no route '{target}'", suggest(target, page.routes))
        return None
    return template


def read_sets(section: Section, page: RouteContext, has_record: bool = True) -> tuple[tuple[str, Template], ...]:
    """Take `set`: side effects in the order they are written, their names checked."""
    sets = section.section("set")
    if sets is None:
        return ()
    found = [(name, _read_set(sets, name, page, has_record)) for name in sets.names()]
    return tuple((name, template) for name, template in found if template is not None)


def _read_set(sets: Section, name: str, page: RouteContext, has_record: bool) -> Template | None:
    _check_set_name(sets, name)
    node = sets.take(name)
    if node is None:
        sets.note(name, f"'{name}' has no value", "write a text, or '' to empty it")
        return None
    text = text_of(node, page.notes, f"'{name}'")
    return None if text is None else page.template(node, text, has_record, shows=True)


def _check_set_name(sets: Section, name: str) -> None:
    if name in SIDE_EFFECTS:
        return
    if name.islower() and not name.startswith("header."):
        known = suggest(name, SIDE_EFFECTS)
        sets.note(name, f"'{name}' is no side effect of the engine", f"{known}; channel variables are upper-case")
        return
    try:
        check_variable(name)
    except ValueError as error:
        sets.note(name, str(error), "choose another name")
