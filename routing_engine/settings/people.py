"""`users.yaml` and `groups.yaml`: the people who take calls, and what each group of them may do with which records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import phonenumbers

from routing_engine.settings.spec import required, setting
from routing_engine.settings.value_types import ValueType, choice, mapping_of, matching, one_or_more, parsed, text
from routing_engine.settings.yaml_reader import Section

#: What people see of the pages: an agent the own calls, a supervisor all, an administrator also how things are set.
Role: TypeAlias = Literal["agent", "supervisor", "administrator"]
#: What a group may do with the records of a data model.
Verb: TypeAlias = Literal["read", "create", "edit"]
#: Where everybody is who names no group, or one that is not there.
DEFAULT_GROUP = "default"
#: The caller ID for every country that is not named.
ELSE = "else"
_PHONE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_\-]{0,63})/([A-Za-z0-9][A-Za-z0-9_.\-*#+]{0,79})\Z", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\.\S+\Z", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}\Z", re.ASCII)


def _country(written: str) -> str:
    if written != ELSE and written not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"'{written[:80]}' is not a country")
    return written


_COUNTRY = parsed(_country, "country", "write a country's two letters, such as AT, or else")
_CALLER_ID = matching(_NUMBER, "'{}' is not a number in E.164", "write it as '+4312345600'", "number in E.164")


@dataclass(frozen=True, slots=True)
class UserKeys:
    """One entry of users.yaml."""

    name: str = required(text(), "", "as people write it", example="Anna Gruber")
    email: str = setting(
        matching(_EMAIL, "'{}' is not an e-mail address", "write for example anna@example.com", "e-mail address"),
        "",
        "by which integrations, and a log-in over OpenID Connect, know the person",
        example="anna@example.com",
    )
    phones: tuple[str, ...] = setting(
        one_or_more(
            matching(_PHONE, "'{}' is not a phone", "write PBX/EXTENSION, such as main/201", "`PBX/EXTENSION`")
        ),
        (),
        "the phones that ring for the person. A phone belongs to one person",
        example="[main/201, main/201-web]",
    )
    group: str = setting(
        text("a group of [groups.yaml](#groupsyaml)"),
        DEFAULT_GROUP,
        "which records the person may read, create and edit",
        example="sales",
    )
    role: Role = setting(
        choice("agent", "supervisor", "administrator"),
        "agent",
        "an agent sees the calls that the person took part in, a supervisor all calls; an administrator may do "
        "everything",
    )
    caller_ids: Mapping[str, str] = setting(
        mapping_of(_CALLER_ID, "the caller ID for '{}'", name=_COUNTRY).called(
            "mapping, country or `else` to number in E.164"
        ),
        {},
        "the number that is shown, by the country that is dialled",
        example="{AT: '+4312345601', else: '+4312345600'}",
    )
    crm: Mapping[str, str] = setting(
        mapping_of(text(), "'{}' of 'crm'").called("mapping, integration to the id there"),
        {},
        "who this is in an integration",
        usual="found by e-mail, then by extension",
        example="{crm: '0051t000001'}",
    )


@dataclass(frozen=True, slots=True)
class User:
    """A person who takes calls, by the key in users.yaml. `crm` is who this is in an integration, where it is said."""

    key: str
    name: str
    email: str = ""
    phones: tuple[str, ...] = ()
    crm: Mapping[str, str] = field(default_factory=dict)
    group: str = DEFAULT_GROUP
    role: Role = "agent"
    caller_ids: Mapping[str, str] = field(default_factory=dict)


def phone_parts(phone: str) -> tuple[str, str]:
    """Return the PBX and the extension of a phone, `main/201`."""
    pbx, _, extension = phone.partition("/")
    return pbx, extension


# ------------------------------------------------------------------------------------------- groups

_VERB: ValueType[Verb] = choice("read", "create", "edit", fault="nothing can be done that is called '{}'")
_MODEL_NAME = matching(_MODEL, "'{}' is not a data model", "write INTEGRATION.MODEL, such as crm.contact")


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """One entry of groups.yaml."""

    models: Mapping[str, tuple[Verb, ...]] = setting(
        mapping_of(one_or_more(_VERB), "the rights on '{}'", name=_MODEL_NAME, bare=()).called(
            "mapping, `INTEGRATION.MODEL` to `read`, `create`, `edit`, or a list"
        ),
        {},
        "what may be done with the records of a data model; nothing with one that is not named",
        example="{crm.contact: [read, create, edit]}",
    )
    unknown_caller: str = setting(
        text("`INTEGRATION.MODEL`"),
        "",
        "what is created by itself for an unknown caller whose call a person of the group takes",
        example="crm.lead",
    )

    def check(self, section: Section, what: str) -> None:
        """Note what would be created without the right to."""
        if self.unknown_caller and "create" not in self.models.get(self.unknown_caller, ()):
            sentence = f"'unknown_caller' of {what} creates {self.unknown_caller[:80]}, and the group may not"
            section.note("unknown_caller", sentence, f"add models: {{{self.unknown_caller[:80]}: [read, create]}}")


@dataclass(frozen=True, slots=True)
class Group:
    """A permission group. `models` are `integration.model`; one that is not there may not even be read."""

    name: str
    models: Mapping[str, frozenset[Verb]] = field(default_factory=dict)
    unknown_caller: str = ""


@dataclass(frozen=True, slots=True)
class People:
    """Who takes calls, and what each may. `models` are all that there are, `integration.model`."""

    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    models: frozenset[str] = frozenset()

    def group_of(self, user: User) -> Group:
        """Return the group of a person: the default one where the own is not there."""
        found = self.groups.get(user.group) or self.groups.get(DEFAULT_GROUP)
        return found or Group(DEFAULT_GROUP)
