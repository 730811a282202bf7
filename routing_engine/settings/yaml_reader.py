"""YAML with its lines: text in, sections out, and every problem with its place.

A `Section` is a mapping whose keys are taken one by one; each `take` checks the type and notes a `Problem` instead of
raising, so that one reading finds every fault of a file. Scalars are read as they are written: the traps of YAML 1.1
(`no`, `0664...`, `+43...`, `1:30`) never change a text, and where a value's meaning is open they are a problem.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import yaml

from routing_engine.errors import Problem

T = TypeVar("T")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
_DEEPEST = 40
_LONGEST_SECRET = 65_536


class Problems:
    """The problems of one file, and where its secrets come from."""

    def __init__(self, file: str, environment: Callable[[str], str | None] = lambda _: None) -> None:
        self.file = file
        self.environment = environment
        self.problems: list[Problem] = []

    def note(self, node: yaml.Node | int, sentence: str, remedy: str) -> None:
        """Remember a problem at a node (or at a line that counts from 1)."""
        line = node if isinstance(node, int) else node.start_mark.line + 1
        problem = Problem(self.file, line, sentence, remedy)
        if problem not in self.problems:
            self.problems.append(problem)


def read_yaml(text: str, notes: Problems) -> Section | None:
    """Read one YAML document whose top is a mapping; None, with the problem noted, for anything else."""
    try:
        if not _is_plain(text, notes):
            return None
        node = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeError) as error:
        notes.note(
            _line_of(error),
            f"this is not YAML: {_short(error)}",
            "look at the indentation and the quotes of this line; within { } what holds [ ] { } , or # needs quotes",
        )
        return None
    if node is None:
        notes.note(0, "the file is empty", "write the keys of the reference, or remove the file")
        return None
    return section_of(node, notes, "the file")


def _is_plain(text: str, notes: Problems) -> bool:
    """Look at the events before libyaml composes them: it recurses in C, where too deep a nesting ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        refused = _refused(event, depth)
        if refused:
            notes.note(event.start_mark.line + 1 if event.start_mark else 1, *refused)
            return False
    return True


def _refused(event: yaml.Event, depth: int) -> tuple[str, str] | None:
    if isinstance(event, yaml.AliasEvent):
        return "aliases (*name) are not used here", "write the value out; a text with * needs quotes"
    if getattr(event, "tag", None):
        return "tags (!name) are not used here", "write the value itself; a text with ! needs quotes"
    if depth > _DEEPEST:
        return "this is nested too deeply", "a configuration file needs no more than a few levels"
    return None


def _line_of(error: Exception) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return int(mark.line) + 1 if mark is not None else 1


def _short(error: Exception) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return str(problem)


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


def section_of(node: yaml.Node, notes: Problems, what: str) -> Section | None:
    """Return the section that a node is; None, with the problem noted, when it is no mapping."""
    if isinstance(node, yaml.MappingNode):
        return Section(node, notes)
    notes.note(node, f"{what} must be a mapping of keys", "write 'key: value' lines")
    return None


def is_null(node: yaml.Node) -> bool:
    """Return whether a node is written as nothing: empty, `~` or `null`."""
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULLS


def text_of(node: yaml.Node, notes: Problems, what: str) -> str | None:
    """Return a scalar as it is written, whatever YAML would make of it: `+43 664...`, `0664`, `no` are texts here."""
    if not isinstance(node, yaml.ScalarNode):
        braces = isinstance(node, yaml.MappingNode) and node.flow_style
        notes.note(
            node, f"{what} must be a text", "put a template in quotes: '{name}'" if braces else "write one value"
        )
        return None
    if is_null(node):
        notes.note(node, f"{what} has no value", "write a value, or remove the key")
        return None
    if _CONTROL.search(node.value):
        notes.note(node, f"{what} holds a control character", "remove it")
        return None
    return str(node.value)


def value_of(node: yaml.Node, notes: Problems, what: str) -> str | int | float | bool | None:
    """Return a scalar by its meaning; where YAML 1.1 and people read it differently, the problem is noted."""
    if not isinstance(node, yaml.ScalarNode):
        notes.note(node, f"{what} must be one value", "write a text, a number, true or false")
        return None
    raw: str = node.value
    if node.style:  # quoted; plain is None or "", as the loader likes
        return raw
    if raw in _NULLS:
        return None
    if raw in _TRUE or raw in _FALSE:
        return raw in _TRUE
    if _INTEGER.match(raw) and len(raw) < 19:
        return int(raw)
    if _DECIMAL.match(raw) and len(raw) < 19:
        return float(raw)
    trap = _trap(raw)
    if trap:
        notes.note(
            node,
            f"{what}: {raw} without quotes is read as {trap} by YAML",
            f"write '{raw}' in quotes, or the number or true/false that you mean",
        )
    return raw


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
        return is_null(self._node)

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
        return text_of(self._node, self.notes, self.what)

    def scalar(self) -> str | int | float | bool | None:
        """Return a scalar by its meaning; where YAML 1.1 and people read it differently, that is a problem."""
        return value_of(self._node, self.notes, self.what)

    def section(self) -> Section | None:
        """Return the mapping that it must be."""
        return section_of(self._node, self.notes, self.what)

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
        return None if text is None else self._expand(text)

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
        return self._expand(text)

    def _expand(self, text: str) -> str:
        def variable(found: re.Match[str]) -> str:
            got = self.notes.environment(found[1])
            if got is None:
                remedy = f"set {found[1]} for the engine's process"
                self.note(f"the environment variable {found[1]} is not set", remedy)
            return got or ""

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
        with open(path, encoding="utf-8") as file:
            return file.read(_LONGEST_SECRET).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        remedy = "create the file, readable by the engine only"
        section.note("file", f"the secret in '{path}' cannot be read: {reason}", remedy)
        return ""


