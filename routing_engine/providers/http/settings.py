"""The keys of an integration with `provider: http`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.http.auth import AuthKeys, HttpAuth, auth_of
from routing_engine.providers.kind import ProviderKind, late
from routing_engine.providers.net.address import MAX_ANSWER, MIB, WEB_ADDRESS, WEB_EXAMPLE, remark_clear_web
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.settings.integration import IntegrationKeys, folder_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.tls import CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, TlsKeys, context_or_usual, tls_context
from routing_engine.settings.value_types import choice, text, word_or
from routing_engine.settings.yaml_reader import Section


@dataclass(frozen=True, slots=True)
class ParameterNames:
    """The names under which the four values are sent; "" is not sent."""

    customer_id: str = "customer_id"
    field_name: str = "field_name"
    customer_input: str = "customer_input"
    customer_input_field_name: str = "customer_input_field_name"


#: `default` are the names of PBXware 8's Routing Integrations. `legacy` stands for its button "Reset to Legacy Routing
#: (voice)": the vendor's page with those names is lost to us. What is known of the legacy kind is that it looked for
#: one customer by one number, so `legacy` sends the caller's number alone, as `customer_id`.
PRESETS: Mapping[str, ParameterNames] = {
    "default": ParameterNames(),
    "legacy": ParameterNames(field_name="", customer_input="", customer_input_field_name=""),
}
_NAMES = ("customer_id", "field_name", "customer_input", "customer_input_field_name")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What an administrator wrote about a middleware. `tls` is None for the system's authorities.

    `connect_timeout_s` bounds the connecting alone; what bounds the whole is the source's `timeout_s`.
    """

    address: str = field(repr=False)
    method: str = "GET"
    parameters: ParameterNames = ParameterNames()
    max_answer_bytes: int = MIB
    auth: HttpAuth = field(default_factory=HttpAuth)
    tls: ssl.SSLContext | None = None
    connect_timeout_s: float = 1.5

    @property
    def oauth(self) -> OAuthSettings | None:
        """The OAuth2 in use; None when there is none."""
        return self.auth.oauth

    @property
    def auth_way(self) -> str:
        """How we prove who we are, in the words of `auth`."""
        return self.auth.way


_NAME = text("name, or `''`")


@dataclass(frozen=True, slots=True)
class ParameterKeys:
    """The names of what is sent; None is as the preset has it."""

    preset: str = setting(
        choice(*PRESETS),
        "default",
        "the names where this section gives none. `legacy` sends `customer_id` alone",
    )
    customer_id: str | None = setting(_NAME, None, "the number that calls", usual="`customer_id`")
    field_name: str | None = setting(_NAME, None, "the fields we want, with commas", usual="`field_name`")
    customer_input: str | None = setting(
        _NAME, None, "the value that is searched, unless that is the number that calls", usual="`customer_input`"
    )
    customer_input_field_name: str | None = setting(
        _NAME, None, "the field to search it in", usual="`customer_input_field_name`"
    )

    def check(self, section: Section, what: str) -> None:
        """Note a name without a value: to send nothing is written out."""
        for name in _NAMES:
            if name in section.names() and not section.has(name):
                section.note(name, f"'{name}' has no value", f"write {name}: '' when it is not to be sent")

    @property
    def names(self) -> ParameterNames:
        """The names that are sent."""
        # A preset is where a section begins; every name may be written over it.
        usual = PRESETS[self.preset]
        return ParameterNames(
            usual.customer_id if self.customer_id is None else self.customer_id,
            usual.field_name if self.field_name is None else self.field_name,
            usual.customer_input if self.customer_input is None else self.customer_input,
            usual.customer_input_field_name
            if self.customer_input_field_name is None
            else self.customer_input_field_name,
        )


@dataclass(frozen=True, slots=True)
class HttpKeys(IntegrationKeys):
    """An integration with `provider: http`."""

    address: str = required(WEB_ADDRESS, "", "where to ask. ASCII, no user in it, no `#`", example=WEB_EXAMPLE)
    method: str = setting(choice("GET", "POST"), "GET", "parameters in the query, or as a JSON object in the body")
    parameters: ParameterKeys = setting(
        nested(ParameterKeys).called("[mapping](#parameters)"),
        ParameterKeys(),
        "the names of what is sent",
        usual="the preset `default`",
    )
    max_answer_bytes: int = setting(MAX_ANSWER, MIB, "a larger answer is an error")
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT,
        CONNECT_TIMEOUT_S,
        "how long connecting may take, TLS included. What bounds the whole is the source's `timeout_s`",
    )
    auth: AuthKeys = setting(
        word_or("none", AuthKeys(), nested(AuthKeys)).called("[mapping](#auth), or `none`"),
        AuthKeys(),
        "how the engine proves who it is",
        usual="`none`",
    )
    tls: TlsKeys | None = setting(
        nested(TlsKeys).called("[mapping](#tls)"),
        None,
        "how the server proves who it is",
        usual="the system's authorities",
    )

    def check(self, section: Section, what: str) -> None:
        """Note paths that cannot be compiled, and two parameters of one name: which one would be believed?"""
        IntegrationKeys.check(self, section, what)
        check_paths(section, self.models)
        names = [getattr(self.parameters.names, name) for name in _NAMES]
        # A body and a query are different places: with POST nothing can collide.
        if self.method == "GET":
            names += [name for name, _ in parse_qsl(urlsplit(self.address).query, keep_blank_values=True)]
            names += [self.auth.api_key.name] if self.auth.api_key and self.auth.api_key.in_ == "query" else []
        for name in sorted({name for name in names if name and names.count(name) > 1}):
            section.note("parameters", f"the parameter '{name}' would be sent twice", "give each its own name")


def read_settings(section: Section, name: str, folder: Path | None = None) -> HttpSettings:
    """Read an integration's file whole."""
    keys, place = read(section, HttpKeys, f"the integration '{name}'"), folder_of(section, folder)
    auth = auth_of(keys.auth, place)
    if keys.auth != AuthKeys():
        remark_clear_web(section, "address", keys.address)
    return HttpSettings(
        keys.address,
        keys.method,
        keys.parameters.names,
        keys.max_answer_bytes,
        auth,
        _context(section, keys.tls, auth, place),
        keys.connect_timeout_s,
    )


def _context(section: Section, tls: TlsKeys | None, auth: HttpAuth, folder: Path) -> ssl.SSLContext | None:
    # One context for both: who we are, and who signed the server's certificate.
    own = auth.certificate
    if own is None:
        return context_or_usual(section, tls, folder)
    return tls_context(section, tls, folder, (own.certificate, own.key), own.ca)


KIND = ProviderKind(read_settings, late("http.provider:open_http"), keys=HttpKeys)
