"""Who takes calls and what each may: `users.yaml` and `groups.yaml`, held against PBXs, integrations and each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from routing_engine.core.model import Source
from routing_engine.errors import Problem
from routing_engine.settings.dialling import may_show
from routing_engine.settings.pbx import Pbx
from routing_engine.settings.people import DEFAULT_GROUP, Group, GroupKeys, People, User, UserKeys, phone_parts
from routing_engine.settings.spec import nested, read
from routing_engine.settings.value_types import mapping_of
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, suggest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
USERS = mapping_of(nested(UserKeys), "the user '{}'", empty=("says nothing", "write for example {}: {name: ...}"))
GROUPS = mapping_of(nested(GroupKeys), "the group '{}'", empty=("says nothing", "write for example {}: {models: {}}"))


# ------------------------------------------------------------------------------------------- groups


def usual_groups(models: Iterable[str]) -> dict[str, Group]:
    """Return the groups of a folder without groups.yaml: everybody reads the records of every data model."""
    return {DEFAULT_GROUP: Group(DEFAULT_GROUP, {name: frozenset({"read"}) for name in models})}


def read_groups(text: str, notes: Problems, integrations: Mapping[str, Collection[str] | None]) -> dict[str, Group]:
    """Read groups.yaml. What has a problem allows nothing, and `notes` holds it.

    `integrations` are names of data models by integration; None for one whose models are not known.
    """
    section = read_yaml(text, notes)
    if section is None:
        return {DEFAULT_GROUP: Group(DEFAULT_GROUP)}
    found = {key: _read_group(section, key, integrations) for key in section.names()}
    if DEFAULT_GROUP not in found:
        sentence = f"groups.yaml has no '{DEFAULT_GROUP}', where everybody is who names no group: it cannot be removed"
        notes.note(0, sentence, f"add {DEFAULT_GROUP}: {{models: {{}}}}, which allows nothing")
    return {DEFAULT_GROUP: Group(DEFAULT_GROUP), **found}


def _read_group(section: Section, key: str, integrations: Mapping[str, Collection[str] | None]) -> Group:
    inner = _entry(section, key, "group", "{models: {}}")
    known = len(section.notes.problems)
    keys = GroupKeys() if inner is None else read(inner, GroupKeys, f"the group '{key[:80]}'")
    for model in keys.models:
        _check_model(section, key, model, integrations)
    # A right that was misread is none: people must not get more than was written.
    if inner is None or len(section.notes.problems) > known:
        return Group(key)
    return Group(key, {name: frozenset(verbs) for name, verbs in keys.models.items()}, keys.unknown_caller)


def _check_model(section: Section, key: str, model: str, integrations: Mapping[str, Collection[str] | None]) -> None:
    integration, _, name = model.partition(".")
    known = integrations.get(integration)
    what = f"'models' of the group '{key[:80]}' names"
    if integration not in integrations:
        sentence = f"{what} the integration '{integration}', which is not there"
        section.note(key, sentence, suggest(integration, integrations))
    elif known is not None and name not in known:
        section.note(key, f"{what} '{model[:80]}', and {integration} has no such data model", suggest(name, known))


# ------------------------------------------------------------------------------------------- users


def read_users(
    text: str,
    notes: Problems,
    pbxs: Collection[str],
    integrations: Collection[str],
    groups: Collection[str] = (DEFAULT_GROUP,),
    usable: Mapping[str, Pbx] = MappingProxyType({}),
) -> dict[str, User]:
    """Read users.yaml; what has a problem is left out, and `notes` holds it. The names are those that are known.

    `usable` are the PBXs that have been read.
    """
    section = read_yaml(text, notes)
    if section is None:
        return {}
    found: dict[str, User] = {}
    owners: dict[str, str] = {}
    for key in section.names():
        one = _read_user(section, key)
        if one is not None:
            _check_user(section, one, pbxs, integrations, owners)
            found[key] = one
    _remark_on_gone_groups(section, found.values(), groups)
    _remark_on_caller_ids(section, found.values(), usable)
    return found


def _entry(section: Section, key: str, kind: str, such_as: str) -> Section | None:
    """Return what one key of the file says; a problem is noted for a name that is none, and for nothing said."""
    if not _NAME.match(key):
        section.note(key, f"a {kind} cannot be called '{key[:80]}'", "write a key of a-z A-Z 0-9 - and _")
    value = section.value(key)
    if value is None:
        section.note(key, f"the {kind} '{key[:80]}' says nothing", f"write for example {key[:80]}: {such_as}")
        return None
    return value.called(f"the {kind} '{key[:80]}'").section()


def _read_user(section: Section, key: str) -> User | None:
    inner = _entry(section, key, "user", "{name: ...}")
    if inner is None:
        return None
    keys = read(inner, UserKeys, f"the user '{key[:80]}'")
    return User(key, keys.name, keys.email, keys.phones, keys.crm, keys.group, keys.role, keys.caller_ids)


def _check_user(
    section: Section, user: User, pbxs: Collection[str], integrations: Collection[str], owners: dict[str, str]
) -> None:
    """Note a phone of no PBX, or of two people, and an integration that is not there."""
    for phone in user.phones:
        pbx, _ = phone_parts(phone)
        if pbx not in pbxs:
            section.note(user.key, f"the phone '{phone}' names the PBX '{pbx}', which is not there", suggest(pbx, pbxs))
        # Else chance would say who took a call.
        if (owner := owners.setdefault(phone, user.key)) != user.key:
            section.note(user.key, f"the phone '{phone}' is that of '{owner}' already", "let it belong to one of them")
    for name in user.crm:
        if name not in integrations:
            sentence = f"'crm' of the user '{user.key}' names the integration '{name}', which is not there"
            section.note(user.key, sentence, suggest(name, integrations))


def _remark_on_caller_ids(section: Section, users: Iterable[User], pbxs: Mapping[str, Pbx]) -> None:
    """Remark which caller IDs will be refused: those that the trunks of a PBX of the person's phones may not show."""
    for user in users:
        found = {name: pbxs[name] for phone in user.phones if (name := phone_parts(phone)[0]) in pbxs}
        for name, pbx in found.items():
            refused = sorted({one for one in user.caller_ids.values() if not may_show(pbx.keys.numbers, one)})
            if refused and pbx.keys.dial is not None:
                sentence = f"'{user.key}' cannot dial with {', '.join(refused)}: 'numbers' of the PBX '{name}' lacks it"
                remedy = f"add it to pbxs/{name}.yaml, if its trunk may show it"
                section.notes.remark(section.line_of(user.key), sentence, remedy)


