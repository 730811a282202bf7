"""The words of the engine as values: route, source, rule, record, decision and what stands between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from routing_engine.core.phone import Number

#: What a field of a record may be. Lists become tuples; anything deeper is kept as its JSON text.
Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]
#: What JSON holds, as it is read: objects, lists, texts, numbers, true, false and null, within one another. A moment
#: among what is sent stands for its text in ISO 8601.
Json: TypeAlias = "bool | int | float | str | datetime | Sequence[Json] | Mapping[str, Json] | None"

Reason: TypeAlias = Literal["matched", "no_input", "no_record", "no_rule", "source_down", "anonymous", "error"]


class Pattern(Protocol):
    """A compiled regular expression that runs in linear time (the reader compiles it with RE2)."""

    @property
    def pattern(self) -> str:
        """The expression as written."""

    def search(self, text: str) -> object | None:
        """Return a match anywhere in the text, or None."""

    def fullmatch(self, text: str) -> object | None:
        """Return a match of the whole text, or None."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call as it arrived: who calls, whom, when.

    `number` is None when it is hidden or malformed; a hidden number is dropped at the edge and stands nowhere here.
    `at` is the moment of the call in the site's time zone. `variables` holds the channel variables the route reads.
    `called` is the number dialled as it arrived, `called_line` the same as a line in E.164, "" for an extension;
    `unread` is what arrived instead of a number that can be read.
    """

    number: Number | None
    called: str = ""
    name: str = ""
    language: str = ""
    at: datetime = field(default_factory=lambda: datetime.min)
    call_id: str = ""
    hidden: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    called_line: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Operand:
    """What a condition or a template looks at: a scope, and the name of a value there.

    `list` and `device` hold NAME, `queue` holds NAME.members and the like, `data` origin and age_s. `share` and
    `last_agent` have one value each and no name; `input` without a name is the first input.
    """

    scope: Literal["record", "call", "input", "list", "data", "share", "device", "queue", "last_agent"]
    name: str

    def __str__(self) -> str:
        return self.name if self.scope == "record" else f"{self.scope}.{self.name}" if self.name else self.scope

    @property
    def live(self) -> bool:
        """Whether only the channel can say it, at the moment of the question."""
        return self.scope in ("device", "queue", "last_agent") or (self.scope, self.name) == ("call", "attestation")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with values in it, `{company} - {name}`: literal text and operands in the order they are written."""

    parts: tuple[str | Operand, ...]
    #: The values that the template needs. Worked out once: every call asks for them several times.
    operands: tuple[Operand, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operands", tuple(part for part in self.parts if isinstance(part, Operand)))

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else f"{{{part}}}" for part in self.parts)


# ---------------------------------------------------------------------------------------------------- prompts

SayingKind: TypeAlias = Literal["sound", "digits", "number", "letters", "date", "time", "speech"]


@dataclass(frozen=True, slots=True)
class SpokenTemplate:
    """A prompt made of values: a sound whose name holds some, or something to be said (`speech` is any text)."""

    kind: SayingKind
    text: Template


@dataclass(frozen=True, slots=True)
class Spoken:
    """A `SpokenTemplate` with its values in: `text` is digits, a whole number, letters, an ISO moment or free text."""

    kind: SayingKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


#: What a route writes: the name of a sound, or what is made of values.
Prompt: TypeAlias = str | SpokenTemplate
#: What a channel plays: the name of a sound, or what Asterisk or a speech synthesiser says.
Sound: TypeAlias = str | Spoken


@dataclass(frozen=True, slots=True)
class Languages:
    """The language by a value: `cases` as they are written, else `otherwise` ("" leaves it as it is)."""

    by: Template
    cases: Mapping[str, str]
    otherwise: str = ""


