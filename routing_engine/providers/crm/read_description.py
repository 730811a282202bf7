"""A description's YAML, compiled: `Description`, or every problem with its line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from routing_engine.core.phone import SPELLINGS
from routing_engine.providers.answers.path import WHOLE, Path
from routing_engine.providers.crm.checks import check_field, check_models, check_usual, check_whole
from routing_engine.providers.crm.model import (
    Attempt,
    AuthMethod,
    Description,
    KnownModel,
    OperatorSetting,
    read_pattern,
)
from routing_engine.providers.crm.read_parts import (
    read_check,
    read_describe,
    read_field_attempts,
    read_list,
    read_phone_attempts,
    read_steps,
    read_usual,
)
from routing_engine.providers.crm.read_requests import compiled, read_marked, read_members
from routing_engine.providers.crm.read_rules import RULES, NextKeys, path
from routing_engine.providers.crm.read_writing import WritingKeys, read_writing
from routing_engine.providers.crm.requests import Known, OutcomeRule, RequestTemplate
from routing_engine.providers.crm.templates import TextSlot, TextTemplate
from routing_engine.providers.oauth.plan import HOSTS, OAuthPlan, PlanKeys
from routing_engine.settings.integration import FIELDS, FieldKeys, LimitKeys, RateLimits, fields_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.value_types import (
    TEXT,
    ValueType,
    choice,
    list_of,
    mapping_of,
    number,
    one_or_more,
    parsed,
    raw,
    text,
)
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, read_yaml, suggest

_BEARER = TextTemplate(("Bearer ", TextSlot(("auth", "access_token"))))
_NO_WAYS = ("headers", "query", "needs", "token_url")
_ANYTHING: frozenset[str] | None = None
_BARE = frozenset[str]()
_PAGING: Known = {"cursor": _BARE, "page": _BARE, "offset": _BARE}
_A_WAY = "write auth: {key: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}"
#: What people call the parts of a description elsewhere.
INSTEAD = {
    **dict.fromkeys(("base_url", "url", "host", "server"), "write address: https://api.example.com"),
    **dict.fromkeys(("search", "find", "lookup", "requests"), "write find_by_phone: [{get: /contacts, query: {...}}]"),
    **dict.fromkeys(("headers", "token", "api_key", "authentication"), _A_WAY),
    "provider": "remove it; integrations/NAME.yaml says provider: with the name of this file",
}
#: Keys of a model that are no constants of its requests.
_OF_MODEL = ("label", "fields", "numbers", "search_names", "record_url")


#: Keys of an integration that are the engine's own: no setting is called so.
RESERVED = frozenset(
    "provider models limits breaker auth address tls number_form connect_timeout_s max_answer_bytes mirror "
    "hosts log".split()
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")
_OBJECT = raw("mapping", {"type": "object"})
_MEMBERS = raw("mapping", {"type": "object"})
_TEXT = raw("text with [values](#values)", TEXT)
_STEPS = list_of(_OBJECT).called("list of [steps](#a-step)")
_ATTEMPTS = list_of(_OBJECT).called("list of [attempts](#an-attempt)")


_SECRET_OR_TEXT = choice("secret", "text")
#: What a way needs; one that is written wrong is there all the same: what names it is not wrong as well.
_NEED: ValueType[str] = ValueType(
    lambda value, usual: _SECRET_OR_TEXT.read(value, usual) or "secret", _SECRET_OR_TEXT.schema, _SECRET_OR_TEXT.words
)


def read_description(text: str, notes: Problems, name: str) -> Description | None:
    """Read a description; None, with every problem noted, when it cannot be used."""
    section = read_yaml(text, notes)
    if section is None:
        return None
    found = _DescriptionReader(section, name).read()
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return None if notes.problems else replace(found, digest=digest)


def _regular(text: str) -> str:
    read_pattern(text)
    return text


@dataclass(frozen=True, slots=True)
class SettingKeys:
    """What the operator writes at the top of an integration."""

    example: str = required(text(), "", "what the remedy shows when it is missing", example="'12345'")
    pattern: str = setting(
        parsed(_regular, "regular expression ([RE2](conditions.md#regular-expressions))", "write for example '[0-9]+'"),
        "",
        "what the whole value must look like",
        usual="anything",
    )
    # `default:` with nothing behind it could mean either: the operator must write it, or it is empty.
    default: str | None = setting(
        text(),
        None,
        "what holds without it; `''` makes it optional",
        usual="none: the operator must write it",
        filled=True,
    )

    def check(self, section: Section, what: str) -> None:
        """Note an example or a default that the pattern would refuse."""
        for key, value in (("example", self.example), ("default", self.default)):
            if value and not self.made.fits(value):
                section.note(key, f"'{key}' does not fit the pattern", "correct one of the two")

    @property
    def made(self) -> OperatorSetting:
        """The setting."""
        return OperatorSetting(self.example, self.pattern, self.default)


def _setting_name(name: str) -> str:
    if not _NAME.match(name) or name in RESERVED:
        raise ValueError(f"a setting cannot be called '{name}'")
    return name


@dataclass(frozen=True, slots=True)
class WayKeys:
    """One way to prove who we are."""

    # What is only a name is a secret: nobody should have to remember to say so.
    needs: Mapping[str, str] = setting(
        mapping_of(_NEED, bare="secret").called("mapping, name to `secret` or `text`"),
        {},
        "what the operator gives: `{auth.NAME}`",
    )
    headers: YamlValue | None = setting(_MEMBERS, None, "go with every request")
    query: YamlValue | None = setting(_MEMBERS, None, "parameters that go with every request")
    login: tuple[YamlValue, ...] = setting(
        _STEPS,
        (),
        "requests that log in. What they `capture` is `{step.NAME}` in the next step, and `{auth.NAME}` everywhere "
        "after",
    )
    lifetime_s: float | None = setting(
        number(1, 10**8, "seconds"), None, "how long such a log-in holds", usual="until it is refused"
    )


@dataclass(frozen=True, slots=True)
class KnownModelKeys:
    """A model of a description, beside the constants of its requests."""

    # Without `id` no mirror can tell two records apart, and no page can be linked.
    fields: Mapping[str, FieldKeys] = required(
        FIELDS.called("mapping, our name to theirs"),
        {},
        "the field map. `id` is a must. Theirs is a [path](#paths), several with ` + ` between them are joined by a "
        "space; or a [field](integrations.md#a-field)",
        example="{id: id, name: name, phone: phone}",
    )
    numbers: tuple[str, ...] = setting(
        one_or_more(text()).called("a field of ours, or a list"),
        (),
        "the fields that hold phone numbers: what tells callers from strangers",
        usual="**must be there** with `find_by_phone`",
    )
    search_names: Mapping[str, str] = setting(
        mapping_of(text(), "the search name of '{}'"),
        {},
        "what a search calls a field, where a record calls it otherwise: `{tier: cf_12}`. `none` cannot be searched",
        usual="as `fields` has them",
    )
    label: str = setting(text(), "", "what people call it", usual="the model's name")
    record_url: YamlValue | None = setting(_TEXT, None, "the address of a record's page", usual="the description's")


@dataclass(frozen=True, slots=True)
class DescriptionKeys(WritingKeys):
    """A file of `providers/`: how one kind of system is reached, asked, and understood."""

    title: str = setting(
        text(), "", "what people call the system, in sentences of the trail and the log", usual="the file's name"
    )
    settings: Mapping[str, SettingKeys] = setting(
        mapping_of(
            nested(SettingKeys),
            "the setting '{}'",
            parsed(_setting_name, "name", "use a-z, 0-9 and _, and no key of ours"),
        ).called("mapping, name to [setting](#a-setting)"),
        {},
        "what the operator writes at the top of the integration: `{settings.NAME}`",
    )
    address: YamlValue | None = required(
        _TEXT.called("https or http address with [values](#values)"),
        None,
        "the base of every address that begins with `/`",
        example="https://api.example.com",
    )
    auth: YamlValue | None = setting(
        raw("mapping, name to [way](#a-way)", {"type": ["object", "string"]}),
        None,
        "the ways to prove who we are. The operator picks one",
        usual="none: nobody asks who we are",
    )
    hosts: tuple[str, ...] = setting(HOSTS, (), "the only hosts that a captured address may lead to")
    limits: LimitKeys = setting(
        nested(LimitKeys).called("[mapping](integrations.md#limits)"),
        LimitKeys(),
        "how the system is spared, unless the operator says otherwise",
        usual="100 requests at a time",
    )
    within: Path | None = setting(
        path("results"),
        None,
        "where a record's fields lie in it, such as `properties`",
        usual="the record itself",
    )
    # Odoo writes false for an empty field: to a rule that would be a value.
    nothing: tuple[YamlValue, ...] = setting(
        list_of(raw("values", {})).called("list"), (), "values that mean no value, such as `[false, '']`"
    )
    encoded: str = setting(
        choice("html"),
        "",
        "`html` where texts come as for a page, `O&#039;Hara`: they are read as they were meant",
        usual="texts as they are",
    )
    # Raw: all keys of a model but five are names that only this description knows.
    models: YamlValue | None = required(
        raw("mapping, name to [model](#a-model)", {"type": "object"}),
        None,
        "what the system keeps",
        example="{contact: {fields: {id: id, name: name}}}",
    )
    record_url: YamlValue | None = setting(
        _TEXT, None, "the address of a record's page, for every model without its own"
    )
    errors: tuple[OutcomeRule, ...] = setting(RULES, (), "what answers mean", usual="HTTP's own meanings")
    error_code: Path | None = setting(
        path("error.code"),
        None,
        "where an answer has a short code of its error. The trail shows it; sentences are never shown",
    )
    records: Path | None = setting(
        path("results"),
        None,
        "where an answer has its records, for every attempt without its own",
        usual="the whole answer",
    )
    next: NextKeys | None = setting(
        nested(NextKeys).called("[mapping](#next)"),
        None,
        "where the next page begins, for every attempt that asks for it and has no own",
        usual="one page is all",
    )
    find_by_phone: tuple[YamlValue, ...] = setting(
        _ATTEMPTS,
        (),
        "how a caller is searched. Tried in this order until one finds a record that "
        "[is the caller's](integrations.md#whose-record-it-is)",
        usual="none: not by the caller",
    )
    find_by_field: tuple[YamlValue, ...] = setting(
        _ATTEMPTS,
        (),
        "how a value in a field is searched. The first that fits the model and whose `when` holds is used",
        usual="none: not by a field",
    )
    find_by_name: tuple[YamlValue, ...] = setting(
        _ATTEMPTS,
        (),
        "how people find a record by a part of its name. `{value}` is the longest word that they typed; every one that "
        "fits the model is sent, and a record counts whose `name` holds all words",
        usual="none: by the whole name",
    )
    list: tuple[YamlValue, ...] = setting(
        list_of(_OBJECT).called("list of [attempts](#list)"),
        (),
        "how all records are listed, for a [mirror](mirror.md)",
        usual="none: no mirror",
    )
    describe: YamlValue | None = setting(
        _OBJECT.called("[mapping](#describe)"), None, "how the fields of a model are asked for"
    )
    check_: YamlValue | None = setting(
        _OBJECT.called("[request](#check)"),
        None,
        "a cheap request that every account may send",
        usual="a search for a number of nobody, else a page of the list",
    )


class _DescriptionReader:
    """One reading: what a text may name is known only as far as the file has been read."""

    def __init__(self, section: Section, name: str) -> None:
        self.section, self.name, self.notes = section, name, section.notes
        self.keys = read(section, DescriptionKeys, "a description", instead=INSTEAD)
        self.settings = {name: one.made for name, one in self.keys.settings.items()}
        # Before the requests: they may name constants and fields of any model.
        self.constants, self.fields = self._names()
        self.values: Known = {"settings": frozenset(self.settings)} if self.settings else {}
        for host in self.keys.hosts:
            compiled(section.key("hosts"), host, self.values)
        self.ways = self._ways()
        names = frozenset(value for way in self.ways.values() for value in _names_of(way))
        self.values = {**self.values, "auth": names} if names else self.values

    def read(self) -> Description:
        """Return the description; what is wrong with it is noted."""
        record: Known = {**self.values, "model": self.constants, "record": self.fields}
        keys = self.keys
        found = Description(
            name=self.name,
            title=keys.title or self.name,
            settings=self.settings,
            address=read_marked(keys.address, self.values, path=True),
            ways=self.ways,
            constants=self.constants,
            within=keys.within or WHOLE,
            nothing=tuple(value.called("'nothing'").scalar() for value in keys.nothing),
            encoded=keys.encoded,
            limits=_limits(keys.limits),
            hosts=keys.hosts,
            rules=keys.errors,
            code=keys.error_code,
            models=self._models(record),
        )
        usual = read_usual(self.section, keys.records, keys.next, frozenset(self._model_names()))
        found = self._with_requests(found, usual, record)
        check_models(self.section, found)
        check_whole(self.section, found)
        check_usual(self.section, usual, found)
        return found

    def _with_requests(self, found: Description, usual: Attempt, record: Known) -> Description:
        """Return the description with all that is asked."""
        keys = self.keys
        # What may be named differs by where it stands: a list has no caller, a search no date.
        asking: Known = {**self.values, "model": self.constants, "fields": _BARE, "limit": _BARE, **_PAGING}
        phone: Known = {**asking, "number": frozenset(SPELLINGS), "spelling": _BARE}
        return replace(
            found,
            find_by_phone=read_phone_attempts(_sections(keys.find_by_phone), phone, usual),
            find_by_field=read_field_attempts(
                _sections(keys.find_by_field), {**asking, "field": _BARE, "value": _BARE}, usual
            ),
            find_by_name=read_field_attempts(_sections(keys.find_by_name), {**asking, "value": _BARE}, usual),
            listings=read_list(_sections(keys.list), {**asking, "since": _BARE}, usual),
            describe=read_describe(None if keys.describe is None else keys.describe.section(), asking),
            check=read_check(None if keys.check_ is None else keys.check_.section(), asking),
            writing=read_writing(self.section, keys, {**self.values, "model": self.constants}, usual),
        )

    # --------------------------------------------------------------------------------------------- ways

    def _ways(self) -> Mapping[str, AuthMethod]:
        value = self.keys.auth
        if value is None or value.word() == "none":
            return {}
        if not value.is_mapping:
            value.note("'auth' holds ways to prove who we are, each by a name of yours", _A_WAY)
            return {}
        ways, found = value.section(), {}
        for name in ways.names() if ways is not None else ():
            one = ways.value(name) if ways is not None else None
            if one is not None and name in _NO_WAYS:
                one.note(f"'{name}' stands where the name of a way is expected", _A_WAY)
                continue
            section = None if one is None else one.called(f"the way '{name}'").section()
            if section is not None:
                found[name] = self._way(section, name)
        return found

    def _way(self, section: Section, name: str) -> AuthMethod:
        plan, what = None, f"the way '{name}'"
        # What OAuth2 needs stands beside what every way has, so that a log-in may stand on top of it.
        if section.has("token_url"):
            keys = read(section, WayKeys, what, only=("needs", "headers", "query", "login"))
            plan = self._plan(section, what)
        else:
            keys = read(section, WayKeys, what)
        names = {*keys.needs, *({"access_token", *(key for key, _ in plan.capture)} if plan else ())}
        known: Known = {**self.values, "auth": frozenset(names)}
        login = read_steps(_sections(keys.login), {**known, "step": _ANYTHING})
        known = {**known, "auth": frozenset(names | {key for step in login for key, _ in step.capture})}
        headers = read_members(keys.headers, known)
        # RFC 6750, 2.1: what every vendor takes, unless the description says otherwise.
        if plan is not None and keys.headers is None and not login:
            headers = ((TextTemplate(("Authorization",)), _BEARER),)
        carry = RequestTemplate("", TextTemplate(()), read_members(keys.query, known), headers=headers)
        needs = {key: kind == "secret" for key, kind in keys.needs.items()}
        return AuthMethod(name, needs, plan, login, keys.lifetime_s, carry)

    def _plan(self, section: Section, what: str) -> OAuthPlan:
        """Read the keys of OAuth2, which stand beside those that every way has."""
        plan = read(section, PlanKeys, what).plan
        for written in (plan.token_url, plan.authorize_url, *plan.hosts, *(pair[1] for pair in plan.authorize)):
            compiled(section.itself, written, self.values)
        return plan

    # ------------------------------------------------------------------------------------------- models

    def _model_names(self) -> list[str]:
        models = None if self.keys.models is None else self.keys.models.section()
        return models.names() if models is not None else []

    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of constants, and of fields, that any model has."""
        models = None if self.keys.models is None else self.keys.models.section()
        constants, fields = {"name"}, {"id"}
        for name in models.names() if models is not None else ():
            value = models.value(name) if models is not None else None
            model = value.section() if value is not None and value.is_mapping else None
            if model is None:
                continue
            constants.update(key for key in model.names() if key not in _OF_MODEL)
            written = model.value("fields")
            own = written.section() if written is not None and written.is_mapping else None
            fields.update(own.names() if own is not None else ())
        return frozenset(constants), frozenset(fields)

    def _models(self, record: Known) -> Mapping[str, KnownModel]:
        models = None if self.keys.models is None else self.keys.models.section()
        if models is None:
            return {}
        if not models.names():
            self.section.note("models", "'models' is empty", "add for example: contact: {fields: {id: id, name: name}}")
        common = None if self.keys.record_url is None else read_marked(self.keys.record_url, record, path=True)
        found = {}
        for name in models.names():
            value = models.value(name)
            if value is None:
                models.note(name, f"the model '{name}' has nothing below it", "indent its fields and numbers below it")
            elif name in _OF_MODEL:
                models.note(name, f"'{name}' stands where the name of a model is expected", "indent it below its model")
            elif (one := value.called(f"the model '{name}'").section()) is not None:
                found[name] = _model(one, name, record, common)
        return found


