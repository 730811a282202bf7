"""What every integration has, whatever its provider: a name, and data models with their field maps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from routing_engine.core.field_types import FIELD_TYPES
from routing_engine.core.model import Template
from routing_engine.core.phone import LAST_FEWEST, LAST_MOST, WHOLE_FORMATS, last_digits, phone_format
from routing_engine.core.templates import read_template
from routing_engine.settings.call_log import NO_CALLS, CallLogKeys
from routing_engine.settings.mirror import MirrorSettings
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.value_types import (
    TEXT,
    Schema,
    WrongValue,
    flag,
    key_in,
    mapping_of,
    number,
    one_or_more,
    parsed,
    raw,
    short_or,
    text,
    whole,
    word_or,
)
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What people see of a field: its label ("" is its name), and whether it is shown.

    `type` is one of `FIELD_TYPES`, or "" for values as they come.
    """

    label: str = ""
    type: str = ""
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Model:
    """A data model: `fields` maps our names to theirs (or to a JSONPath); empty takes fields as they come.

    `record_url` is a template over our field names and `id`; None when records have no page. `numbers` are our fields
    that hold phone numbers. `forms` are the spellings to search a caller's number by, in the order they are tried
    (`Number.form`): those of the whole integration. `attempts` is how many ways the provider has to ask for a caller,
    0 for none; `by_field` says that it can search a field too, "named" that a route must name it. `mirrored`: an index
    of ours is searched instead. `about` are the fields of which more is said than their names. `must_show`: a record
    that shows no number at all is nobody's, because the system compares parts of numbers. `search_names` are by our
    names of fields what a search calls them, `none` for what cannot be searched. `by_name`: a part of a
    name is enough.
    """

    name: str
    fields: Mapping[str, str]
    record_url: Template | None = None
    numbers: tuple[str, ...] = ()
    forms: tuple[str, ...] = ("e164",)
    attempts: int = 1
    by_field: bool | Literal["named"] = True
    mirrored: bool = False
    about: Mapping[str, FieldInfo] = field(default_factory=dict)
    must_show: bool = False
    search_names: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = False

    def checked_fields(self, searched: str) -> tuple[str, ...]:
        """Return the fields that must hold the caller's number, when `searched` is the field of a search by it."""
        return tuple(dict.fromkeys((*self.numbers, *([searched] if searched else []))))

    def why_unsearchable(self, searched: str, by_caller: bool) -> tuple[str, str] | None:
        """Say why the provider cannot search so, and the remedy; None when it can. `searched` is as in `why_unsafe`."""
        if self.mirrored:
            return None
        if by_caller and not self.attempts:
            return f"the model '{self.name}' cannot be searched by the caller's number", "search a field of it"
        if not by_caller and self.by_field is False:
            return f"the model '{self.name}' can be searched by the caller's number only", "write by: caller"
        if not by_caller and self.search_names.get(searched) == "none":
            remedy = "search another field, or give the integration a mirror: {}"
            return f"the field '{searched}' of the model '{self.name}' cannot be searched", remedy
        if not by_caller and self.by_field == "named" and not searched:
            return "the search names no field", f"add for example field: {next(iter(self.fields), 'number')}"
        return None

    def why_unsafe(self, searched: str) -> tuple[str, str] | None:
        """Say why a search by the caller's number would give strangers, and the remedy; None when it is safe.

        `searched` is the field that the route names, "" for none.
        """
        if self.mirrored and not self.checked_fields(searched):
            return (
                f"the model '{self.name}' is mirrored, and has no number to find a caller by",
                f"add numbers: [phone] to the model '{self.name}', with its fields that hold phone numbers",
            )
        loose = next((form for form in self.forms if last_digits(form)), "")
        if not loose or self.numbers or (searched and (not self.fields or searched in self.fields)):
            return None
        form = loose.replace("_", " ")
        sentence = f"'number_form: {form}' finds strangers too, and the model '{self.name}' has no number to check"
        return sentence, f"add numbers: [phone] to the model '{self.name}', with its fields that hold phone numbers"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How an integration is spared.

    `at_a_time`, `per_second` and `per_minute` bound the requests to it; None leaves the rate alone. So many of them as
    `burst` says begin at once, None is what is usual for a rate. After `failures` in a row
    nobody asks for `pause_s`, then one look-up tries; 0 failures is no breaker.
    """

    at_a_time: int = 100
    per_second: float | None = None
    failures: int = 5
    pause_s: float = 5.0
    per_minute: int | None = None
    burst: int | None = None

    def shared(self, by: int) -> RateLimits:
        """Return what one of so many processes may do, for all of them to keep the limits together.

        None of them does without: one request at a time and a minute are its own in any case.
        """
        return (
            self
            if by < 2
            else replace(
                self,
                at_a_time=max(1, self.at_a_time // by),
                per_second=None if self.per_second is None else self.per_second / by,
                per_minute=None if self.per_minute is None else max(1, self.per_minute // by),
                burst=None if self.burst is None else max(1, self.burst // by),
            )
        )


@dataclass(frozen=True, slots=True)
class Integration:
    """One connection to a system that holds records. `settings` belong to its provider, which alone knows them.

    `mirror` says that calls ask an index of ours; None asks the system itself. `unusable` says why the system cannot be
    asked at all: its file has a problem.
    """

    name: str
    provider: str
    models: Mapping[str, Model]
    settings: object
    limits: RateLimits = RateLimits()
    mirror: MirrorSettings | None = None
    unusable: str = ""
    # None: no call is written there.
    log: CallLogKeys | None = None
    # Whether it shows its people who is calling.
    pop: bool = False


@dataclass(frozen=True, slots=True)
class ProviderSetup:
    """What an integration's file says, as its provider has read it."""

    settings: object
    models: Mapping[str, Model]
    limits: RateLimits = RateLimits()


