"""Log-in at a provider of OpenID Connect: authorization code with PKCE, state and nonce; what comes back is verified.

OpenID Connect Core 1.0, section 3.1, and Discovery 1.0; OAuth 2.0 Security Best Current Practice (RFC 9700). What is
needed to come back lies encrypted in the browser, so that strangers fill no memory of ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote_plus

import aiohttp
from yarl import URL

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.core.ports import Clock
from routing_engine.errors import RoutingEngineError
from routing_engine.settings.log_in import OidcKeys
from routing_engine.settings.people import User

if TYPE_CHECKING:  # late: see below
    from jwt import PyJWK

#: So long somebody may take at the provider.
LATEST_S = 600
#: Signed with a key of the provider's alone: with a secret that both know, or none, anybody could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_NEEDED = ["iss", "sub", "aud", "exp", "iat"]
#: Clocks of two machines differ by so much.
_LEEWAY_S = 60
_KEPT_S, _KEYS_AGAIN_S = 3600.0, 60.0
_PATIENCE_S, _MOST_BYTES = 10.0, 512 * 1024
_SAFE = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])(:|/|\Z)")
#: Why nobody is logged in: the provider, or what it said; nobody (or several) of users.yaml; too late, or elsewhere.
OidcFault: TypeAlias = Literal["oidc_failed", "oidc_unknown", "oidc_late"]


class OidcRefused(RoutingEngineError):
    """Somebody who came back is not let in. The sentence is for the log; it quotes nothing that was sent."""

    def __init__(self, fault: OidcFault, why: str) -> None:
        self.fault: OidcFault = fault
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What must fit when somebody comes back. It lies in that browser, encrypted."""

    issuer: str
    state: str
    nonce: str
    verifier: str
    redirect: str


@dataclass(frozen=True, slots=True)
class _Provider:
    """What a provider says of itself, and when it was asked."""

    authorize: str
    token: str
    userinfo: str
    keys_at: str
    by_header: bool
    at: float


