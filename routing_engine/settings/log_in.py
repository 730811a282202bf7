"""The section `log_in` of engine.yaml: how people prove who they are, and for how long that holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import choice, flag, matching, period, secret, text
from routing_engine.settings.yaml_reader import Section

#: What of a provider's answer names the person: the address of users.yaml, or its key.
PersonClaim: TypeAlias = Literal["email", "preferred_username"]
# Tokens in the clear are nobody's proof, but on this machine: tests, and a tunnel.
_ISSUER = re.compile(
    r"(https://[A-Za-z0-9.\-_\[\]:]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)(/[!-~]*)?\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class OidcKeys:
    """Log-in at a provider of OpenID Connect."""

    issuer: str = required(
        matching(_ISSUER, "'{}' is not an https address", "write it as the provider names itself", "https address"),
        "",
        "the provider, as it names itself; the rest is read from `/.well-known/openid-configuration` below it",
        example="https://login.example.com/realms/main",
    )
    client_id: str = required(text(), "", "what the provider calls this engine", example="routing-engine")
    client_secret: str = setting(
        secret(),
        "",
        "the secret that the provider has given",
        usual="none: the engine is a public client, which PKCE protects",
        example="'${OIDC_SECRET}'",
    )
    person: PersonClaim = setting(
        choice("email", "preferred_username"),
        "email",
        "what says who it is: `email` is held against `email` of users.yaml, `preferred_username` against its keys",
    )
    title: str = setting(text(), "", "what the button on the page says", example="Example Ltd.")


@dataclass(frozen=True, slots=True)
class LogInKeys:
    """How people log in."""

    password: bool = setting(flag(), True, "people may log in with a [password](cli.md#users)")
    oidc: OidcKeys | None = setting(
        nested(OidcKeys).called("[mapping](#oidc)"),
        None,
        "log-in at a provider of OpenID Connect",
        example="{issuer: 'https://login.example.com', client_id: routing-engine, client_secret: '${OIDC_SECRET}'}",
    )
    idle: float = setting(period(), 12 * 3600.0, "a log-in that nobody uses for so long is over", usual="`12h`")
    longest: float = setting(period(), 7 * 86_400.0, "and any log-in after so long", usual="`7d`")

    def check(self, section: Section, what: str) -> None:
        """Note a way in that is none."""
        if not self.password and self.oidc is None and not section.has("oidc"):
            section.note("password", f"{what}: nobody can log in", "remove password: false, or add oidc")
