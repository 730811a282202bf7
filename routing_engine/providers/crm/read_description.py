"""A description's YAML, compiled: `Description`, or every problem with its line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

import yaml

from routing_engine.core.phone import SPELLINGS
from routing_engine.providers.answers.path import WHOLE
from routing_engine.providers.crm.checks import check_field, check_models, check_usual, check_whole
from routing_engine.providers.crm.model import AuthMethod, Description, KnownModel, OperatorSetting
from routing_engine.providers.crm.read_parts import (
    read_attempts,
    read_check,
    read_describe,
    read_list,
    read_steps,
    read_usual,
)
from routing_engine.providers.crm.read_requests import compiled, read_marked, take_members
from routing_engine.providers.crm.read_rules import compiled_path, read_rules
from routing_engine.providers.crm.requests import Known, RequestTemplate
from routing_engine.providers.crm.templates import TextSlot, TextTemplate
from routing_engine.providers.oauth.settings import OAuthPlan, read_hosts, read_plan
from routing_engine.settings.integration import RateLimits, read_fields, read_limits
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, section_of, suggest, value_of

#: What the steps that write may name of a call.
CALL_VALUES = frozenset(
    "id from to direction started_at ended_at duration_s subject body disposition outcome agent recording_url "
    "recording_name recording_base64 crm_id".split()
)
_BEARER = TextTemplate(("Bearer ", TextSlot(("auth", "access_token"))))
_OF_WAY = ("headers", "query", "login", "needs")
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
_OF_MODEL = ("label", "fields", "numbers", "record_url")


def read_description(text: str, notes: Problems, name: str) -> Description | None:
    """Read a description; None, with every problem noted, when it cannot be used."""
    section = read_yaml(text, notes)
    if section is None:
        return None
    found = _DescriptionReader(section, name).read()
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return None if notes.problems else replace(found, digest=digest)


class _DescriptionReader:
    """One reading: what a text may name is known only as far as the file has been read."""

    def __init__(self, section: Section, name: str) -> None:
        self.section, self.name, self.notes = section, name, section.notes
        self.settings = read_settings(section)
        self.constants, self.fields = self._names()
        self.values: Known = {"settings": frozenset(self.settings)} if self.settings else {}
        self.hosts = read_hosts(section)
        for host in self.hosts:
            compiled(section.node, host, self.notes, self.values)
        self.ways = self._ways()
        names = frozenset(value for way in self.ways.values() for value in _names_of(way))
        self.values = {**self.values, "auth": names} if names else self.values

    def read(self) -> Description:
        section = self.section
        section.require("address", "address: https://api.example.com")
        asking: Known = {**self.values, "model": self.constants, "fields": _BARE, "limit": _BARE, **_PAGING}
        phone: Known = {**asking, "number": frozenset(SPELLINGS), "spelling": _BARE}
        a_field: Known = {**asking, "field": _BARE, "value": _BARE}
        record: Known = {**self.values, "model": self.constants, "record": self.fields}
        writing: Known = {**record, "record": _ANYTHING, "call": CALL_VALUES, "step": _ANYTHING, "field": _BARE}
        rules, code = read_rules(section)
        usual = read_usual(section)
        found = Description(
            name=self.name,
            title=section.text("title", self.name),
            settings=self.settings,
            address=read_marked(section.take("address"), self.notes, self.values, path=True),
            ways=self.ways,
            constants=self.constants,
            within=compiled_path(section, "within") or WHOLE,
            nothing=self._nothing(),
            limits=self._limits(),
            hosts=self.hosts,
            rules=rules,
            code=code,
            models=self._models(record),
            find_by_phone=read_attempts(section, "find_by_phone", phone, usual),
            find_by_field=read_attempts(section, "find_by_field", a_field, usual),
            listings=read_list(section, {**asking, "since": _BARE}, usual),
            describe=read_describe(section, asking),
            check=read_check(section, asking),
            writing={key: read_steps(section, key, writing) for key in ("log_call", "update_call", "attach_recording")},
        )
        section.close("a description", INSTEAD)
        check_models(section, found)
        check_whole(section, found)
        check_usual(section, usual, found)
        return found

    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of constants, and of fields, that any model has."""
        models = self.section.section("models")
        constants, fields = {"name"}, {"id"}
        for name in models.names() if models is not None else ():
            node = models.take(name) if models is not None else None
            for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
                if key.value not in _OF_MODEL:
                    constants.add(key.value)
                elif key.value == "fields" and isinstance(value, yaml.MappingNode):
                    fields.update(one.value for one, _ in value.value)
        return frozenset(constants), frozenset(fields)

    def _ways(self) -> Mapping[str, AuthMethod]:
        node = self.section.take("auth")
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == "none"):
            return {}
        if isinstance(node, yaml.ScalarNode):
            self.section.note("auth", "'auth' holds ways to prove who we are, each by a name of yours", _A_WAY)
            return {}
        ways = section_of(node, self.notes, "'auth'")
        found = {}
        for name in ways.names() if ways is not None else ():
            assert ways is not None
            inside = ways.take(name)
            if name in _NO_WAYS:
                ways.note(name, f"'{name}' stands where the name of a way is expected", _A_WAY)
                continue
            way = None if inside is None else section_of(inside, self.notes, f"the way '{name}'")
            if way is not None:
                found[name] = self._way(way, name)
        return found

    def _way(self, section: Section, name: str) -> AuthMethod:
        plan = self._plan(section) if section.has("token_url") else None
        needs = self._needs(section)
        names = {*needs, *({"access_token", *(key for key, _ in plan.capture)} if plan else ())}
        known: Known = {**self.values, "auth": frozenset(names)}
        login = read_steps(section, "login", {**known, "step": _ANYTHING})
        known = {**known, "auth": frozenset(names | {key for step in login for key, _ in step.capture})}
        headers = take_members(section, "headers", known)
        if plan is not None and not section.has("headers") and not login:
            headers = ((TextTemplate(("Authorization",)), _BEARER),)
        carry = RequestTemplate("", TextTemplate(()), take_members(section, "query", known), headers=headers)
        lifetime_s = section.number("lifetime_s", 0, 1, 10**8, "none: until it is refused") if plan is None else 0
        section.close(f"the way '{name}'")
        return AuthMethod(name, needs, plan, login, lifetime_s or None, carry)

    def _plan(self, section: Section) -> OAuthPlan:
        """Read the keys of OAuth2, which stand beside those that every way has."""
        plan = read_plan(section.part(lambda key: key not in _OF_WAY))
        for text in (plan.token_url, plan.authorize_url, *plan.hosts, *(pair[1] for pair in plan.authorize)):
            compiled(section.node, text, self.notes, self.values)
        return plan

    def _needs(self, section: Section) -> Mapping[str, bool]:
        needs = section.section("needs")
        if needs is None:
            return {}
        return {name: needs.choice(name, ("secret", "text"), "secret") == "secret" for name in needs.names()}

    def _nothing(self) -> tuple[object, ...]:
        return tuple(value_of(node, self.notes, "'nothing'") for node in self.section.items("nothing"))

    def _limits(self) -> RateLimits:
        return read_limits(self.section.part(lambda key: key == "limits"))

    def _models(self, record: Known) -> Mapping[str, KnownModel]:
        self.section.require("models", "models: {contact: {fields: {id: id, name: name}}}")
        models = self.section.section("models")
        if models is not None and not models.names():
            self.section.note("models", "'models' is empty", "add for example: contact: {fields: {id: id, name: name}}")
        common = self._url(self.section, record)
        found = {}
        for name in models.names() if models is not None else ():
            assert models is not None
            node = models.take(name)
            if node is None:
                models.note(name, f"the model '{name}' has nothing below it", "indent its fields and numbers below it")
                continue
            if name in _OF_MODEL:
                models.note(name, f"'{name}' stands where the name of a model is expected", "indent it below its model")
                continue
            one = section_of(node, self.notes, f"the model '{name}'")
            if one is not None:
                found[name] = self._model(one, name, record, common)
        return found

    def _url(self, section: Section, record: Known) -> TextTemplate | None:
        node = section.take("record_url")
        return None if node is None else read_marked(node, self.notes, record, path=True)

    def _model(self, section: Section, name: str, record: Known, common: TextTemplate | None) -> KnownModel:
        fields = section.section("fields")
        section.require("fields", "fields: {id: id, name: name, phone: phone}")
        ours, about = read_fields(section)
        if fields is not None and "id" not in ours:
            fields.note("id", f"the model '{name}' has no id", "add for example id: id")
        for one, theirs in ours.items():
            if fields is not None:
                check_field(fields, one, theirs)
        numbers = section.texts("numbers")
        for one in numbers:
            if fields is not None and one not in ours:
                section.note("numbers", f"the model has no field '{one}'", suggest(one, ours))
        own = self._url(section, record)
        constants = {key: section.text(key) for key in section.names() if key not in _OF_MODEL}
        label = section.text("label", name)
        return KnownModel(name, label, {"name": name, **constants}, ours, numbers, own or common, about)


