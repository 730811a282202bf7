"""What a value of a YAML file can be: how it is read, what its JSON Schema is, and what the reference calls it.

A type that is not here is made of these, or with `parsed` and `raw`. None of them raises: what cannot be used is noted
as a problem at its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from routing_engine.settings.yaml_reader import Section, YamlValue, plain_number, suggest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Word = TypeVar("Word", bound=str)

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float | bool | None"
#: A JSON Schema, draft 7: the newest that the YAML language server knows well.
Schema: TypeAlias = Mapping[str, Json]

_PERIOD = re.compile(r"([1-9][0-9]{0,5}) ?(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_PERIOD_S = 30 * 86400
#: A key that is shorter can be found by trying.
SHORTEST_KEY = 16
#: A text is what is written, so `600` and `no` are texts too, though YAML reads a number and a boolean.
TEXT: Schema = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Definitions:
    """The named parts of one JSON Schema, each once: what recurs, or contains itself, is referred to by its name."""

    by_name: dict[str, Schema] = field(default_factory=dict)

    def refer(self, name: str, make: Callable[[Definitions], Schema]) -> Schema:
        """Return a reference to the part `name`, which `make` writes the first time."""
        if name not in self.by_name:
            self.by_name[name] = {}  # a part that contains itself finds its name taken
            self.by_name[name] = make(self)
        return {"$ref": f"#/definitions/{name}"}


#: Writes a schema; what recurs in it goes to the definitions.
SchemaOf: TypeAlias = Callable[[Definitions], Schema]


@dataclass(frozen=True, slots=True)
class ValueType(Generic[T_co]):
    """A kind of value.

    `read` gets a value and the words for the key's default, which a remedy may name; it returns None after it has
    noted a problem. `words` stand in the column "type" of the reference, in Markdown. What is `hidden` is shown by no
    `repr`, nor is what is made of it.
    """

    read: Callable[[YamlValue, str], T_co | None]
    schema: SchemaOf
    words: str
    hidden: bool = False

    def called(self, words: str) -> ValueType[T_co]:
        """Return the same type under other words in the reference, such as a link to its section."""
        return replace(self, words=words)


def or_empty(schema: Schema) -> Schema:
    """Return a schema that lets a key stand without a value, too: it then counts as left out."""
    kind, words, ways = schema.get("type"), schema.get("enum"), schema.get("anyOf")
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**schema, "type": [*kind, "null"]}
    if isinstance(words, list):
        return {**schema, "enum": [*words, None]}
    if not schema:
        return schema
    return {"anyOf": [*(ways if isinstance(ways, list) else [schema]), {"type": "null"}]}


def _plain(schema: Schema) -> SchemaOf:
    return lambda _: schema


# ------------------------------------------------------------------------------------------- single values


def text(words: str = "text") -> ValueType[str]:
    """Return the type of a text, taken as it is written."""
    return ValueType(lambda value, _: value.text(), _plain(TEXT), words)


def matching(pattern: re.Pattern[str], fault: str, remedy: str, words: str = "text") -> ValueType[str]:
    """Return the type of a text that must match `pattern`; else the problem is `fault`, with the text at its `{}`."""

    def parse(text: str) -> str:
        if not pattern.match(text):
            raise ValueError(fault.format(text[:80]))
        return text

    # JSON Schema looks for a pattern anywhere, and has no `\Z`.
    in_json = pattern.pattern.removesuffix(r"\Z")
    return parsed(parse, words, remedy, {**TEXT, "pattern": f"^{in_json}$"})


def filled(words: str = "text") -> ValueType[str]:
    """Return the type of a text in which `${NAME}` stands for an environment variable."""
    return ValueType(lambda value, _: value.filled(), _plain(TEXT), words)


def secret(words: str = "a [secret](integrations.md#secrets)", shortest: int = 0, remedy: str = "") -> ValueType[str]:
    """Return the type of a secret: `'${NAME}'`, or `{file: PATH}`, of `shortest` characters at least."""

    def read(value: YamlValue, _: str) -> str | None:
        # One fault is told once: a variable that is not set is not also "too short".
        known = len(value.notes.problems)
        found = value.secret()
        if found is None or len(found) >= shortest or len(value.notes.problems) > known:
            return found
        value.note(f"the key has fewer than {shortest} characters", remedy)
        return None

    in_file: Schema = {
        "type": "object",
        "properties": {"file": {"type": "string", "description": "a file whose content is the secret"}},
        "required": ["file"],
        "additionalProperties": False,
    }
    # An editor cannot know what is secret, but it can see that a plain text is not this.
    variable: Schema = {"type": "string", "pattern": r"\$\{[^}]*\}"}
    return ValueType(read, _plain({"anyOf": [variable, in_file]}), words, hidden=True)


def random_key() -> ValueType[str]:
    """Return the type of a secret that nobody has to remember: long enough that trying does not find it."""
    words = f"a [secret](integrations.md#secrets), {SHORTEST_KEY} characters at least"
    return secret(words, SHORTEST_KEY, "make one with: openssl rand -hex 32")


def number(low: float, high: float, unit: str = "number") -> ValueType[float]:
    """Return the type of a number from `low` to `high`, both included. `unit` is its word: seconds, MB."""
    return ValueType(
        lambda value, usual: value.number(low, high, usual),
        _plain({"type": "number", "minimum": low, "maximum": high}),
        f"{unit}, {plain_number(low)} to {plain_number(high)}",
    )


def whole(low: int, high: int, unit: str = "number") -> ValueType[int]:
    """Return the type of a whole number from `low` to `high`, both included."""
    return ValueType(
        lambda value, usual: value.whole(low, high, usual),
        _plain({"type": "integer", "minimum": low, "maximum": high}),
        f"{unit}, {low} to {high}",
    )


def flag() -> ValueType[bool]:
    """Return the type of `true` and `false`."""
    return ValueType(lambda value, _: value.flag(), _plain({"type": "boolean"}), "true or false")


def choice(*allowed: Word, fault: str = "") -> ValueType[Word]:
    """Return the type of a text that is one of a few words; else the problem is `fault`, with the text at its `{}`."""

    def read(value: YamlValue, _: str) -> Word | None:
        written = value.text()
        found = next((word for word in allowed if word == written), None)
        if written is not None and found is None:
            sentence = fault.format(written[:80]) or f"{value.what} cannot be '{written}'"
            value.note(sentence, suggest(written, allowed))
        return found

    return ValueType(read, _plain({"enum": [*allowed]}), listed(allowed))


def key_in(table: Mapping[str, object]) -> ValueType[str]:
    """Return the type of a text that is a key of a table; a row that is added later counts as well."""

    def read(value: YamlValue, _: str) -> str | None:
        return value.choice([*table])

    return ValueType(read, lambda _: {"enum": [*table]}, listed([*table]))


def listed(names: Sequence[str]) -> str:
    """Return words as a sentence has them: `a`, `b` or `c`, each as code."""
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} or {last}" if first else last


class WrongValue(ValueError):
    """What `parsed` cannot use: the problem's sentence, and a remedy of its own."""

    def __init__(self, sentence: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(sentence)


def parsed(parse: Callable[[str], T], words: str, remedy: str, schema: Schema = TEXT) -> ValueType[T]:
    """Return the type of a text that `parse` makes a value of.

    It raises `ValueError` with the problem's sentence, or `WrongValue` where the remedy depends on the text.
    """

    def read(value: YamlValue, _: str) -> T | None:
        found = value.text()
        try:
            return None if found is None else parse(found)
        except ValueError as error:
            value.note(str(error), error.remedy if isinstance(error, WrongValue) else remedy)
            return None

    return ValueType(read, _plain(schema), words)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"there is no time zone '{name[:80]}'") from None