def _remark_on_gone_groups(section: Section, users: Iterable[User], groups: Collection[str]) -> None:
    """Remark which people are in the default group because theirs is not there: nobody is shut out for that."""
    gone: dict[str, list[str]] = {}
    for user in users:
        if user.group not in groups:
            gone.setdefault(user.group, []).append(user.key)
    for group, keys in gone.items():
        who = ", ".join(keys[:20]) + (f" and {len(keys) - 20} more" if len(keys) > 20 else "")
        sentence = f"there is no group '{group[:80]}': in the group '{DEFAULT_GROUP}' instead: {who}"
        section.notes.remark(section.line_of(keys[0]), sentence, suggest(group, groups))


def remarks_on_unread(file: str, people: People, routes: Mapping[str, Iterable[Source]]) -> Iterator[Problem]:
    """Yield what routes look up and nobody who takes calls may read: the page would show a caller without a name."""
    read = {name for user in people.users.values() for name, verbs in people.group_of(user).models.items() if verbs}
    asked: dict[str, list[str]] = {}
    for name, sources in routes.items():
        for model in dict.fromkeys(f"{one.integration}.{one.model}" for one in sources):
            asked.setdefault(model, []).append(name)
    for model, names in asked.items():
        if model in read or not people.users or model not in people.models:
            continue
        which = f"the route '{names[0]}' looks" if len(names) == 1 else f"{len(names)} routes look"
        sentence = f"nobody may read '{model}', where {which} for callers: the page does not say who is calling"
        yield Problem(file, 0, sentence, f"add {model}: [read] to 'models' of a group")


def users_by_phone(users: Mapping[str, User]) -> dict[str, str]:
    """Return by phone, `main/201`, whose it is."""
    return {phone: user.key for user in users.values() for phone in user.phones}