def _names_of(way: AuthMethod) -> set[str]:
    captured = {key for step in way.login for key, _ in step.capture}
    plan = {"access_token", *(key for key, _ in way.plan.capture)} if way.plan is not None else set()
    return {*way.needs, *captured, *plan}


#: Keys of an integration that are the engine's own: no setting is called so.
RESERVED = frozenset(
    "provider models limits breaker auth address tls number_form connect_timeout_s max_answer_bytes mirror "
    "hosts".split()
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")


def read_settings(section: Section) -> Mapping[str, OperatorSetting]:
    """Take `settings`: what the operator writes at the top of an integration."""
    settings = section.section("settings")
    found = {}
    for name in settings.names() if settings is not None else ():
        assert settings is not None
        node = settings.take(name)
        one = None if node is None else section_of(node, section.notes, f"the setting '{name}'")
        if not _NAME.match(name) or name in RESERVED:
            settings.note(name, f"a setting cannot be called '{name}'", "use a-z, 0-9 and _, and no key of ours")
        elif one is not None:
            found[name] = _setting(one, name)
    return found


def _setting(section: Section, name: str) -> OperatorSetting:
    section.require("example", "example: '12345'")
    pattern = section.text("pattern")
    try:
        re.compile(pattern)
    except re.error:
        section.note("pattern", "this is no regular expression", "write for example '[0-9]+'")
        pattern = ""
    default = section.text("default") if "default" in section.names() else None
    found = OperatorSetting(section.text("example"), pattern, default)
    for key in ("example", "default"):
        if (value := section.text(key)) and not found.fits(value):
            section.note(key, f"'{key}' does not fit the pattern", "correct one of the two")
    section.close(f"the setting '{name}'")
    return found
