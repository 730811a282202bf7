"""YAML with its lines: text in, sections out, and every problem with its place.

A `Section` is a mapping whose keys are taken one by one; each `take` checks the type and notes a `Problem` instead of
raising, so that one reading finds every fault of a file. Scalars are read as they are written: the traps of YAML 1.1
(`no`, `0664...`, `+43...`, `1:30`) never change a text, and where a value's meaning is open they are a problem.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from routing_engine.errors import Problem
from routing_engine.settings.filled import FilledValues, is_open_to_all, is_own_key, looks_secret
from routing_engine.settings.yaml_faults import hardly_meant, why_not_yaml

T = TypeVar("T")

# libyaml is ten times as fast; a Python without it reads the same, slower
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE, _FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})
_YES_NO = frozenset({"yes", "no", "on", "off", "y", "n"})
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_LEADING = re.compile(r"[+]?[0-9][0-9_]*\Z")
_SEXAGESIMAL = re.compile(r"[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z")
_OTHER_NUMBER = re.compile(
    r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*|\.inf|\.nan|[0-9.]+e[-+]?[0-9]+)\Z", re.I
)
_ENV = re.compile(r"\$\{([^}]*)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# The deepest file that makes sense has a dozen levels; libyaml recurses in C, and a thousand end the process.
_DEEPEST = 40
# A key in PEM has some kilobytes. A wrong path may lead to a device that never ends.
_LONGEST_SECRET = 65_536


class Problems:
    """The problems of one file, and where its secrets come from: variables, and files relative to `folder`.

    `remarks` are no faults: the file can be used.
    """

    def __init__(
        self, file: str, environment: Callable[[str], str | None] = lambda _: None, folder: Path = Path()
    ) -> None:
        self.file, self.folder = file, folder
        self.environment = environment
        self.problems: list[Problem] = []
        #: Of them those that say of a secret or a variable that it is gone: the file itself has not changed.
        self.gone: list[Problem] = []
        self.remarks: list[Problem] = []
        #: What a problem quotes as it is written.
        self.values = FilledValues()

    def note(self, line: int, sentence: str, remedy: str) -> None:
        """Remember a problem at a line, counted from 1; 0 is the whole file."""
        problem = Problem(self.file, line, self.values.as_written(sentence), self.values.as_written(remedy))
        # Two readers may look at one value; people want to hear of it once.
        if problem not in self.problems:
            self.problems.append(problem)

    @contextmanager
    def of_what_is_gone(self) -> Iterator[None]:
        """Within the block problems are about a secret or a variable that is not there."""
        before = len(self.problems)
        yield
        self.gone += self.problems[before:]

    def remark(self, line: int, sentence: str, remedy: str) -> None:
        """Remember what is hardly meant, though it can be used."""
        remark = Problem(self.file, line, self.values.as_written(sentence), self.values.as_written(remedy))
        if remark not in self.remarks:
            self.remarks.append(remark)


def read_yaml(text: str, notes: Problems) -> Section | None:
    """Read one YAML document whose top is a mapping; None, with the problem noted, for anything else."""
    try:
        if not _is_plain(text, notes):
            return None
        node = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeError) as error:
        notes.note(*why_not_yaml(error, text))
        return None
    if node is None:
        notes.note(0, "the file is empty", "write the keys of the reference, or remove the file")
        return None
    return YamlValue(node, notes, "the file").section()


def _is_plain(text: str, notes: Problems) -> bool:
    """Look at the events before libyaml composes them: it recurses in C, where too deep a nesting ends the process.

    A value that is hardly meant is noted as well; it does not hinder the reading.
    """
    flows: list[bool] = []
    anchors: set[str] = set()
    is_plain = True
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            flows.append(bool(event.flow_style))
        elif isinstance(event, yaml.CollectionEndEvent):
            flows.pop()
        elif isinstance(event, yaml.ScalarEvent):
            _note_hardly_meant(event, text, notes, any(flows[-1:]))
            if not event.anchor and not event.tag:  # as nearly all of them: nothing to refuse
                continue
        refused = _refused(event, len(flows), anchors)
        if refused:
            notes.note(_line_of(event), *refused)
            is_plain = False
        if len(flows) > _DEEPEST:
            break
    return is_plain


def _note_hardly_meant(event: yaml.ScalarEvent, text: str, notes: Problems, in_flow: bool) -> None:
    value = event.value
    if event.style == '"' and not value.isascii():
        # What is written as "\u200b" is meant.
        value = "".join(char for char in value if char in text)
    found = hardly_meant(value, not event.style, in_flow)
    if found:
        notes.note(_line_of(event), *found)


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _refused(event: yaml.Event, depth: int, anchors: set[str]) -> tuple[str, str] | None:
    if isinstance(event, yaml.AliasEvent):
        return "aliases (*name) are not used here", "write the value out; a text with * needs quotes"
    if getattr(event, "tag", None):
        return "tags (!name) are not used here", "write the value itself; a text with ! needs quotes"
    if depth > _DEEPEST:
        return "this is nested too deeply", "a configuration file needs no more than a few levels"
    anchor = getattr(event, "anchor", None)
    if anchor and isinstance(event, yaml.ScalarEvent):
        return (
            "the & makes a name of the word behind it, and the value is only the rest",
            "put the whole text in quotes",
        )
    if anchor in anchors:
        return f"the name &{anchor} stands here twice", "remove it: aliases are not used here"
    anchors.update([anchor] if anchor else [])
    return None


def as_yaml(value: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """Return a file's text of what the engine itself keeps: names with lists of flat entries."""
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False))


