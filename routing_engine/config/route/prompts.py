"""Prompts with and without values, and the language that they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from routing_engine.config.route.context import NOTHING, RouteContext, read_by
from routing_engine.core.model import Languages, Prompt, SayingKind, SpokenTemplate
from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.settings.value_types import TEXT, Definitions, Schema, mapping_of, matching, raw
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

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


def read_prompts(value: YamlValue | None, context: RouteContext, has_record: bool = False) -> tuple[Prompt, ...]:
    """Read one prompt or a list of them: sounds, named as Asterisk names them, and what is said with values."""
    entries = [] if value is None else value.entries()
    found = [_read_prompt(entry, context, has_record) for entry in entries]
    return tuple(prompt for prompt in found if prompt is not None)


def _read_prompt(value: YamlValue, context: RouteContext, has_record: bool) -> Prompt | None:
    saying = value.section() if value.is_mapping else None
    if saying is not None:
        return _read_saying(saying, context, has_record)
    text = value.text()
    if text is None:
        return None
    if "{" not in text and "}" not in text:
        _check_sound(value, text)
        return text
    # What is played leaves the engine: sensitive digits have no place in it.
    template = context.template(value, text, has_record, shows=True)
    if template is None:
        return None
    _check_sound(value, "".join(part if isinstance(part, str) else "x" for part in template.parts))
    return SpokenTemplate("sound", template) if template.operands else "".join(map(str, template.parts))


def _check_sound(place: YamlValue, sound: str) -> None:
    if not SOUND.match(sound):
        remedy = "write letters, digits, '.', '-', '_' and '/'; a text that is to be spoken is {say: ...}"
        place.note(f"'{sound[:80]}' is not the name of a sound", remedy)
    elif _FORMAT.search(sound):
        place.note(f"'{sound}' names a format", f"write {_FORMAT.sub('', sound)}: Asterisk picks the format")


def _read_saying(section: Section, context: RouteContext, has_record: bool) -> Prompt | None:
    names = section.names()
    if len(names) != 1:
        section.notes.note(section.line, "a prompt says one thing", "write a list: [{digits: ...}, {say: ...}]")
        return None
    name = names[0]
    if name not in SAYINGS:
        section.note(name, f"'{name}' is nothing that a prompt can say", suggest(name, SAYINGS))
        return None
    value = section.value(name)
    text = None if value is None else value.text()
    if value is None or not text:
        section.note(name, f"'{name}' says nothing", f"write for example {{{name}: '{{call.date}}'}}")
        return None
    template = context.template(value, text, has_record, shows=True)
    return None if template is None else SpokenTemplate(SAYINGS[name], template)


def _prompt_schema(_: Definitions) -> Schema:
    saying: Schema = {
        "type": "object",
        "properties": dict.fromkeys(SAYINGS, TEXT),
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [saying, TEXT]}


def _prompts_schema(definitions: Definitions) -> Schema:
    one = definitions.refer("Prompt", _prompt_schema)
    return {"anyOf": [one, {"type": "array", "items": one}]}


PROMPTS = raw("[prompts](#prompts)", _prompts_schema)


# ------------------------------------------------------------------------------------------------- languages

CODE = matching(LANGUAGE, "'{}' is not a language", "write a code such as en, de or pt_BR", "a code")
#: An input's `language`: what is typed, and the language that it chooses.
INPUT_LANGUAGES = mapping_of(CODE, empty=("has no language", "write for example {}: en")).called(
    "mapping, what is typed to a code"
)
LANGUAGE_OR_CHOICE = raw(
    "a code (`en`, `de`, `pt_BR`), or [a choice](#language)",
    {
        "anyOf": [
            TEXT,
            {
                "type": "object",
                "properties": {
                    "by": {**TEXT, "description": "the value of the call that chooses, such as call.country"},
                    "else": {**TEXT, "description": "the language when no case fits"},
                },
                "additionalProperties": TEXT,
                "required": ["by"],
            },
        ]
    },
)


def read_language(value: YamlValue | None, context: RouteContext) -> tuple[str, Languages | None]:
    """Read a route's `language`: a code, or a mapping that chooses one by a value of the call."""
    if value is None:
        return "", None
    choice = value.section() if value.is_mapping else None
    if choice is not None:
        return "", _read_choice(choice, context)
    return CODE.read(value, "") or "", None


def _read_choice(section: Section, context: RouteContext) -> Languages | None:
    by = section.value("by")
    if by is None:
        section.note("by", "'by' is missing", "add for example: by: call.called")
    written = (by.word() or "") if by is not None else ""
    # The prompts of the input are in that language already.
    if written.partition(".")[0] == "input" or "{input" in written:
        section.note("by", "the language is chosen before the input", "write 'language' in the input itself")
        return None
    otherwise = section.value("else")
    cases = {}
    for name in section.names():
        value = section.value(name) if name not in ("by", "else") else None
        if value is not None and (code := CODE.read(value, "")) is not None:
            cases[name] = code
        elif value is None and name not in ("by", "else"):
            section.note(name, f"'{name}' has no language", f"write for example {name}: en")
    if not {*section.names()} - {"by", "else"}:
        section.notes.note(section.line, "'language' has no case", "write {by: call.country, AT: de, else: en}")
    usual = "" if otherwise is None else CODE.read(otherwise, "")
    return Languages(NOTHING if by is None else read_by(by, context), cases, usual or "")