@runtime_checkable
class ShowsCalls(Protocol):
    """What a provider's settings keep when its system may show people who is calling."""

    @property
    def shows_calls(self) -> bool:
        """Whether it can."""


@runtime_checkable
class Titled(Protocol):
    """What a provider's settings keep when people have names for its system and its models."""

    @property
    def title(self) -> str:
        """What people call the system."""

    def title_of(self, model: str) -> str:
        """Return what people call a model; "" where it has no name but ours."""


#: What routes may know of an integration: its models by name; None when its file is broken and nothing is known.
IntegrationFacts: TypeAlias = Mapping[str, Model] | None


# ------------------------------------------------------------------------------------------- keys


#: What `number_form` names in a remedy.
_FORMS = (*WHOLE_FORMATS, "as_received", "last 8")


def _form(form: str) -> str:
    if found := phone_format(form):
        return found
    # What is nearly right gets a remedy of its own, before "did you mean".
    count = last_digits(form)
    if count > LAST_MOST:
        raise WrongValue(f"no number has {count} digits", f"write last {LAST_MOST}, or fewer")
    if count or form == "last 0":
        remedy = f"write last {LAST_FEWEST}, or more: last 8 is usual"
        raise WrongValue(f"too many numbers end in the same {count} digits", remedy)
    raise WrongValue(f"'number_form' cannot be '{form[:80]}'", suggest(form, _FORMS))


_FORM_SCHEMA: Schema = {"anyOf": [{"enum": [*_FORMS]}, {"type": "string", "pattern": "^last[ _]?[0-9]+$"}]}
_URL = parsed(read_template, "template", "write for example 'https://crm.example.com/customers/{id}'")


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """What an operator says of one field; `field` "" is our own name for it."""

    field: str = setting(
        text(),
        "",
        "what the other side calls it",
        usual="our name; of a field that the provider knows, its own",
        example="open_amount",
    )
    label: str = setting(text(), "", "what people call it; `run-test` prints it", example="Open amount")
    type: str = setting(
        key_in(FIELD_TYPES),
        "",
        'what its values become. `"2500"` is the number 2500, `yes` and `1` are true, a moment is its day. Other '
        "values stay as they are",
        usual="as it comes",
    )
    shown: bool = setting(
        flag(), True, "false: people who look at the record do not see it. Rules do, and so does `--json`"
    )

    @property
    def info(self) -> FieldInfo:
        """What people see of it."""
        return FieldInfo(self.label, self.type, self.shown)


FIELD = short_or(FieldKeys, nested(FieldKeys))
FIELDS = mapping_of(
    FIELD, "the field '{}'", empty=("has no value", "write what the other side calls it: {}: {}")
).called("mapping, our name to theirs or to a [field](#a-field)")


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """One data model as every integration has it. A provider whose models have more keys inherits from this."""

    fields: Mapping[str, FieldKeys] = setting(
        FIELDS,
        {},
        "the field map. Theirs is the name in the answer, or a JSONPath (RFC 9535) that begins with `$`",
        usual="all fields, under their own names",
        example="{id: id, name: name}",
    )
    record_url: Template | None = setting(
        _URL,
        None,
        "the record's page in the CRM, for `ROUTE_RECORD_URL`. Values are percent-encoded. `'{link}'` alone is "
        "taken as it is",
        example="'https://crm.example.com/customers/{id}'",
    )
    numbers: tuple[str, ...] = setting(
        one_or_more(text()).called("a field of ours, or a list"),
        (),
        "the fields that hold phone numbers: they say [whose record it is](#whose-record-it-is)",
        usual="the `field` of the route's search",
        example="[phone, mobile]",
    )

    def check(self, section: Section, what: str) -> None:
        """Note what names a field that the model does not have."""
        check_names(section, self, self.fields)


