"""The keys of an integration with `provider: http`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.http.auth import HttpAuth, read_auth
from routing_engine.providers.net.address import folder_of, read_address, read_tls, tls_context
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.settings.yaml_reader import Section

_MIB = 1024 * 1024


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
    max_answer_bytes: int = _MIB
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


def read_settings(section: Section, name: str, folder: Path | None = None) -> HttpSettings:
    """Take and close all keys of a middleware's integration; those of every integration were taken before."""
    check_paths(section)
    place = folder_of(section, folder)
    auth = read_auth(section, place)
    settings = HttpSettings(
        read_address(section, "address"),
        section.choice("method", ("GET", "POST"), "GET"),
        _read_parameters(section),
        section.whole("max_answer_bytes", _MIB, 1024, 64 * _MIB),
        auth,
        _read_tls(section, auth, place),
        section.number("connect_timeout_s", 1.5, 0.05, 60),
    )
    section.close(f"the integration '{name}'")
    _check_names(section, settings)
    return settings


def _read_tls(section: Section, auth: HttpAuth, folder: Path) -> ssl.SSLContext | None:
    verify, ca = read_tls(section, folder)
    own = auth.certificate
    if own is None:
        return tls_context(section, verify, ca, None) if ca or not verify else None
    return tls_context(section, verify, own.ca or ca, (own.certificate, own.key))


def _read_parameters(settings: Section) -> ParameterNames:
    section = settings.section("parameters")
    if section is None:
        return PRESETS["default"]
    preset = PRESETS[section.choice("preset", tuple(PRESETS), "default")]
    found = ParameterNames(*(_parameter(section, name, getattr(preset, name)) for name in _NAMES))
    section.close("'parameters'")
    return found


def _parameter(section: Section, name: str, default: str) -> str:
    if name in section.names() and not section.has(name):
        section.note(name, f"'{name}' has no value", f"write {name}: '' when it is not to be sent")
    return section.text(name, default)


def _check_names(section: Section, settings: HttpSettings) -> None:
    """Two parameters of one name would leave it to the middleware which one it believes."""
    names = [getattr(settings.parameters, name) for name in _NAMES]
    if settings.method == "GET":
        names += [name for name, _ in parse_qsl(urlsplit(settings.address).query, keep_blank_values=True)]
        names += [name for name, _ in settings.auth.query]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        section.note("parameters", f"the parameter '{name}' would be sent twice", "give each its own name")