# ------------------------------------------------------------------------------------------------- conditions


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: a left side, an operator of `operators.OPERATORS`, and what to compare with.

    A template is filled for each call: `input.pin: '{pin}'`. `line` is where it is written.
    """

    left: Operand
    operator: str
    expected: Value | Pattern | Template
    loosely: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ConditionGroup:
    """Conditions joined: `all` must hold, `any` one must, `none` may."""

    join: Literal["all", "any", "none"]
    conditions: tuple[Comparison | ConditionGroup, ...]


Condition: TypeAlias = Comparison | ConditionGroup


class Calendar(Protocol):
    """Opening hours with their holidays and one-off overrides."""

    def state(self, at: datetime) -> Literal["open", "closed", "holiday"]:
        """Return what a moment is. The calendar's own time zone counts."""


class NumberList(Protocol):
    """A list of numbers, some blocked, some allowed."""

    def verdict(self, number: Number | None) -> Literal["allowed", "blocked", "unlisted"]:
        """Return what a caller is (None: hidden or malformed). `allowed` wins."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all routes of a configuration share: calendars and number lists by name.

    `variables` are the channel variables that rules may set, a `*` at the end stands for any rest; `outside` how the
    numbers outside begin (in E.164) that a value may dial, read in `region`. None does not narrow it.
    """

    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    lists: Mapping[str, NumberList] = field(default_factory=dict)
    variables: tuple[str, ...] | None = None
    outside: tuple[str, ...] | None = None
    region: str = ""


# ------------------------------------------------------------------------------------------------------ route


@dataclass(frozen=True, slots=True)
class DestinationSpec:
    """A destination as written: the target may be a template; `otherwise` is the `else:` branch.

    Kind `last_agent` has the number of days as its target. An entry of a chain is `chained`: it is taken only when it
    is reachable, and `then` is the next one. `ring_s` says how long it rings before the dialplan goes on.
    """

    kind: str
    target: Template
    priority: int | None = None
    otherwise: DestinationSpec | None = None
    ring_s: int | None = None
    chained: bool = False
    then: DestinationSpec | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What to play, then where to go."""

    to: DestinationSpec
    play: tuple[Prompt, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """Digits to ask for. Lengths in digits, timeouts in seconds; `final_prompt` plays after the last failed attempt.

    `accept_early` goes on as soon as what is typed is valid; `languages` sets the prompts' language by what was typed.
    """

    name: str = "input"
    prompt: tuple[Prompt, ...] = ()
    attempts: int = 3
    min: int = 1
    max: int = 20
    pattern: Pattern | None = None
    check: Literal["", "luhn", "mod11"] = ""
    terminator: str = "#"
    first_digit_timeout_s: float = 5.0
    inter_digit_timeout_s: float = 3.0
    retry_prompt: tuple[Prompt, ...] = ()
    final_prompt: tuple[Prompt, ...] = ()
    on_failure: Action | None = None
    sensitive: bool = False
    accept_early: bool = False
    languages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, what to play, where to go. `sets` are side effects in order; `line` is where the rule is written.

    `until` is the last moment it holds, in the site's time without a zone. `live` are the operands of its conditions
    that only the channel can say. `owner` and `comment` are for people.
    """

    name: str
    act: Action
    when: Condition | None = None
    sets: tuple[tuple[str, Template], ...] = ()
    line: int = 0
    disabled: bool = False
    until: datetime | None = None
    live: tuple[Operand, ...] = ()
    owner: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Prefer:
    """Of several records take the first for which this holds, else the first."""

    when: Condition