class Section:
    """A mapping of a YAML file. Take its keys one by one, then `close` it: what is left over is a problem."""

    def __init__(self, node: yaml.MappingNode, notes: Problems) -> None:
        self.node = node
        self.notes = notes
        self.line: int = node.start_mark.line + 1
        self._nodes: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        self._known: list[str] = []
        for key, value in node.value:
            self._enter(key, value)

    def _enter(self, key: yaml.Node, value: yaml.Node) -> None:
        name = text_of(key, self.notes, "a key")
        if name is None:
            return
        if name == "<<":
            self.notes.note(key, "merge keys (<<) are not used here", "write the keys out")
        elif name in self._nodes:
            first = self._keys[name].start_mark.line + 1
            self.notes.note(key, f"'{name}' stands here twice (first on line {first})", "keep one of them")
        else:
            self._nodes[name], self._keys[name] = value, key

    @property
    def itself(self) -> YamlValue:
        """The whole section as a value, for its place and its texts."""
        return YamlValue(self.node, self.notes, "a section")

    def names(self) -> list[str]:
        """Return the keys as written, in their order."""
        return list(self._nodes)

    def has(self, key: str) -> bool:
        """Return whether the key is there with a value."""
        return key in self._nodes and not is_null(self._nodes[key])

    def line_of(self, key: str) -> int:
        """Return the line of a key, or the section's own when it is not there."""
        return int(self._keys[key].start_mark.line) + 1 if key in self._keys else self.line

    def key_node(self, key: str) -> yaml.Node:
        """Return the node of a key itself, or of the section when it is not there."""
        return self._keys.get(key, self.node)

    def note(self, key: str, sentence: str, remedy: str) -> None:
        """Remember a problem at a key (at the section itself when the key is not there)."""
        self.notes.note(self.line_of(key), sentence, remedy)

    def take(self, key: str) -> yaml.Node | None:
        """Take a key's node; None when it is missing or has no value."""
        self._known.append(key)
        return self._nodes[key] if self.has(key) else None

    def require(self, key: str, example: str) -> yaml.Node | None:
        """Take a key that must be there; its absence is noted with an example as the remedy."""
        node = self.take(key)
        if node is None:
            self.note(key, f"'{key}' is missing", f"add for example: {example}")
        return node

    def value(self, key: str) -> YamlValue | None:
        """Take a key's value; None when it is missing or has no value."""
        node = self.take(key)
        return None if node is None else YamlValue(node, self.notes, f"'{key}'")

    def key(self, key: str) -> YamlValue:
        """Return the key itself as a value, for its place; the section's when the key is not there."""
        return YamlValue(self.key_node(key), self.notes, f"'{key}'")

    def text(self, key: str, default: str = "") -> str:
        """Take a text as it is written."""
        value = self.value(key)
        found = None if value is None else value.text()
        return default if found is None else found

    def texts(self, key: str) -> tuple[str, ...]:
        """Take one text or a list of texts."""
        value = self.value(key)
        found = [] if value is None else [entry.text() for entry in value.entries()]
        return tuple(text for text in found if text is not None)

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Take a text that must be one of `allowed`."""
        value = self.value(key)
        return (None if value is None else value.choice(allowed)) or default

    def number(self, key: str, default: float, low: float, high: float, usual: str = "") -> float:
        """Take a number between `low` and `high`; `usual` says what holds without the key, where that is no number."""
        value = self.value(key)
        found = None if value is None else value.number(low, high, usual or plain_number(default))
        return default if found is None else found

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Take a whole number between `low` and `high`."""
        value = self.value(key)
        found = None if value is None else value.whole(low, high, str(default))
        return default if found is None else found

    def flag(self, key: str, default: bool) -> bool:
        """Take `true` or `false`."""
        value = self.value(key)
        found = None if value is None else value.flag()
        return default if found is None else found

    def section(self, key: str) -> Section | None:
        """Take a nested mapping."""
        value = self.value(key)
        return None if value is None else value.section()

    def items(self, key: str) -> list[yaml.Node]:
        """Take a list's nodes; a problem when it is no list."""
        node = self.take(key)
        if node is None:
            return []
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.note(key, f"'{key}' must be a list", f"write its entries below '{key}:', each with '- '")
        return []

    def sections(self, key: str) -> list[Section]:
        """Take a list of mappings."""
        found = (section_of(node, self.notes, f"an entry of '{key}'") for node in self.items(key))
        return [section for section in found if section is not None]

    def secret(self, key: str) -> str:
        """Take a secret, as `YamlValue.secret` reads it."""
        value = self.value(key)
        return (None if value is None else value.secret()) or ""

    def plain(self, key: str, default: str = "") -> str:
        """Take a text in which `${NAME}` may stand, such as an address."""
        value = self.value(key)
        found = None if value is None else value.filled()
        return default if found is None else found

    def part(self, wanted: Callable[[str], bool]) -> Section:
        """Return the keys that are wanted as a section of their own; here they count as taken."""
        pairs = [(self._keys[name], node) for name, node in self._nodes.items() if wanted(name)]
        self._known += [name for name in self._nodes if wanted(name)]
        return Section(yaml.MappingNode(self.node.tag, pairs, self.node.start_mark, self.node.end_mark), self.notes)

    def close(self, what: str, instead: Mapping[str, str] | None = None) -> None:
        """Note every key that nobody took. `instead` has remedies for words that people bring from elsewhere."""
        for name in self._nodes:
            if name not in self._known:
                remedy = (instead or {}).get(name) or suggest(name, self._known)
                self.note(name, f"{what} has no key '{name}'", remedy)