@dataclass(frozen=True, slots=True)
class LimitKeys:
    """`limits` as it is written; None is left out."""

    at_a_time: int | None = setting(
        whole(1, 10_000, "requests"),
        None,
        "how many are under way. The next one waits for a place, within its source's time",
        usual="100",
    )
    per_second: float | None = setting(
        number(0.01, 100_000, "requests"),
        None,
        "how many begin within a second. A burst of as many passes at once, the next ones wait for their moment, "
        "within their source's time",
        usual="none: nothing bounds the rate",
    )
    per_minute: int | None = setting(
        whole(1, 1_000_000, "requests"),
        None,
        "how many begin within any minute, a burst among them",
        usual="none: nothing bounds the rate",
    )
    burst: int | None = setting(
        whole(1, 100_000, "requests"),
        None,
        "how many begin at once after a rest; 1 spreads them evenly",
        usual="`per_second`, or a quarter of `per_minute`",
    )

    def check(self, section: Section, what: str) -> None:
        """Note a burst that no rate goes on from, or that is more than a minute has."""
        if self.burst is not None and self.per_second is None and self.per_minute is None:
            section.note("burst", "'burst' says nothing without a rate", "add per_second: 5, or per_minute: 100")
        if self.burst is not None and self.per_minute is not None and self.burst > self.per_minute:
            section.note("burst", "'burst' is more than a minute may have", f"write {self.per_minute}, or fewer")


@dataclass(frozen=True, slots=True)
class BreakerKeys:
    """When a system that fails is left alone; 0 failures is never."""

    failures: int = setting(whole(1, 1000), 5, "so many in a row open it")
    pause_s: float = setting(
        number(0.1, 3600, "seconds"),
        5.0,
        "how long nobody is asked then. After that one look-up tries: an answer closes the breaker, a failure begins "
        "the pause anew",
    )


@dataclass(frozen=True, slots=True)
class IntegrationKeys:
    """A file of `integrations/`, as far as every provider has it. The file of a provider inherits from this."""

    provider: str = required(
        text("`http`, `records`, [`sql`](sql.md), [`ldap`](ldap.md), [`redis`](redis.md) or [`astdb`](astdb.md)"),
        "",
        "the kind of system. Installed packages may bring more",
        example="http",
    )
    models: Mapping[str, ModelKeys] = required(
        mapping_of(nested(ModelKeys), "the model '{}'", bare=ModelKeys()).called("mapping, name to [model](#a-model)"),
        {},
        "the data models that routes search. `contact: {}` takes fields as they come",
        example="{contact: {fields: {id: id, name: name}}}",
    )
    number_form: tuple[str, ...] = setting(
        one_or_more(
            parsed(_form, "a spelling", "write number_form: e164", _FORM_SCHEMA),
            ("'number_form' names no spelling", "write number_form: e164"),
        ).called("a [spelling](#spellings-of-a-number), or a list of them"),
        ("e164",),
        "how the caller's number is sent. A list is tried in its order until a record is found",
        usual="`e164`",
        example="[e164, national, last 8]",
    )
    limits: LimitKeys = setting(
        nested(LimitKeys).called("[mapping](#limits)"),
        LimitKeys(),
        "how much the system is asked",
        usual="100 requests at a time",
    )
    breaker: BreakerKeys = setting(
        word_or("none", BreakerKeys(failures=0), nested(BreakerKeys)).called("[mapping](#breaker), or `none`"),
        BreakerKeys(),
        "when a system that fails is left alone",
        usual="5 failures, 5 seconds",
    )
    mirror: MirrorSettings | None = setting(
        nested(MirrorSettings).called("[mapping](mirror.md#mirror)"),
        None,
        "calls ask an index that is pulled from the system: for those that are slow, capped, or cannot search "
        "by numbers",
        usual="none: the system itself is asked",
    )
    log: CallLogKeys = setting(
        word_or("none", NO_CALLS, nested(CallLogKeys)).called("[mapping](#log), or `none`"),
        CallLogKeys(),
        "which calls are written into the system, and how",
        usual="as the table there, where the provider can write calls",
    )

    pop: bool = setting(
        flag(),
        False,
        "`true` lets the system [show its people who is calling](#pop), where its description has a way to",
        example="true",
    )

    def check(self, section: Section, what: str) -> None:
        """Note an integration without a model, and a spelling that would be asked for twice."""
        if (models := section.section("models")) is not None and not models.names():
            section.note("models", "'models' is empty", "add for example: contact: {fields: {id: id, name: name}}")
        # Each spelling is a request: twice the same would ask twice for nothing.
        for form in sorted({form for form in self.number_form if self.number_form.count(form) > 1}):
            section.note("number_form", f"'number_form' has '{form.replace('_', ' ')}' twice", "keep one of them")


