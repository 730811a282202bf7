"""One specification of every key: from it come reading, the JSON Schema of editors, and the tables of the reference.

A section of YAML is a frozen dataclass whose fields are made by `setting`, `required` or `not_yet`:

    @dataclass(frozen=True, slots=True)
    class ServiceLimits:
        sessions: int = setting(whole(1, 1_000_000), 2000, "calls at a time")

`read` fills it from a `Section`, and notes every problem that it finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from routing_engine.settings.value_types import Definitions, Schema, ValueType, or_empty
from routing_engine.settings.yaml_reader import Section, YamlValue, plain_number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
S = TypeVar("S", bound="DataclassInstance")

# Other libraries may keep something in a field's metadata too.
_METADATA = "routing_engine.key"
_MARKDOWN_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section, and all that is known of it.

    `attribute` is the dataclass's field: the key's name, with a `_` behind it where Python has a keyword, or else
    `written` is that name.
    `usual_words` say in Markdown what holds without the key, where the default alone does not. `example` is a value as
    it stands in YAML. `restart` names what a reload does not change. `filled` refuses the key without a value, where
    leaving it out would mean something else. `later` is the remedy of a key that no version can read yet.
    """

    attribute: str
    type: ValueType[object]
    default: object
    means: str
    written: str = ""
    example: str = ""
    usual_words: str = ""
    in_force: str = ""
    must: bool = False
    filled: bool = False
    later: str = ""

    @property
    def name(self) -> str:
        """The key as it is written in YAML."""
        return self.written or self.attribute.rstrip("_")

    def usual(self, default: object) -> str:
        """Return the default in Markdown."""
        if self.must:
            return "**must be there**"
        return self.usual_words or _written(default)


class Checked(Protocol):
    """A section with rules that look at several keys; `read` finds the method by its name."""

    def check(self, section: Section, what: str) -> None:
        """Note what is wrong with the keys together; each alone has been read."""


def setting(
    type: ValueType[T],
    default: T,
    means: str,
    *,
    name: str = "",
    example: str = "",
    usual: str = "",
    in_force: str = "",
    filled: bool = False,
) -> T:
    """Declare a key that may be left out. The words are those of `Key`."""
    # The key's name is the field's, which only the finished class knows: `keys_of` fills it in.
    make = partial(
        Key,
        type=type,
        default=default,
        means=means,
        written=name,
        example=example,
        usual_words=usual,
        in_force=in_force,
        filled=filled,
    )
    return field(default_factory=lambda: default, repr=not type.hidden, metadata={_METADATA: make})


def required(type: ValueType[T], default: T, means: str, *, example: str) -> T:
    """Declare a key that must be there; `default` stands in for it after its absence was noted."""
    make = partial(Key, type=type, default=default, means=means, example=example, must=True)
    return field(default_factory=lambda: default, repr=not type.hidden, metadata={_METADATA: make})


def not_yet(meanwhile: str) -> str:
    """Declare a key that the route language promises and no version can read yet: refused honestly, not as unknown."""
    nothing: ValueType[None] = ValueType(lambda _value, _usual: None, lambda _: {}, "")
    make = partial(Key, type=nothing, default="", means="", later=meanwhile)
    return field(default="", metadata={_METADATA: make})


@cache  # a class does not change, and a folder of a thousand rules asks for its keys a thousand times
def keys_of(section: type[DataclassInstance]) -> tuple[Key, ...]:
    """Return the keys that a section declares, in their order; fields of other kinds are not keys."""
    makers = {one.name: one.metadata[_METADATA] for one in fields(section) if _METADATA in one.metadata}
    return tuple(cast("Callable[[str], Key]", make)(name) for name, make in makers.items())


# ------------------------------------------------------------------------------------------- reading


def read(
    section: Section,
    into: type[S],
    what: str,
    *,
    usual: S | None = None,
    instead: Mapping[str, str] | None = None,
    only: Collection[str] = (),
    told: Collection[str] = (),
) -> S:
    """Read a section whole: every key that `into` declares, and nothing else may stand there.

    `what` is what the section is called in a problem. `usual` has the defaults where they are not those that are
    declared. `instead` are remedies for words that people bring from elsewhere. With `only`, only these keys are looked
    at, each for itself, and whatever else stands there is left alone. The absence of the keys in `told` has been
    noted already. Every problem is noted; what cannot be used is then as if it were left out.
    """
    # In the order of declaration: the remedy for an unknown key then lists what is known, whoever asked first.
    wanted = [key for key in keys_of(into) if key.name in only or not only]
    values = {key.attribute: _read_key(section, key, usual, told) for key in wanted}
    if not only:
        section.close(what, instead)
    found = cast("Callable[..., S]", into)(**values)
    # Rules over several keys make sense only where all of them were read.
    if hasattr(into, "check") and not only:
        cast("Checked", found).check(section, what)
    return found


