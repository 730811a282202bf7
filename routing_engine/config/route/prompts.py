"""Prompts with and without values, and the language that they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from routing_engine.config.route.context import NOTHING, RouteContext, read_by, scalar
from routing_engine.core.model import Languages, Prompt, SayingKind, SpokenTemplate
from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.settings.yaml_reader import Problems, Section, section_of, suggest, text_of

#: What a prompt may be beside a sound, and what the model calls it.
SAYINGS: Mapping[str, SayingKind] = {
    "digits": "digits",
    "number": "number",
    "letters": "letters",
    "date": "date",
    "time": "time",
    "say": "speech",
}
_FORMAT = re.compile(r"\.(wav|wav49|gsm|alaw|ulaw|al|ul|g722|g729|sln\d*|mp3|ogg|opus)\Z", re.I)


def read_prompts(section: Section, key: str, page: RouteContext, has_record: bool = False) -> tuple[Prompt, ...]:
    """Take one prompt or a list of them: sounds, named as Asterisk names them, and what is said with values."""
    node = section.take(key)
    if node is None:
        return ()
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found = [_read_prompt(item, key, page, has_record) for item in nodes]
    return tuple(prompt for prompt in found if prompt is not None)


def _read_prompt(node: yaml.Node, key: str, page: RouteContext, has_record: bool) -> Prompt | None:
    if isinstance(node, yaml.MappingNode):
        return _read_saying(Section(node, page.notes), page, has_record)
    text = text_of(node, page.notes, f"'{key}'")
    if text is None:
        return None
    if "{" not in text and "}" not in text:
        _check_sound(node, text, page.notes)
        return text
    template = page.template(node, text, has_record, shows=True)
    if template is None:
        return None
    _check_sound(node, "".join(part if isinstance(part, str) else "x" for part in template.parts), page.notes)
    return SpokenTemplate("sound", template) if template.operands else "".join(map(str, template.parts))


def _check_sound(node: yaml.Node, sound: str, notes: Problems) -> None:
    if not SOUND.match(sound):
        remedy = "write letters, digits, '.', '-', '_' and '/'; a text that is to be spoken is {say: ...}"
        notes.note(node, f"'{sound[:80]}' is not the name of a sound", remedy)
    elif _FORMAT.search(sound):
        notes.note(node, f"'{sound}' names a format", f"write {_FORMAT.sub('', sound)}: Asterisk picks the format")


def _read_saying(section: Section, page: RouteContext, has_record: bool) -> Prompt | None:
    names = section.names()
    if len(names) != 1:
        page.notes.note(section.line, "a prompt says one thing", "write a list: [{digits: ...}, {say: ...}]")
        return None
    name = names[0]
    if name not in SAYINGS:
        section.note(name, f"'{name}' is nothing that a prompt can say", suggest(name, SAYINGS))
        return None
    node = section.take(name)
    text = None if node is None else text_of(node, page.notes, f"'{name}'")
    if node is None or not text:
        section.note(name, f"'{name}' says nothing", f"write for example {{{name}: '{{call.date}}'}}")
        return None
    template = page.template(node, text, has_record, shows=True)
    return None if template is None else SpokenTemplate(SAYINGS[name], template)


# ------------------------------------------------------------------------------------------------- languages


def read_language(section: Section, page: RouteContext) -> tuple[str, Languages | None]:
    """Take a route's `language`: a code, or a mapping that chooses one by a value of the call."""
    node = section.take("language")
    if node is None:
        return "", None
    if isinstance(node, yaml.MappingNode):
        return "", _read_choice(Section(node, page.notes), page)
    text = text_of(node, page.notes, "'language'") or ""
    return _checked(node, text, page.notes), None


def _read_choice(section: Section, page: RouteContext) -> Languages | None:
    node = section.require("by", "by: call.called")
    written = (scalar(node) or "") if node is not None else ""
    if written.partition(".")[0] == "input" or "{input" in written:
        section.note("by", "the language is chosen before the input", "write 'language' in the input itself")
        return None
    by = NOTHING if node is None else read_by(node, page)
    otherwise = section.text("else")
    if otherwise:
        _checked(section.take("else") or section.node, otherwise, page.notes)
    cases = read_cases(section, page.notes, ("by", "else"))
    if not cases:
        page.notes.note(section.line, "'language' has no case", "write {by: call.country, AT: de, else: en}")
    return Languages(by, cases, otherwise)


def read_cases(section: Section, notes: Problems, others: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Take every key that is not among `others`: a value, and the language it stands for."""
    found = {}
    for name in section.names():
        if name not in others:
            node = section.take(name)
            text = None if node is None else text_of(node, notes, f"'{name}'")
            if node is None or not text:
                section.note(name, f"'{name}' has no language", f"write for example {name}: en")
            else:
                found[name] = _checked(node, text, notes)
    return found


def _checked(node: yaml.Node, language: str, notes: Problems) -> str:
    if not LANGUAGE.match(language):
        notes.note(node, f"'{language[:80]}' is not a language", "write a code such as en, de or pt_BR")
    return language


def read_input_languages(section: Section, notes: Problems) -> Mapping[str, str]:
    """Take an input's `language`: what is typed, and the language that it chooses."""
    node = section.take("language")
    chosen = None if node is None else section_of(node, notes, "'language' of an input")
    return {} if chosen is None else read_cases(chosen, notes)