def without_key(text: str, key: str) -> str:
    """Return a YAML mapping's text without one of its keys; everything else, comments too, stays as it is written."""
    node = yaml.compose(text)
    for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if name.value != key:
            continue
        lines = text.splitlines(keepends=True)
        first, last = name.start_mark.line, value.end_mark.line + (1 if value.end_mark.column else 0)
        while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].startswith("#")):
            last -= 1
        return "".join(lines[:first] + lines[last:])
    return text


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown word: the nearest known one, or all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else "known here: " + ", ".join(names)


def plain_number(number: float) -> str:
    """Return a number as people write it: never 1e+06."""
    return str(int(number)) if number == int(number) else str(number)


def _trap(raw: str) -> str:
    if raw.lower() in _YES_NO:
        return "true or false"
    if _LEADING.match(raw):
        return "a number without its leading + or 0"
    if _SEXAGESIMAL.match(raw):
        return "a number to the base of 60"
    return "a number" if _OTHER_NUMBER.match(raw) else ""


class YamlValue:
    """One value of a file: a scalar, a list or a mapping, with its place and with `what` it is called in a problem.

    Readings return None where the value cannot be used; the problem is then noted.
    """

    def __init__(self, node: yaml.Node, notes: Problems, what: str) -> None:
        self._node = node
        self.notes = notes
        self.what = what

    @property
    def line(self) -> int:
        """The line it begins on, counted from 1."""
        return int(self._node.start_mark.line) + 1

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping of keys."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_quoted(self) -> bool:
        """Whether it is a scalar in quotes, or written as a block: then it is a text, whatever it looks like."""
        return isinstance(self._node, yaml.ScalarNode) and bool(self._node.style)

    @property
    def lone_name(self) -> str:
        """The name where it is `{name}`, which is what YAML makes of a template without quotes; "" otherwise."""
        if not isinstance(self._node, yaml.MappingNode) or not self._node.flow_style or len(self._node.value) != 1:
            return ""
        ((key, value),) = self._node.value
        lone = isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)
        return str(key.value) if lone and not (value.value or value.style) else ""

    @property
    def is_empty(self) -> bool:
        """Whether it is written as nothing: empty, `~` or `null`."""
        return isinstance(self._node, yaml.ScalarNode) and not self._node.style and self._node.value in _NULLS

    def note(self, sentence: str, remedy: str) -> None:
        """Remember a problem at this place."""
        self.notes.note(self.line, sentence, remedy)

    def called(self, what: str) -> YamlValue:
        """Return the same value under another name for problems."""
        return YamlValue(self._node, self.notes, what)

    def word(self) -> str | None:
        """Return a scalar's text; None for lists, mappings and nothing. Never notes a problem."""
        return str(self._node.value) if isinstance(self._node, yaml.ScalarNode) and not self.is_empty else None

    def text(self) -> str | None:
        """Return a scalar as it is written, whatever YAML would make of it: `+43 664...`, `0664`, `no`."""
        if not isinstance(self._node, yaml.ScalarNode):
            # {name} without quotes is a mapping to YAML, and a template to whoever wrote it
            braces = isinstance(self._node, yaml.MappingNode) and self._node.flow_style
            remedy = "put a template in quotes: '{name}'" if braces else "write one value"
            self.note(f"{self.what} must be a text", remedy)
            return None
        if self.is_empty:
            self.note(f"{self.what} has no value", "write a value, or remove the key")
            return None
        if _CONTROL.search(self._node.value):
            self.note(f"{self.what} holds a control character", "remove it")
            return None
        return str(self._node.value)

    def scalar(self) -> str | int | float | bool | None:
        """Return a scalar by its meaning; where YAML 1.1 and people read it differently, that is a problem."""
        if not isinstance(self._node, yaml.ScalarNode):
            self.note(f"{self.what} must be one value", "write a text, a number, true or false")
            return None
        raw: str = self._node.value
        if self._node.style:  # quoted; plain is None or "", as the loader likes
            return raw
        if raw in _NULLS:
            return None
        if raw in _TRUE or raw in _FALSE:
            return raw in _TRUE
        # 18 digits fit every number of a database; a longer one is a text that happens to have digits only
        if _INTEGER.match(raw) and len(raw) < 19:
            return int(raw)
        if _DECIMAL.match(raw) and len(raw) < 19:
            return float(raw)
        trap = _trap(raw)
        if trap:
            sentence = f"{self.what}: {raw} without quotes is read as {trap} by YAML"
            self.note(sentence, f"write '{raw}' in quotes, or the number or true/false that you mean")
        return raw

    def section(self) -> Section | None:
        """Return the mapping that it must be."""
        if isinstance(self._node, yaml.MappingNode):
            return Section(self._node, self.notes)
        self.note(f"{self.what} must be a mapping of keys", "write 'key: value' lines")
        return None

    def entries(self) -> list[YamlValue]:
        """Return the entries of a list; a value that stands alone is its own only entry."""
        nodes = self._node.value if isinstance(self._node, yaml.SequenceNode) else [self._node]
        return [YamlValue(node, self.notes, self.what) for node in nodes]

    def scalars(self) -> Iterator[str]:
        """Yield every scalar below it as it is written, keys too."""
        yield from _scalars(self._node)

    def number(self, low: float, high: float, usual: str) -> float | None:
        """Return a number from `low` to `high`; `usual` is what the remedy names as the default."""
        raw = self.text()
        if raw is None:
            return None
        if not (_INTEGER.match(raw) or _DECIMAL.match(raw)) or not low <= float(raw) <= high:
            sentence = f"{self.what} must be a number from {plain_number(low)} to {plain_number(high)}, not '{raw}'"
            self.note(sentence, f"the default is {usual}")
            return None
        return float(raw)

    def whole(self, low: int, high: int, usual: str) -> int | None:
        """Return a whole number from `low` to `high`."""
        found = self.number(low, high, usual)
        if found is None or found == int(found):
            return None if found is None else int(found)
        self.note(f"{self.what} must be a whole number, not {found:g}", f"the default is {usual}")
        return None

    def flag(self) -> bool | None:
        """Return `true` or `false`; yes, no, on and off are told apart with a remedy."""
        raw = self.text()
        if raw is None or raw in _TRUE or raw in _FALSE:
            return None if raw is None else raw in _TRUE
        self.note(f"{self.what} must be true or false, not '{raw}'", "write true or false")
        return None

    def choice(self, allowed: Sequence[str]) -> str | None:
        """Return a text that must be one of `allowed`."""
        found = self.text()
        if found is None or found in allowed:
            return found
        self.note(f"{self.what} cannot be '{found}'", suggest(found, allowed))
        return None

    def filled(self) -> str | None:
        """Return a text with `${NAME}` filled from the environment; an unset one is a problem that names it."""
        text = self.text()
        for name in filter(looks_secret, _ENV.findall(text or "")):
            sentence = f"{self.what} names {name} and is not kept secret: such texts are shown and logged"
            self.notes.remark(self.line, sentence, "name it where a secret is asked for, as in auth")
        return None if text is None else self._expand(text, secret=False)

    def secret(self) -> str | None:
        """Return a secret: `${NAME}` (also within a text) or `{file: /run/secrets/name}`; never a plain text.

        Its value never stands in a problem. An unset variable or an unreadable file is a problem that names it.
        """
        if isinstance(self._node, yaml.MappingNode):
            return _secret_file(Section(self._node, self.notes))
        text = self.text()
        if text is None:
            return None
        if not _ENV.search(text):
            sentence = f"{self.what} holds a secret in plain text"
            self.note(sentence, "write '${NAME}' and set that environment variable, or {file: PATH}")
        return self._expand(text, secret=True)

    def _expand(self, text: str, secret: bool) -> str:
        def variable(found: re.Match[str]) -> str:
            if is_own_key(found[1], self.notes.file, secret):
                self.note(f"{found[1]} is a key of the engine's own: no other system gets it", "name another variable")
                return ""
            got = self.notes.environment(found[1])
            # An empty variable is set: some secrets are.
            if got is None:
                remedy = f"write {found[1]}=... into the file 'environment' of this folder, or set it for the process"
                with self.notes.of_what_is_gone():
                    self.note(f"the environment variable {found[1]} is not set", remedy)
            return self.notes.values.add(got or "", found[0])

        return _ENV.sub(variable, text)


