"""Which Asterisks are followed, and who takes calls: `pbxs/*.yaml` and `users.yaml`, held against each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from routing_engine.connections import is_loopback
from routing_engine.settings.pbx import Pbx, PbxKeys, User, UserKeys, phone_parts
from routing_engine.settings.spec import nested, read
from routing_engine.settings.value_types import mapping_of
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, suggest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
USERS = mapping_of(nested(UserKeys), "the user '{}'", empty=("says nothing", "write for example {}: {name: ...}"))


def read_pbx(name: str, text: str, notes: Problems) -> Pbx | None:
    """Read a file of `pbxs/`; None when there is any problem, and `notes` then holds all of them."""
    if not _NAME.match(name):
        notes.note(0, f"a PBX cannot be called '{name}'", "name the file with a-z A-Z 0-9 - and _")
    section = read_yaml(text, notes)
    if section is None:
        return None
    # Whole or not at all: half a PBX would call every call internal.
    keys = read(section, PbxKeys, f"the PBX '{name}'")
    if keys.ami is not None and keys.ami.address.host and not is_loopback(keys.ami.address.host):
        sentence = "'ami' speaks in the clear to another machine: numbers can be read on the way"
        notes.remark(section.line_of("ami"), sentence, "let an engine run beside that PBX, or use a tunnel")
    return None if notes.problems else Pbx(name, keys)


def read_users(text: str, notes: Problems, pbxs: Collection[str], integrations: Collection[str]) -> dict[str, User]:
    """Read users.yaml; what has a problem is left out, and `notes` holds it. The names are those that are known."""
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
    return found


def _read_user(section: Section, key: str) -> User | None:
    if not _NAME.match(key):
        section.note(key, f"a user cannot be called '{key[:80]}'", "write a key of a-z A-Z 0-9 - and _")
    value = section.value(key)
    inner = None if value is None else value.called(f"the user '{key[:80]}'").section()
    if value is None:
        section.note(key, f"the user '{key[:80]}' says nothing", f"write for example {key[:80]}: {{name: ...}}")
    if inner is None:
        return None
    keys = read(inner, UserKeys, f"the user '{key[:80]}'")
    return User(key, keys.name, keys.email, keys.phones, keys.crm)


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


def users_by_phone(users: Mapping[str, User]) -> dict[str, str]:
    """Return by phone, `main/201`, whose it is."""
    return {phone: user.key for user in users.values() for phone in user.phones}