#: A time zone, by its name.
ZONE = parsed(_zone, "a name such as `Europe/Vienna`", "write a name such as Europe/Vienna")


def period() -> ValueType[float]:
    """Return the type of a time as people write it, `24h`; its value is in seconds."""

    def read(value: YamlValue, _: str) -> float | None:
        written = value.text()
        found = None if written is None else _PERIOD.match(written)
        seconds = 0 if found is None else int(found[1]) * _SECONDS[found[2]]
        if written is not None and not 0 < seconds <= _LONGEST_PERIOD_S:
            value.note(f"{value.what} cannot be '{written[:80]}'", "write how long, up to 30d: 90s, 30m, 24h or 7d")
        return float(seconds) if 0 < seconds <= _LONGEST_PERIOD_S else None

    return ValueType(read, _plain(TEXT), "`90s`, `30m`, `24h`, `7d`: up to 30 days")


def raw(words: str, schema: Schema | SchemaOf) -> ValueType[YamlValue]:
    """Return the type of a value that has many shapes: whoever needs it reads it himself, after its neighbours."""
    return ValueType(lambda value, _: value, schema if callable(schema) else _plain(schema), words)


def as_section(words: str, schema: Schema) -> ValueType[Section]:
    """Return the type of a mapping whose keys say much themselves: whoever needs it reads it himself."""
    return ValueType(lambda value, _: value.section(), _plain(schema), words)