def _scalars(node: yaml.Node) -> Iterator[str]:
    if isinstance(node, yaml.ScalarNode):
        yield str(node.value)
        return
    pairs = node.value if isinstance(node, yaml.SequenceNode) else [one for pair in node.value for one in pair]
    for one in pairs:
        yield from _scalars(one)


def _secret_file(section: Section) -> str:
    path = section.text("file")
    if section.names() != ["file"]:  # names no key: somebody may have written the secret itself in braces
        section.notes.note(section.line, "a secret is '${NAME}' or {file: PATH}", "'${NAME}' needs its quotes")
        return ""
    try:
        with open(section.notes.folder / path, encoding="utf-8") as file:
            if is_open_to_all(file.fileno(), path):
                sentence = f"everybody on this machine can read the secret in '{path}'"
                section.notes.remark(section.line_of("file"), sentence, f"chmod 640 {section.notes.folder / path}")
            return section.notes.values.add(file.read(_LONGEST_SECRET).strip(), f"{{file: {path}}}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        remedy = "create the file, readable by the engine only"
        with section.notes.of_what_is_gone():
            section.note("file", f"the secret in '{path}' cannot be read: {reason}", remedy)
        return ""


class Section:
    """A mapping of a YAML file. Its keys are asked for one by one; what is left over when it is closed is a problem."""

    def __init__(self, node: yaml.MappingNode, notes: Problems) -> None:
        self.notes = notes
        self.itself = YamlValue(node, notes, "a section")
        self._values: dict[str, YamlValue] = {}
        self._keys: dict[str, YamlValue] = {}
        self._known: list[str] = []
        for key, value in node.value:
            self._enter(YamlValue(key, notes, "a key"), value)

    def _enter(self, key: YamlValue, value: yaml.Node) -> None:
        name = key.text()
        if name is None:
            return
        # YAML 1.1 would merge silently, and the keys that come so have no line here.
        if name == "<<":
            key.note("merge keys (<<) are not used here", "write the keys out")
        elif name in self._values:
            # YAML takes the last one silently; which of the two is meant, only its author knows.
            key.note(f"'{name}' stands here twice (first on line {self._keys[name].line})", "keep one of them")
        else:
            self._keys[name] = key.called(f"'{name}'")
            self._values[name] = YamlValue(value, self.notes, f"'{name}'")

    @property
    def line(self) -> int:
        """The line it begins on, counted from 1."""
        return self.itself.line

    def names(self) -> list[str]:
        """Return the keys as written, in their order."""
        return list(self._values)

    def has(self, key: str) -> bool:
        """Return whether the key is there with a value."""
        return key in self._values and not self._values[key].is_empty

    def key(self, key: str) -> YamlValue:
        """Return the key itself as a value, for its place; the section when the key is not there."""
        return self._keys.get(key) or self.itself.called(f"'{key}'")

    def line_of(self, key: str) -> int:
        """Return the line of a key, or the section's own when it is not there."""
        return self.key(key).line

    def note(self, key: str, sentence: str, remedy: str) -> None:
        """Remember a problem at a key (at the section itself when the key is not there)."""
        self.key(key).note(sentence, remedy)

    def stands(self, key: str) -> bool:
        """Return whether the key is written here, with a value or without. It is known from then on."""
        if key in self._values:
            return True
        self._known.append(key)
        return False

    def value(self, key: str) -> YamlValue | None:
        """Return a key's value; None when it is missing or has no value. The key is known from then on."""
        self._known.append(key)
        return self._values[key] if self.has(key) else None

    def text(self, key: str, default: str = "") -> str:
        """Return a key's text as it is written; the default when it is missing or cannot be used."""
        value = self.value(key)
        found = None if value is None else value.text()
        return default if found is None else found

    def section(self, key: str) -> Section | None:
        """Return a section within this one; None when it is missing or no mapping."""
        value = self.value(key)
        return None if value is None else value.section()

    def close(self, what: str, instead: Mapping[str, str] | None = None) -> None:
        """Note every key that nobody took. `instead` has remedies for words that people bring from elsewhere."""
        for name in self._values:
            if name not in self._known:
                remedy = (instead or {}).get(name) or suggest(name, self._known)
                self.note(name, f"{what} has no key '{name}'", remedy)