def _read_key(section: Section, key: Key, usual: DataclassInstance | None, told: Collection[str]) -> object:
    default = key.default if usual is None else getattr(usual, key.attribute)
    # Most keys of most sections are not there: of ten thousand routes this way takes a third of the time.
    if not (key.must or key.later or section.stands(key.name)):
        return default
    if key.later:
        _refuse_later(section, key)
        return default  # not taken: an unknown word must not be answered with it
    # Asked for also when it is missing: an unknown word is answered with every key that there is.
    value = section.value(key.name)
    if value is None:
        if key.name not in told:
            _note_missing(section, key)
        return default
    found = key.type.read(value, without_markdown(key.usual(default)))
    # A value that cannot be used counts as left out, so that the rest of the file is still checked against something.
    return default if found is None else found


def _refuse_later(section: Section, key: Key) -> None:
    if key.name in section.names():
        # Known from here on: its own sentence is better than "unknown".
        section.value(key.name)
        sentence = f"'{key.name}' is part of the route language, but this version cannot do it yet"
        section.note(key.name, sentence, key.later)


def _note_missing(section: Section, key: Key) -> None:
    if key.must:
        section.note(key.name, f"'{key.name}' is missing", f"add for example: {key.name}: {key.example}")
    elif key.filled and key.name in section.names():
        section.note(key.name, f"'{key.name}' has no value", "write a value, or remove the key")


def nested(into: type[S], *, instead: Mapping[str, str] | None = None) -> ValueType[S]:
    """Return the type of a section within a section."""

    def read_nested(value: YamlValue, _: str) -> S | None:
        section = value.section()
        return None if section is None else read(section, into, value.what, instead=instead)

    return ValueType(read_nested, lambda definitions: refer_to(into, definitions), "mapping")


def unread(into: type[DataclassInstance]) -> ValueType[Section]:
    """Return the type of a section within a section that its owner reads himself, with its lines and its neighbours."""
    return ValueType(lambda value, _: value.section(), lambda definitions: refer_to(into, definitions), "mapping")


# ------------------------------------------------------------------------------------------- JSON Schema


def refer_to(section: type[DataclassInstance], definitions: Definitions) -> Schema:
    """Return the JSON Schema of a section, as a reference to its definition."""
    return definitions.refer(section.__name__, lambda named: schema_of(section, named))


def schema_of(section: type[DataclassInstance], definitions: Definitions) -> Schema:
    """Return the JSON Schema of a section, written out."""
    return {
        "title": _title(section),
        "type": "object",
        "properties": properties_of(section, definitions),
        "required": [key.name for key in keys_of(section) if key.must],
        "additionalProperties": False,
    }


def _title(section: type[DataclassInstance]) -> str:
    """Return what an editor calls a section in its own sentences: `SourceKeys` is a source."""
    words = re.findall("[A-Z][a-z]+", section.__name__)
    return " ".join(word for word in words if word not in ("Keys", "Settings")).lower()


def properties_of(section: type[DataclassInstance], definitions: Definitions) -> Mapping[str, Schema]:
    """Return the JSON Schema of each key of a section."""
    return {key.name: _property(key, definitions) for key in keys_of(section) if not key.later}


def _property(key: Key, definitions: Definitions) -> Schema:
    schema = key.type.schema(definitions)
    usual = "must be there" if key.must else f"default: {without_markdown(key.usual(key.default))}"
    words = [without_markdown(key.type.words), usual, *([f"such as {key.example}"] if key.example else [])]
    shown = {"description": f"{without_markdown(key.means)} ({'; '.join(words)})"}
    # An editor shows this beside the cursor: what it means, what it may be, and what holds without it.
    return {**(schema if key.must or key.filled else or_empty(schema)), **shown}


# ------------------------------------------------------------------------------------------- words


def without_markdown(text: str) -> str:
    """Return a text of the reference as a terminal or an editor shows it: links as their words, no marks of code."""
    return _MARKDOWN_LINK.sub(r"\1", text).replace("`", "").replace("**", "")


def _written(value: object) -> str:
    """Return a default as it stands in YAML; nothing at all is "none"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return plain_number(value)
    if is_dataclass(value):
        return "see its keys"
    return f"`{value}`" if value else "none"