# ------------------------------------------------------------------------------------------- made of others


def word_or(word: str, means: T, other: ValueType[T]) -> ValueType[T]:
    """Return the type of `other`, or of a word that stands for the value `means` (not None): `none`, `default`."""

    def read(value: YamlValue, usual: str) -> T | None:
        # By the word as it is written: `none` in quotes says the same.
        return means if value.word() == word else other.read(value, usual)

    def schema(definitions: Definitions) -> Schema:
        return {"anyOf": [other.schema(definitions), {"const": word}]}  # an editor explains the first

    return ValueType(read, schema, f"{other.words}, or `{word}`", other.hidden)


def short_or(make: Callable[[str], T], other: ValueType[T]) -> ValueType[T]:
    """Return the type of `other`, or of a text alone that `make` makes the same of: `tier: customer_tier`."""

    def read(value: YamlValue, usual: str) -> T | None:
        if value.is_mapping:
            return other.read(value, usual)
        found = value.text()
        return None if found is None else make(found)

    def schema(definitions: Definitions) -> Schema:
        return {"anyOf": [other.schema(definitions), TEXT]}

    return ValueType(read, schema, f"text, or {other.words}", other.hidden)


def one_or_more(of: ValueType[T], nothing: tuple[str, str] = ("", "")) -> ValueType[tuple[T, ...]]:
    """Return the type of one value, or a list of them. `nothing` is what is said of an empty list, and the remedy."""

    def read(value: YamlValue, usual: str) -> tuple[T, ...]:
        if nothing[0] and not value.entries():
            value.note(*nothing)
        found = (of.read(entry, usual) for entry in value.entries())
        return tuple(entry for entry in found if entry is not None)

    def schema(definitions: Definitions) -> Schema:
        one = of.schema(definitions)
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1 if nothing[0] else 0}]}

    return ValueType(read, schema, f"{of.words}, or a list", of.hidden)


def list_of(of: ValueType[T]) -> ValueType[tuple[T, ...]]:
    """Return the type of a list."""

    def read(value: YamlValue, usual: str) -> tuple[T, ...] | None:
        if not value.is_list:
            value.note(f"{value.what} must be a list", f"write its entries below {value.what[1:-1]}:, each with '- '")
            return None
        # An entry has no key of its own to be named by.
        found = (of.read(entry.called(f"an entry of {value.what}"), usual) for entry in value.entries())
        return tuple(entry for entry in found if entry is not None)

    return ValueType(read, lambda named: {"type": "array", "items": of.schema(named)}, f"list of {of.words}", of.hidden)


def mapping_of(
    of: ValueType[T],
    what: str = "'{}'",
    name: ValueType[object] | None = None,
    empty: tuple[str, str] = ("has no value", "write a value"),
    bare: T | None = None,
) -> ValueType[Mapping[str, T]]:
    """Return the type of a mapping whose keys people choose.

    `what` is what one entry is called in a problem, `{}` its key. `name` is what a key must be; None takes any text.
    `bare` is what a key without a value stands for; where it is None, `empty` is what is said of such a key, and the
    remedy, in which `{}` is its name.
    """

    def entry(section: Section, key: str, usual: str) -> T | None:
        value, called = section.value(key), what.format(key[:80])
        # The value is read all the same: its faults are told beside that of the name.
        usable = name is None or name.read(section.key(key), "") is not None
        if value is not None:
            found = of.read(value.called(called), usual)
            return found if usable else None
        if usable and bare is None:
            section.note(key, f"{called} {empty[0]}", empty[1].replace("{}", key[:80]))
        return bare if usable else None

    def read(value: YamlValue, usual: str) -> Mapping[str, T] | None:
        section = value.section()
        if section is None:
            return None
        found = ((key, entry(section, key, usual)) for key in section.names())
        return {key: one for key, one in found if one is not None}

    def schema(definitions: Definitions) -> Schema:
        keys = {} if name is None else {"propertyNames": name.schema(definitions)}
        one = of.schema(definitions) if bare is None else or_empty(of.schema(definitions))
        return {"type": "object", "additionalProperties": one, **keys}

    return ValueType(read, schema, f"mapping, name to {of.words}", of.hidden)