@dataclass(frozen=True, slots=True)
class Menu:
    """Let the caller choose among several records: `label` names one, at most `at_most` are offered.

    `otherwise` is for a caller who chooses none; None is the route's default.
    """

    label: tuple[Prompt, ...]
    prompt: tuple[Prompt, ...] = ()
    at_most: int = 9
    otherwise: Action | None = None


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long an answer may be used again, in seconds from when it was read.

    `ttl_s` for records, `negative_ttl_s` for "no record"; for `refresh_s` longer it is used and asked for anew
    meanwhile. In an outage the last answer counts for `stale_for_s`.
    """

    ttl_s: float = 0.0
    negative_ttl_s: float = 0.0
    refresh_s: float = 0.0
    stale_for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Source:
    """One place to look for a record, and the rules for what is found.

    `by` is the value to search for, `field` the field to search it in (the provider's own default when empty).
    `newest_by` names the date field that chooses among several records; empty takes the first. Without `keep` no
    answer is used again.
    """

    name: str
    integration: str
    model: str
    by: Template
    #: Whether the search is for the caller's number: impossible when that is hidden.
    by_caller: bool = field(init=False, repr=False, compare=False)
    field: str = ""
    timeout_s: float | None = None
    when_down: Literal["next", "default"] | Action = "next"
    when_many: Literal["first"] | Action | Prefer | Menu = "first"
    newest_by: str = ""
    keep: CachePolicy | None = None
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_caller", Operand("call", "caller") in self.by.operands)


#: The name of a filler of kind `none` during which a call that is not up rings, as the caller's telephone expects.
RINGS = "rings"


@dataclass(frozen=True, slots=True)
class Filler:
    """What the caller hears once a look-up has lasted `after_s`: a music class, ringing, or one sound."""

    after_s: float = 0.7
    kind: Literal["music", "ringing", "sound", "none"] = "music"
    name: str = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """One YAML file of `config/routes`: from instruction to default. `deadline_s` bounds all look-ups of one call.

    `rules` are about the call itself; the first `early` of them run when it arrives, the others after the input.
    `languages` overrides `language` for the calls that it names. `look_ahead` says what may be asked before its turn.
    """

    name: str
    default: Action
    description: str = ""
    owner: str = ""
    language: str = ""
    languages: Languages | None = None
    instruction: tuple[Prompt, ...] = ()
    answer: Literal["before_prompts", "early_media", "never"] = "before_prompts"
    inputs: tuple[Input, ...] = ()
    deadline_s: float = 3.0
    filler: Filler = Filler()
    look_ahead: Literal["certain", "next", "all"] = "certain"
    rules: tuple[Rule, ...] = ()
    early: int = 0
    sources: tuple[Source, ...] = ()
    anonymous: Action | None = None
    revision: str = ""
    variables: tuple[str, ...] = ()
    site: Site = field(default_factory=Site)

    def hides(self, operand: Operand) -> bool:
        """Return whether an operand holds digits that must not be shown."""
        if operand.scope != "input":
            return False
        asked = self.inputs if operand.name else self.inputs[:1]
        return any(one.sensitive for one in asked if operand.name in ("", one.name))


# --------------------------------------------------------------------------------------- records and decisions

#: Where an answer came from: the system itself, the cache, or a copy (its last answer in an outage, a mirror).
Origin: TypeAlias = Literal["live", "cache", "snapshot"]


@dataclass(frozen=True, slots=True)
class Record:
    """What a source found: our field names and their values; `url` is its page in the CRM ("" when there is none)."""

    fields: Mapping[str, Value]
    id: str = ""
    url: str = ""
    origin: Origin = "live"
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One thing that happened on the way to a decision. `took_ms` is None for what takes no time of its own."""

    step: str
    outcome: str
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes: kind and target, checked against what that kind allows. `ring_s`: how long it rings there."""

    kind: str
    target: str
    priority: int | None = None
    ring_s: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the call goes and why. `destination` is None only when there was no route to follow.

    `sets` are the rule's side effects, rendered. `chain` is where the call goes on when nobody answers there, in
    order. `failed` marks a decision that the engine, not the route, made. `passed` are route, source and rule of those
    that sent the call on to another route.
    """

    route: str
    revision: str
    reason: Reason
    destination: Destination | None
    play: tuple[Sound, ...] = ()
    rule: str = ""
    source: str = ""
    record: Record | None = None
    sets: tuple[tuple[str, str], ...] = ()
    trail: tuple[TrailStep, ...] = ()
    failed: bool = False
    chain: tuple[Destination, ...] = ()
    passed: tuple[tuple[str, str, str], ...] = ()
