"""The keys of an integration with `provider: ldap`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.providers.kind import ProviderKind, late
from routing_engine.providers.ldap.filter import ANYTHING, ATTRIBUTE, read_filter
from routing_engine.providers.net.address import Place, ServerAddress, server_address, server_at
from routing_engine.settings.integration import IntegrationKeys, folder_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.tls import (
    CONNECT_TIMEOUT,
    CONNECT_TIMEOUT_S,
    TlsKeys,
    is_this_machine,
    refuse_tls,
    tls_context,
)
from routing_engine.settings.value_types import choice, flag, mapping_of, matching, parsed, secret, text, whole
from routing_engine.settings.yaml_reader import Section, suggest


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


def _filter(text: str) -> bytes:
    try:
        return read_filter(text)
    except ValueError as error:
        raise ValueError(f"'filter' is not an LDAP filter: {error}") from None


_DN = matching(
    re.compile(r"[^=,]+=[^,]+(,[^=,]+=[^,]+)*\Z"),
    "'base' is not a DN",
    "write for example 'ou=people,dc=example,dc=com'",
    "DN",
)
_SCOPE = choice("base", "one", "subtree")
_FILTER = parsed(_filter, "LDAP filter (RFC 4515)", "write for example (objectClass=person)")
_OF_THE_INTEGRATION = "that of the integration"


@dataclass(frozen=True, slots=True)
class LdapModelKeys:
    """Where the entries of one model lie; what is left out is that of the integration."""

    base: str = setting(_DN, "", "below which entry", usual=_OF_THE_INTEGRATION)
    scope: str = setting(_SCOPE, "", "how far below", usual=_OF_THE_INTEGRATION)
    filter: bytes = setting(_FILTER, b"", "which entries", usual=_OF_THE_INTEGRATION)


@dataclass(frozen=True, slots=True)
class BindKeys:
    """The log-in to a directory."""

    user: str = required(
        text(),
        "",
        "a DN; Active Directory also takes `engine@example.com` and `EXAMPLE\\engine`",
        example="'cn=engine,ou=services,dc=example,dc=com'",
    )
    password: str = required(secret(), "", "of that user", example="'${LDAP_PASSWORD}'")

    def check(self, section: Section, what: str) -> None:
        """Note an empty password: servers take it for an anonymous log-in, and say that all is well.

        RFC 4513, 5.1.2. A secret that cannot be read is empty too, and was noted itself.
        """
        # A variable that is not set has been named itself: one fault, one sentence.
        noted = any(one.line == section.line_of("password") for one in section.notes.problems)
        if section.has("password") and not self.password and not noted:
            section.note(
                "password", "the password is empty", "a log-in without password is anonymous: remove 'bind' for that"
            )


@dataclass(frozen=True, slots=True)
class LdapKeys(IntegrationKeys):
    """An integration with `provider: ldap`."""

    address: Place | None = required(
        server_address(("ldap", 389), ("ldaps", 636)),
        None,
        "`ldaps` is TLS from the first byte. Without a port: 389 and 636",
        example="ldaps://ldap.example.com",
    )
    start_tls: bool = setting(flag(), False, "with `ldap://`: go on within TLS before anything else is said")
    tls: TlsKeys | None = setting(
        nested(TlsKeys).called("[mapping](integrations.md#tls)"),
        None,
        "how the server proves who it is, with `ldaps://` or `start_tls`",
        usual="the system's authorities",
    )
    bind: BindKeys | None = setting(
        nested(BindKeys).called("[mapping](#bind)"), None, "the log-in", usual="none: anonymous"
    )
    base: str = required(_DN, "", "below which entry the records lie", example="'ou=people,dc=example,dc=com'")
    scope: str = setting(_SCOPE, "subtree", "the entry itself, those right below it, or all below it")
    filter: bytes = setting(_FILTER, ANYTHING, "which entries are records", usual="`(objectClass=*)`")
    per_model: Mapping[str, LdapModelKeys] = setting(
        mapping_of(nested(LdapModelKeys), "'{}' of 'per_model'").called(
            "mapping, model to [where it lies](#per_model)"
        ),
        {},
        "where the entries of one model lie, if elsewhere",
    )
    number_match: Literal["digits", "exact"] = setting(
        choice("digits", "exact"), "digits", "[how a caller's number is searched](#numbers)"
    )
    at_most: int = setting(whole(1, MOST_RECORDS, "entries"), 50, "so many of one search")
    time_limit_s: int = setting(
        whole(1, 60, "seconds"), 5, "that the server may search. What bounds the whole is the source's `timeout_s`"
    )
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, "how long connecting may take, TLS and log-in included"
    )

    def check(self, section: Section, what: str) -> None:
        """Note what cannot work together."""
        IntegrationKeys.check(self, section, what)
        _check_attributes(section, self)
        _check_tls(section, self)
        per_model = section.section("per_model")
        for name in self.per_model:
            if per_model is not None and name not in self.models:
                per_model.note(name, f"there is no model '{name}'", suggest(name, self.models))


def read_settings(section: Section, name: str, folder: Path | None = None) -> LdapSettings:
    """Read an integration's file whole."""
    keys = read(section, LdapKeys, f"the integration '{name}'")
    place = folder_of(section, folder)
    # With ldaps:// the connection is within TLS already; `check` has said that start_tls does nothing.
    begins = keys.start_tls and keys.address is not None and keys.address.scheme == "ldap"
    where = LdapModel(keys.base, keys.scope, keys.filter)
    return LdapSettings(
        server_at(section, keys.address, "ldaps", keys.tls, keys.connect_timeout_s, place),
        tls_context(section, keys.tls, place) if begins else None,
        keys.bind.user if keys.bind is not None else "",
        keys.bind.password if keys.bind is not None else "",
        where,
        {name: _where(one, where) for name, one in keys.per_model.items()},
        keys.number_match == "exact",
        keys.at_most,
        keys.time_limit_s,
    )


def _where(own: LdapModelKeys, usual: LdapModel) -> LdapModel:
    # Empty is "not written": a base, a scope and a filter are never empty themselves.
    return LdapModel(own.base or usual.base, own.scope or usual.scope, own.filter or usual.filter)


def _check_tls(section: Section, keys: LdapKeys) -> None:
    place = keys.address
    # An address that cannot be read says nothing about TLS: only what is known is judged.
    secure = place is not None and place.scheme == "ldaps"
    # TLS within TLS: no directory speaks it.
    if secure and keys.start_tls:
        section.note("start_tls", "'start_tls' does nothing with ldaps://", "remove it, or use ldap://")
    if not secure and not keys.start_tls:
        refuse_tls(section, "ldap:// without start_tls", "ldaps://")
    if keys.bind is None or place is None or secure or section.has("start_tls") or is_this_machine(place.host):
        return
    remedy = "use ldaps:// or start_tls: true; start_tls: false says that you want it so"
    section.note("bind", "the password would cross the network in the clear", remedy)


def _check_attributes(section: Section, keys: LdapKeys) -> None:
    """Note every field that is not an attribute's name, such as a JSONPath."""
    models = section.section("models")
    for name, model in keys.models.items():
        own = models.section(name) if models is not None else None
        fields = own.section("fields") if own is not None else None
        for ours, one in model.fields.items():
            if fields is not None and not ATTRIBUTE.match(one.field or ours):
                remedy = "write for example mail"
                fields.note(ours, f"'{one.field or ours}' is not an attribute of a directory", remedy)


KIND = ProviderKind(read_settings, late("ldap.provider:open_ldap"), keys=LdapKeys)
