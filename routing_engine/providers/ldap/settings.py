"""The keys of an integration with `provider: ldap`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.providers.ldap.filter import ANYTHING, ATTRIBUTE, read_filter
from routing_engine.providers.ldap.wire import SCOPES
from routing_engine.providers.net.address import (
    ServerAddress,
    folder_of,
    is_this_machine,
    read_context,
    read_server,
    refuse_tls,
)
from routing_engine.settings.yaml_reader import Section, section_of, suggest

_DN = re.compile(r"[^=,]+=[^,]+(,[^=,]+=[^,]+)*\Z")


@dataclass(frozen=True, slots=True)
class LdapModel:
    """Where the entries of a model lie: below `base`, as far as `scope` says, and what they match."""

    base: str
    scope: str
    filter: bytes


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """What an administrator wrote about a directory.

    `start_tls` is the TLS context of a connection that begins in the clear. `user` "" asks anonymously. `exact`
    compares numbers as the directory does; else the digits alone count. `where` is for models without one in `models`.
    """

    address: ServerAddress
    start_tls: ssl.SSLContext | None
    user: str
    password: str = field(repr=False)
    where: LdapModel
    models: Mapping[str, LdapModel]
    exact: bool
    at_most: int
    time_limit_s: int

    def of(self, model: str) -> LdapModel:
        """Return where the entries of a model lie."""
        return self.models.get(model, self.where)


def read_settings(section: Section, name: str, folder: Path | None = None) -> LdapSettings:
    """Take and close all keys of a directory's integration; those of every integration were taken before."""
    place = folder_of(section, folder)
    _check_attributes(section)
    address = read_server(section, place, ("ldap", 389), ("ldaps", 636))
    begins = _read_start_tls(section, address, place)
    user, password = _read_bind(section, address, begins is not None)
    section.require("base", "base: 'ou=people,dc=example,dc=com'")
    where = _read_where(section, LdapModel("", "subtree", ANYTHING))
    settings = LdapSettings(
        address,
        begins,
        user,
        password,
        where,
        _read_models(section, where),
        section.choice("number_match", ("digits", "exact"), "digits") == "exact",
        section.whole("at_most", 50, 1, 1000),
        section.whole("time_limit_s", 5, 1, 60),
    )
    section.close(f"the integration '{name}'")
    return settings


def _read_start_tls(section: Section, address: ServerAddress, folder: Path) -> ssl.SSLContext | None:
    wanted = section.flag("start_tls", False)
    if address.tls is not None:
        if wanted:
            section.note("start_tls", "'start_tls' does nothing with ldaps://", "remove it, or use ldap://")
        return None
    if wanted:
        return read_context(section, folder)
    refuse_tls(section, "ldap:// without start_tls", "ldaps://")
    return None


def _read_bind(section: Section, address: ServerAddress, encrypted: bool) -> tuple[str, str]:
    bind = section.section("bind")
    if bind is None:
        return "", ""
    bind.require("user", "user: 'cn=engine,ou=services,dc=example,dc=com'")
    bind.require("password", "password: '${LDAP_PASSWORD}'")
    known = len(section.notes.problems)
    user, password = bind.text("user"), bind.secret("password")
    if bind.has("password") and not password and len(section.notes.problems) == known:
        # RFC 4513, 5.1.2: servers take an empty password for an anonymous log-in, and say that all is well.
        bind.note("password", "the password is empty", "a log-in without password is anonymous: remove 'bind' for that")
    bind.close("'bind'")
    if not (encrypted or address.tls or section.has("start_tls") or is_this_machine(address.host) or not address.host):
        remedy = "use ldaps:// or start_tls: true; start_tls: false says that you want it so"
        section.note("bind", "the password would cross the network in the clear", remedy)
    return user, password


def _read_where(section: Section, usual: LdapModel) -> LdapModel:
    base = section.text("base", usual.base)
    if base and not _DN.match(base):
        section.note("base", "'base' is no DN", "write for example 'ou=people,dc=example,dc=com'")
    text = section.text("filter")
    try:
        wanted = read_filter(text) if text else usual.filter
    except ValueError as error:
        section.note("filter", f"'filter' is no LDAP filter: {error}", "write for example (objectClass=person)")
        wanted = usual.filter
    return LdapModel(base, section.choice("scope", tuple(SCOPES), usual.scope), wanted)


def _read_models(section: Section, usual: LdapModel) -> Mapping[str, LdapModel]:
    per_model, models = section.section("per_model"), section.section("models")
    known = models.names() if models is not None else []
    found = dict[str, LdapModel]()
    for name in per_model.names() if per_model is not None else ():
        node = per_model.take(name) if per_model is not None else None
        model = None if node is None else section_of(node, section.notes, f"'{name}' of 'per_model'")
        if model is None:
            continue
        if name not in known:
            section.notes.note(model.line, f"there is no model '{name}'", suggest(name, known))
        found[name] = _read_where(model, usual)
        model.close(f"'{name}' of 'per_model'")
    return found


def _check_attributes(section: Section) -> None:
    """Note every field that is no attribute's name, such as a JSONPath."""
    models = section.section("models")
    for name in models.names() if models is not None else ():
        node = models.take(name) if models is not None else None
        model = None if node is None else section_of(node, section.notes, f"the model '{name}'")
        fields = None if model is None else model.section("fields")
        for ours in fields.names() if fields is not None else ():
            theirs = fields.text(ours) if fields is not None else ""
            if fields is not None and theirs and not ATTRIBUTE.match(theirs):
                fields.note(ours, f"'{theirs}' is no attribute of a directory", "write for example mail")
