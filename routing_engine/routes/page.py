"""What the reading of one route needs everywhere: where problems go, what the route may use, and its small words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import re2
import yaml

from routing_engine.core.model import Filler, Left, Pattern, Template
from routing_engine.core.templates import read_left, read_template
from routing_engine.integration import IntegrationFacts
from routing_engine.marked import Notes, Section, is_null, section_of, text_of
from routing_engine.routes.later import later_left

_SOUND = re.compile(r"(?!.*\.\.)/?[A-Za-z0-9_][A-Za-z0-9_.\-/@+]{0,119}\Z", re.ASCII)
_FORMAT = re.compile(r"\.(wav|wav49|gsm|alaw|ulaw|al|ul|g722|g729|sln\d*|mp3|ogg|opus)\Z", re.I)
_BRACES = re.compile(r"\{([^{}]*)\}")
_NEEDED_BYTES = 1 << 20
_LONGEST_PATTERN = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One route's file while it is read. `routes` are the names of all routes; None when they are not known."""

    notes: Notes
    integrations: Mapping[str, IntegrationFacts]
    has_input: bool = False
    routes: Collection[str] | None = None

    def left(self, node: yaml.Node, text: str, has_record: bool = True) -> Left | None:
        """Read a left side that stands at a node; None, with the problem noted, when it cannot be used there."""
        refused = later_left(text)
        if refused:
            self.notes.note(node, *refused)
            return None
        try:
            left = read_left(text)
        except ValueError as error:
            self.notes.note(node, str(error), "name a field of the record, call.FIELD or input")
            return None
        return left if self._may_use(node, left, has_record) else None

    def template(self, node: yaml.Node, text: str, has_record: bool = True) -> Template | None:
        """Read a template that stands at a node; None, with every problem noted, when it cannot be used there."""
        refused = [found for name in _BRACES.findall(text) if (found := later_left(name.strip()))]
        for sentence, remedy in refused:
            self.notes.note(node, sentence, remedy)
        if refused:
            return None
        try:
            template = read_template(text)
        except ValueError as error:
            self.notes.note(node, str(error), "write values as {field}, {call.caller} or {input}; {{ and }} are braces")
            return None
        usable = [self._may_use(node, left, has_record) for left in template.lefts]
        return template if all(usable) else None

    def _may_use(self, node: yaml.Node, left: Left, has_record: bool) -> bool:
        if left.room == "record" and not has_record:
            self.notes.note(node, f"there is no record here that '{left}' could come from", "use call.FIELD or input")
            return False
        if left.room == "input" and not self.has_input:
            self.notes.note(node, "this uses the input, but the route asks for none", "add 'input:' to the route")
            return False
        if left.room == "input" and left.name not in ("", "input"):
            self.notes.note(node, f"there is no input '{left.name}'", "write input")
            return False
        return True


@dataclass(slots=True)
class Names:
    """Names that must differ: the line each one was first used on."""

    what: str
    lines: dict[str, int] = field(default_factory=dict)

    def enter(self, section: Section, name: str) -> None:
        """Note a name that is there already."""
        if name in self.lines:
            section.note(
                "name",
                f"{self.what} '{name}' stands here twice (first on line {self.lines[name]})",
                "rename one of them",
            )
        self.lines.setdefault(name, section.line_of("name"))


def read_name(section: Section, default: str, longest: int = 80) -> str:
    """Take `name`: one line of at most `longest` characters."""
    name = section.text("name", default).strip()
    if not name or "\n" in name or len(name) > longest:
        section.note("name", f"a name is one line of at most {longest} characters", "give it a short name")
    return name


def read_sounds(section: Section, key: str) -> tuple[str, ...]:
    """Take one sound or a list of sounds, named as Asterisk names them: without their format."""
    sounds = section.texts(key)
    for sound in sounds:
        if not _SOUND.match(sound):
            section.note(key, f"'{sound[:80]}' is no sound's name", "write letters, digits, '.', '-', '_' and '/'")
        elif _FORMAT.search(sound):
            section.note(key, f"'{sound}' names a format", f"write {_FORMAT.sub('', sound)}: Asterisk picks the format")
    return sounds


def read_filler(section: Section, default: Filler) -> Filler:
    """Take `filler`: `{after_s, music | ringing | sound}` or `none`; what it leaves out comes from `default`."""
    node = section.take("filler")
    if node is None:
        return default
    if isinstance(node, yaml.ScalarNode) and node.value == "none":
        return Filler(default.after_s, "none", "")
    filler = section_of(node, section.notes, "'filler'")
    if filler is None:
        return default
    after_s = filler.number("after_s", default.after_s, 0, 60)
    found = _filler_kinds(filler)
    filler.close("'filler'")
    if len(found) > 1:
        section.note("filler", "'filler' can be only one of music, ringing and sound", "keep one of them")
    return Filler(after_s, found[0].kind, found[0].name) if found else Filler(after_s, default.kind, default.name)


def _filler_kinds(section: Section) -> list[Filler]:
    music, sounds = section.text("music"), read_sounds(section, "sound")
    if music and not _SOUND.match(music):
        section.note("music", f"'{music[:80]}' is no music class", "name a class of musiconhold.conf, such as default")
    if len(sounds) > 1:
        section.note("sound", "'sound' is one sound", "keep one of them")
    found = [Filler(kind="ringing", name="")] if section.flag("ringing", False) else []
    found += [Filler(kind="music", name=music)] if music else []
    return found + [Filler(kind="sound", name=sound) for sound in sounds[:1]]


def read_pattern(node: yaml.Node, notes: Notes, what: str) -> Pattern | None:
    """Compile a regular expression with RE2, whose running time is linear; None, with the problem noted."""
    text = text_of(node, notes, what)
    if text is None:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _NEEDED_BYTES
    try:
        if len(text) > _LONGEST_PATTERN:
            raise ValueError(f"it is longer than {_LONGEST_PATTERN} characters")
        compiled: Pattern = re2.compile(text, options)
    except (re2.error, ValueError) as error:
        notes.note(node, f"{what} is no expression that can be used: {_reason(error)}", _pattern_remedy(str(error)))
        return None
    return compiled


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _pattern_remedy(reason: str) -> str:
    if "perl operator" in reason or "invalid escape" in reason:
        return "look-around and back-references are not supported (RE2 syntax); write it without them"
    return "write an expression in RE2 syntax"


def refuse_empty(section: Section, *keys: str) -> None:
    """Note keys that are written without a value, where leaving them out would mean something else than is meant."""
    for key in section.names():
        if key in keys and not section.has(key):
            section.note(key, f"'{key}' has no value", "write a value, or remove the key")


def scalar(node: yaml.Node) -> str | None:
    """Give a scalar's text; None for lists, mappings and nothing."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) and not is_null(node) else None