def _model(section: Section, name: str, record: Known, common: TextTemplate | None) -> KnownModel:
    keys = read(section, KnownModelKeys, f"the model '{name}'", only=_OF_MODEL)
    ours, about = fields_of(keys.fields)
    fields = section.section("fields")
    if fields is not None and "id" not in ours:
        fields.note("id", f"the model '{name}' has no id", "add for example id: id")
    for one, theirs in ours.items():
        check_field(fields or section, one, theirs)
    for one in keys.numbers:
        if fields is not None and one not in ours:
            section.note("numbers", f"the model has no field '{one}'", suggest(one, ours))
    url = common if keys.record_url is None else read_marked(keys.record_url, record, path=True)
    # Every other key is a constant: that is how a description names what differs between models.
    constants = {key: section.text(key) for key in section.names() if key not in _OF_MODEL}
    constants = {"name": name, **constants}
    return KnownModel(name, keys.label or name, constants, ours, keys.numbers, url, keys.search_names, about)


def _sections(values: tuple[YamlValue, ...]) -> list[Section]:
    found = (value.section() for value in values)
    return [section for section in found if section is not None]


def _limits(keys: LimitKeys) -> RateLimits:
    usual = RateLimits(per_second=keys.per_second, per_minute=keys.per_minute, burst=keys.burst)
    return usual if keys.at_a_time is None else replace(usual, at_a_time=keys.at_a_time)


def _names_of(way: AuthMethod) -> set[str]:
    captured = {key for step in way.login for key, _ in step.capture}
    plan = {"access_token", *(key for key, _ in way.plan.capture)} if way.plan is not None else set()
    return {*way.needs, *captured, *plan}
