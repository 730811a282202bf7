"""The words of the engine as values: route, source, rule, record, decision and what stands between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from routing_engine.core.numbers import Number

#: What a field of a record may be. Lists become tuples; anything deeper is kept as its JSON text.
Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]

Reason: TypeAlias = Literal["matched", "no_input", "no_record", "no_rule", "source_down", "anonymous", "error"]


class Pattern(Protocol):
    """A compiled regular expression that runs in linear time (the reader compiles it with RE2)."""

    @property
    def pattern(self) -> str:
        """The expression as written."""

    def search(self, text: str) -> object | None:
        """Give a match anywhere in the text, or None."""

    def fullmatch(self, text: str) -> object | None:
        """Give a match of the whole text, or None."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call as it arrived: who calls, whom, when.

    `number` is None when it is hidden or malformed; a hidden number is dropped at the edge and stands nowhere here.
    `at` is the moment of the call in the site's time zone. `variables` holds the channel variables the route reads.
    """

    number: Number | None
    called: str = ""
    name: str = ""
    language: str = ""
    at: datetime = field(default_factory=lambda: datetime.min)
    call_id: str = ""
    hidden: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """What a condition or a template looks at: `room` is `record`, `call` or `input`, `name` the field there."""

    room: Literal["record", "call", "input"]
    name: str

    def __str__(self) -> str:
        return self.name if self.room == "record" else f"{self.room}.{self.name}"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with values in it, `{company} - {name}`: literal text and left sides in the order they are written."""

    parts: tuple[str | Left, ...]

    @property
    def lefts(self) -> tuple[Left, ...]:
        """The values that the template needs."""
        return tuple(part for part in self.parts if isinstance(part, Left))


# ------------------------------------------------------------------------------------------------- conditions


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a left side, an operator of `operators.OPERATORS`, and what to compare with."""

    left: Left
    operator: str
    expected: Value | Pattern
    loosely: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined: `all` must hold, `any` one must, `none` may."""

    join: Literal["all", "any", "none"]
    conditions: tuple[Test | Group, ...]


Condition: TypeAlias = Test | Group


# ------------------------------------------------------------------------------------------------------ route


@dataclass(frozen=True, slots=True)
class To:
    """A destination as written: the target may be a template; `otherwise` is the `else:` branch."""

    kind: str
    target: Template
    priority: int | None = None
    otherwise: To | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What to play (names of sounds), then where to go."""

    to: To
    play: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """Digits to ask for. Lengths in digits, timeouts in seconds; `final_prompt` plays after the last failed attempt."""

    name: str = "input"
    prompt: tuple[str, ...] = ()
    attempts: int = 3
    min: int = 1
    max: int = 20
    pattern: Pattern | None = None
    check: Literal["", "luhn", "mod11"] = ""
    terminator: str = "#"
    first_digit_timeout_s: float = 5.0
    inter_digit_timeout_s: float = 3.0
    retry_prompt: tuple[str, ...] = ()
    final_prompt: tuple[str, ...] = ()
    on_failure: Action | None = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, what to play, where to go. `sets` are side effects in order; `line` is where the rule is written."""

    name: str
    act: Action
    when: Condition | None = None
    sets: tuple[tuple[str, Template], ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One place to look for a record, and the rules for what is found.

    `by` is the value to search for, `field` the field to search it in (the provider's own default when empty).
    `newest_by` names the date field that chooses among several records; empty takes the first.
    """

    name: str
    integration: str
    model: str
    by: Template
    field: str = ""
    timeout_s: float | None = None
    when_down: Literal["next", "default"] | Action = "next"
    when_many: Literal["first"] | Action = "first"
    newest_by: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def by_caller(self) -> bool:
        """Whether the search is for the caller's number: impossible when that is hidden."""
        return Left("call", "caller") in self.by.lefts


@dataclass(frozen=True, slots=True)
class Filler:
    """What the caller hears once a look-up has lasted `after_s`: a music class, ringing, or one sound."""

    after_s: float = 0.7
    kind: Literal["music", "ringing", "sound", "none"] = "music"
    name: str = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """One YAML file of `config/routes`: from instruction to default. `deadline_s` bounds all look-ups of one call."""

    name: str
    default: Action
    description: str = ""
    language: str = ""
    instruction: tuple[str, ...] = ()
    answer: Literal["before_prompts", "early_media", "never"] = "before_prompts"
    inputs: tuple[Input, ...] = ()
    deadline_s: float = 3.0
    filler: Filler = Filler()
    sources: tuple[Source, ...] = ()
    anonymous: Action | None = None
    revision: str = ""
    variables: tuple[str, ...] = ()


# --------------------------------------------------------------------------------------- records and decisions


@dataclass(frozen=True, slots=True)
class Record:
    """What a source found: our field names and their values; `url` is its page in the CRM ("" when there is none)."""

    fields: Mapping[str, Value]
    id: str = ""
    url: str = ""
    origin: Literal["live", "cache", "snapshot", "canned"] = "live"
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened on the way to a decision. `took_ms` is None for what takes no time of its own."""

    step: str
    outcome: str
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes: kind and target, checked against what that kind allows."""

    kind: str
    target: str
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the call goes and why. `destination` is None only when there was no route to follow.

    `sets` are the rule's side effects, rendered. `failed` marks a decision that the engine, not the route, made.
    """

    route: str
    revision: str
    reason: Reason
    destination: Destination | None
    play: tuple[str, ...] = ()
    rule: str = ""
    source: str = ""
    record: Record | None = None
    sets: tuple[tuple[str, str], ...] = ()
    trail: tuple[Step, ...] = ()
    failed: bool = False


# ------------------------------------------------------------------------------ the conversation: asks, answers


@dataclass(frozen=True, slots=True)
class Play:
    """Ask: play these sounds. With `barge_in` a digit ends them and is answered as `Typed`."""

    sounds: tuple[str, ...]
    barge_in: bool = True


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask: play `prompt`, then read digits as `input` says. `typed` are digits that came before (type-ahead)."""

    input: Input
    prompt: tuple[str, ...]
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Find:
    """Ask: look for a record. `value` is what to search for; `caller` is None when it is hidden or malformed.

    `timeout_s` of the source and the call's deadline bound the answer.
    """

    source: Source
    value: str
    caller: Number | None


@dataclass(frozen=True, slots=True)
class Open:
    """Ask: the route of this name, for a call that another route sends there."""

    route: str


@dataclass(frozen=True, slots=True)
class Typed:
    """Answer: what the caller typed, "" for silence. `missing` names sounds that could not be played."""

    digits: str = ""
    missing: tuple[str, ...] = ()
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Answer: the records that were found, in the source's order; none is an empty tuple."""

    records: tuple[Record, ...] = ()
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SourceDown:
    """Answer: the source could not be asked or did not answer in time. `why` is a sentence without secrets."""

    why: str
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """Answer: the route that was asked for, None when there is none; `caller` has the variables that it reads."""

    route: Route | None
    caller: Caller | None = None


Ask: TypeAlias = Play | Collect | Find | Open
Answer: TypeAlias = Typed | Found | SourceDown | Opened