def check_names(section: Section, keys: ModelKeys, fields: Collection[str]) -> None:
    """Note what `numbers` and `record_url` of a model name that is not one of its `fields`; none are any."""
    for name in keys.numbers:
        if fields and name not in fields:
            section.note("numbers", f"the model has no field '{name}'", suggest(name, fields))
    for left in keys.record_url.operands if keys.record_url is not None else ():
        if left.scope != "record":
            section.note("record_url", f"'record_url' cannot hold '{left}'", "it is filled from the record only")
        # Without a field map every field of the answer is there, and none can be called unknown.
        elif fields and left.name not in (*fields, "id"):
            section.note("record_url", f"the model has no field '{left}'", suggest(left.name, [*fields, "id"]))


# ------------------------------------------------------------------------------------------- what they make


def fields_of(
    keys: Mapping[str, FieldKeys], usual: Mapping[str, str] | None = None
) -> tuple[Mapping[str, str], Mapping[str, FieldInfo]]:
    """Return our names, each with theirs, and what more is said of them.

    `usual` are those that the model has anyway: what is said of one of them need not repeat its name.
    """
    # What is said of a known field (its label) need not repeat what the other side calls it.
    theirs = {name: one.field or (usual or {}).get(name, name) for name, one in keys.items()}
    return theirs, {name: one.info for name, one in keys.items() if one.info != FieldInfo()}


def models_of(keys: IntegrationKeys) -> Mapping[str, Model]:
    """Return the data models of an integration whose models have the keys of every integration."""
    found = {}
    for name, one in keys.models.items():
        fields, about = fields_of(one.fields)
        found[name] = Model(name, fields, one.record_url, one.numbers, keys.number_form or ("e164",), about=about)
    return found


def limits_of(keys: IntegrationKeys, usual: RateLimits = RateLimits()) -> RateLimits:
    """Return how an integration is spared; what is left out is as `usual`."""
    # None is left out, and left out is what the provider, or its description, thinks right.
    return RateLimits(
        usual.at_a_time if keys.limits.at_a_time is None else keys.limits.at_a_time,
        usual.per_second if keys.limits.per_second is None else keys.limits.per_second,
        keys.breaker.failures,
        keys.breaker.pause_s,
        usual.per_minute if keys.limits.per_minute is None else keys.limits.per_minute,
        usual.burst if keys.limits.burst is None else keys.limits.burst,
    )


def read_models(section: Section) -> Mapping[str, Model]:
    """Read `models` and `number_form` of an integration whose models have the keys of every integration."""
    return models_of(read(section, IntegrationKeys, "the integration", only=("models", "number_form")))


def read_limits(section: Section, usual: RateLimits = RateLimits()) -> RateLimits:
    """Read `limits` and `breaker` of an integration; what is left out is as `usual`."""
    return limits_of(read(section, IntegrationKeys, "the integration", only=("limits", "breaker")), usual)


# ------------------------------------------------------------------------------------------------- files

#: A file beside the configuration: whether it is there is looked at by `config_file`, which knows the folder.
FILE = raw("file", TEXT)


def folder_of(section: Section, folder: Path | None) -> Path:
    """Return the configuration folder: the one that is given, else the one above the folder of the YAML file."""
    return folder if folder is not None else Path(section.notes.file).parent.parent


def config_file(value: YamlValue | None, folder: Path) -> Path | None:
    """Return the path of a file, relative to `folder`; None when left out or, as a problem, not there."""
    text = None if value is None else value.text()
    if value is None or not text:
        return None
    path = folder / text
    if not path.is_file():
        value.note(f"the file '{text}' of {value.what} is not there", f"it is looked for at {path.absolute()}")
        return None
    return path