class OidcClient:
    """Sends people to a provider, and finds out who comes back. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Clock) -> None:
        from cryptography.fernet import Fernet  # late: sites with passwords alone sign and encrypt nothing

        self._clock = clock
        self._box = Fernet(Fernet.generate_key())
        self._providers: dict[str, _Provider] = {}
        self._keys: dict[str, tuple[float, JsonObject]] = {}
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            await self._http.close()

    async def begin(self, settings: OidcKeys, redirect: str) -> tuple[str, str]:
        """Return where the browser goes, and what it keeps meanwhile. Raises `OidcRefused`."""
        provider = await self._provider(settings)
        way = OnTheWay(settings.issuer, _random(), _random(), secrets.token_urlsafe(48), redirect)
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect,
            "scope": "openid email profile",
            "state": way.state,
            "nonce": way.nonce,
            "code_challenge": _challenge(way.verifier),
            "code_challenge_method": "S256",
        }
        address = URL(provider.authorize).update_query(asked)
        return str(address), self._box.encrypt(json.dumps(asdict(way)).encode()).decode()

    async def finish(self, settings: OidcKeys, answer: Mapping[str, str], kept: str) -> JsonObject:
        """Return the claims about who came back with an answer of the provider. Raises `OidcRefused`."""
        way = self._way(kept)
        if way.issuer != settings.issuer or not hmac.compare_digest(way.state, answer.get("state", "")):
            raise OidcRefused("oidc_late", "the answer belongs to no log-in of this browser")
        # RFC 9207: the answer of another provider must not be taken for this one's.
        if answer.get("iss", settings.issuer) != settings.issuer:
            raise OidcRefused("oidc_failed", "the answer is another provider's")
        code = answer.get("code", "")
        if not code:
            raise OidcRefused("oidc_failed", "the provider let nobody in")
        provider = await self._provider(settings)
        tokens = await self._tokens(settings, provider, code, way)
        claims = await self._verified(settings, provider, _word(tokens, "id_token"), way.nonce)
        if settings.person in claims or not provider.userinfo:
            return claims
        return {**claims, **await self._more(provider, _word(tokens, "access_token"), claims)}

    def _way(self, kept: str) -> OnTheWay:
        from cryptography.fernet import InvalidToken  # late: as above

        try:
            found = json.loads(self._box.decrypt(kept.encode(), ttl=LATEST_S))
            return OnTheWay(**found)
        except (InvalidToken, ValueError, TypeError):
            raise OidcRefused("oidc_late", "nobody is on the way in this browser") from None

    # ------------------------------------------------------------------------------------- the provider

    async def _provider(self, settings: OidcKeys) -> _Provider:
        known = self._providers.get(settings.issuer)
        if known is not None and self._clock() - known.at < _KEPT_S:
            return known
        said = await self._asked("GET", settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != settings.issuer:
            raise OidcRefused("oidc_failed", "the provider calls itself otherwise than 'issuer' does")
        methods = said.get("token_endpoint_auth_methods_supported")
        by_header = not isinstance(methods, list) or "client_secret_basic" in methods
        found = _Provider(
            _address(said, "authorization_endpoint"),
            _address(said, "token_endpoint"),
            _address(said, "userinfo_endpoint") if said.get("userinfo_endpoint") else "",
            _address(said, "jwks_uri"),
            by_header,
            self._clock(),
        )
        self._providers = {settings.issuer: found}
        return found

    async def _tokens(self, settings: OidcKeys, provider: _Provider, code: str, way: OnTheWay) -> JsonObject:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": way.redirect,
            "code_verifier": way.verifier,
        }
        headers = {}
        if settings.client_secret and provider.by_header:
            headers = {"Authorization": _basic(settings.client_id, settings.client_secret)}
        else:
            form["client_id"] = settings.client_id
            form |= {"client_secret": settings.client_secret} if settings.client_secret else {}
        return await self._asked("POST", provider.token, headers, form)

    async def _verified(self, settings: OidcKeys, provider: _Provider, token: str, nonce: str) -> JsonObject:
        """Return the claims of an ID token. Raises `OidcRefused` for one that is not the provider's, or not for us."""
        import jwt  # late: few sites have a provider

        try:
            head = jwt.get_unverified_header(token)
            key = await self._key(provider, str(head.get("kid", "")))
            claims: JsonObject = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=settings.client_id,
                issuer=settings.issuer,
                leeway=_LEEWAY_S,
                options={"require": _NEEDED},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise OidcRefused("oidc_failed", f"its token does not hold: {type(error).__name__}") from None
        party = claims.get("azp", settings.client_id)
        if party != settings.client_id or not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise OidcRefused("oidc_failed", "its token was made for another log-in")
        return claims

    async def _key(self, provider: _Provider, name: str) -> PyJWK:
        from jwt import PyJWKSet  # late: as above

        at, said = self._keys.get(provider.keys_at, (0.0, {}))
        # A key that is not known may be a new one; asked for again at most once a minute, whoever makes up names.
        known = [one.get("kid") for one in _objects(said.get("keys"))]
        if not said or self._clock() - at > _KEPT_S or (name not in known and self._clock() - at > _KEYS_AGAIN_S):
            said = await self._asked("GET", provider.keys_at)
            self._keys = {provider.keys_at: (self._clock(), said)}
        every = PyJWKSet.from_dict(said).keys
        found = [one for one in every if one.key_id == name or (not name and len(every) == 1)]
        if not found:
            raise OidcRefused("oidc_failed", "its token is signed with a key that it does not name")
        return found[0]

    async def _more(self, provider: _Provider, token: str, claims: JsonObject) -> JsonObject:
        said = await self._asked("GET", provider.userinfo, {"Authorization": f"Bearer {token}"})
        # Core, 5.3.2: of somebody else they must not be used.
        if said.get("sub") != claims.get("sub"):
            raise OidcRefused("oidc_failed", "the provider told of somebody else")
        return {name: said[name] for name in ("email", "email_verified", "preferred_username") if name in said}

    async def _asked(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, form: dict[str, str] | None = None
    ) -> JsonObject:
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            async with self._session().request(
                method, address, headers=sent, data=form, allow_redirects=False
            ) as answer:
                body = await answer.content.read(_MOST_BYTES)
                found = json.loads(body) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            raise OidcRefused("oidc_failed", f"the provider does not answer: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise OidcRefused("oidc_failed", f"the provider answered {answer.status}")
        return found

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(_PATIENCE_S)
            )
        return self._http


def person_of(settings: OidcKeys, claims: JsonObject, users: Mapping[str, User]) -> User:
    """Return whom the claims are about. Raises `OidcRefused` for nobody, and for several."""
    said = claims.get(settings.person)
    if not isinstance(said, str) or not said:
        raise OidcRefused("oidc_unknown", f"the provider does not tell '{settings.person}'")
    if settings.person == "preferred_username":
        found = [users[said]] if said in users else []
    else:
        # What somebody has typed into a profile proves nothing.
        if claims.get("email_verified", True) is not True:
            raise OidcRefused("oidc_unknown", "the provider has not verified the e-mail address")
        found = [one for one in users.values() if one.email and one.email.casefold() == said.casefold()]
    if len(found) != 1:
        raise OidcRefused("oidc_unknown", "nobody, or more than one, of users.yaml is that person")
    return found[0]


def _address(said: JsonObject, name: str) -> str:
    found = _word(said, name)
    if not _SAFE.match(found):
        raise OidcRefused("oidc_failed", f"'{name}' of the provider is no https address")
    return found


def _word(said: JsonObject, name: str) -> str:
    found = said.get(name)
    if not isinstance(found, str) or not found:
        raise OidcRefused("oidc_failed", f"the provider's answer has no '{name}'")
    return found


def _objects(value: JsonValue) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _basic(name: str, secret: str) -> str:
    # RFC 6749, 2.3.1: both are encoded as in a form first.
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()


def _random() -> str:
    return secrets.token_urlsafe(24)


def _challenge(verifier: str) -> str:
    """Return the challenge of PKCE (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
