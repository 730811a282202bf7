"""One request to a vendor's token address, and what its answer means (RFC 6749, 4 to 6).

With a token come values, such as the address of the customer's own server: they are taken only where they may lead.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import aiohttp
from yarl import URL

from routing_engine.core.model import Json
from routing_engine.core.pace import paced
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.answers.outcome import error_of, outcome_of_status
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.net.address import HERE
from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import log_in_again
from routing_engine.retry_after import seconds_until

#: An answer that is lost may have replaced the refresh token: it is waited for longer than a look-up lasts.
PATIENCE_S = 30.0
_LONGEST, _LONGEST_VALUE = 65_536, 4096
#: A token address that asks to wait, but not how long.
_THROTTLED_S = 60.0
#: Salesforce takes no assertion that lives longer than five minutes; clocks may differ by some.
_LIFETIME_S = 180
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: What may be, or may be used as, an address: a scheme, a path, or a name with a dot in it.
_LIKE_AN_ADDRESS = re.compile(r"[^\s@]*(://|[/\\]|\.)")
_BARE_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\Z")
#: What is shown of a code from outside.
_CODE = re.compile(r"[A-Za-z0-9_ .-]{1,60}\Z")
#: Members that hold the code of an error, where vendors differ from RFC 6749.
_CODE_MEMBERS = ("error", "code", "errorCode", "status", "error_type")
#: Codes of a server that does not work now (RFC 6749 has them for the page of a log-in; vendors answer so here too).
_DOWN = frozenset({"temporarily_unavailable", "server_error"})
#: What an administrator can do about a code of RFC 6749, 5.2; whether it is the vendor's.
_WHO = {
    "invalid_client": ("the client_id and client_secret are not accepted; look at 'auth' of the integration", False),
    "invalid_grant": ("what we prove ourselves with is not accepted; look at 'auth' of the integration", False),
    "unauthorized_client": ("this app may not log in this way; the vendor's administrator must allow the grant", True),
    "unsupported_grant_type": ("this way to log in is switched off; the vendor's administrator must allow it", True),
    "invalid_scope": ("this app may not have the scopes; the vendor's administrator must allow them", True),
    "access_denied": ("access was denied; the vendor's administrator must allow it", True),
}


class LoginRevoked(ProviderRefused):
    """The refresh token or the code is no longer good. `code` is the vendor's word for it."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token, what was captured with it, and how long it lives (None: until it is refused)."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    lifetime_s: float | None


def form_of(settings: OAuthSettings, refresh_token: str = "", now: Callable[[], float] = time.time) -> dict[str, str]:
    """Return the form that asks for a token: by `refresh_token`, else by the grant that needs no person."""
    if refresh_token:
        return {"grant_type": "refresh_token", "refresh_token": refresh_token}
    scopes = settings.plan.scope_separator.join(settings.plan.scopes.get(settings.grant, ()))
    form = {"scope": scopes} if scopes else {}
    if settings.grant == "jwt_bearer":
        audience = settings.audience or settings.plan.token_url
        signed = sign_assertion(settings.private_key, settings.client_id, settings.user, audience, now())
        return {"grant_type": _JWT_BEARER, "assertion": signed} | form
    if settings.grant == "password":
        return {"grant_type": "password", "username": settings.username, "password": settings.password} | form
    return {"grant_type": "client_credentials"} | form


async def ask(
    name: str,
    settings: OAuthSettings,
    session: aiohttp.ClientSession,
    form: Mapping[str, str],
    known: Mapping[str, str],
) -> TokenGrant:
    """Ask for a token. `known` are the captured values so far: an answer may leave them out. Raises `ProviderError`."""
    await paced()
    try:
        # Not the look-up's own time: whoever hangs up must not lose a refresh token that was used.
        async with asyncio.timeout(PATIENCE_S):
            status, wait_s, body = await _send_twice(settings, session, form)
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        # Not chained: the error may hold what was sent.
        raise ProviderUnreachable(f"{name}: the token address does not answer") from None
    try:
        answer = read_json(body)
    except ValueError:
        answer = None
    failed = _failure(name, settings, status, wait_s, answer)
    if failed is not None:
        raise failed
    return _granted(name, settings, answer, known)


async def _send_twice(
    settings: OAuthSettings, session: aiohttp.ClientSession, form: Mapping[str, str]
) -> tuple[int, float | None, bytes]:
    """Send a request, and once more when the connection was kept alive and the server had closed it meanwhile."""
    try:
        return await _send(settings, session, form)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        return await _send(settings, session, form)


async def _send(
    settings: OAuthSettings, session: aiohttp.ClientSession, form: Mapping[str, str]
) -> tuple[int, float | None, bytes]:
    plan, headers = settings.plan, {"Accept": "application/json"}
    # Ours last: a description cannot replace the grant or the code.
    whole = dict(plan.token) | dict(form)
    # An app without a secret says its id in the form (RFC 6749, 3.2.1), and an assertion is a proof itself.
    if plan.client_in == "header" and settings.client_secret and settings.grant != "jwt_bearer":
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        whole["client_id"] = settings.client_id
        if settings.client_secret:
            whole["client_secret"] = settings.client_secret
    json_body = json.dumps(whole).encode() if plan.body == "json" else None
    if json_body is not None:
        headers["Content-Type"] = "application/json"
    async with session.post(
        plan.token_url, data=json_body or whole, headers=headers, allow_redirects=False
    ) as response:
        wait_s = seconds_until(response.headers.get("Retry-After", ""), time.time())
        return response.status, wait_s, await response.content.read(_LONGEST)


def _failure(
    name: str, settings: OAuthSettings, status: int, wait_s: float | None, answer: Json
) -> ProviderError | None:
    """Return what an answer without a token means; None when it has one. Some vendors refuse with status 200."""
    code = _code_of(answer) if status != 200 or _is_error(answer) else ""
    if status == 200 and not code:
        return None
    outcome, shown = outcome_of_status(status, wait_s is not None), code if _CODE.match(code) else ""
    if outcome == "throttled" or code in settings.plan.throttled:
        wait_s = _THROTTLED_S if wait_s is None else wait_s
        return error_of("throttled", f"{name}: the token address", status, shown, wait_s)
    if outcome in ("again", "down") or code in _DOWN:
        return error_of("down", f"{name}: the token address", status, shown)
    return _refusal(name, settings, status, code, shown)


def _refusal(name: str, settings: OAuthSettings, status: int, code: str, shown: str) -> ProviderRefused:
    if code in settings.plan.revoked and settings.by_person:
        return LoginRevoked(f"{name}: the log-in is no longer good ({shown or 'revoked'}); {log_in_again(name)}", code)
    if code in settings.plan.revoked:
        return LoginRevoked(f"{name}: the token address refused us: {_WHO['invalid_grant'][0]}", code)
    if code in _WHO:
        sentence, theirs = _WHO[code]
        return ProviderRefused(f"{name}: the token address refused us ({code}): {sentence}", theirs)
    return ProviderRefused(f"{name}: the token address refused us with status {status}{f' ({shown})' if shown else ''}")


def _is_error(answer: Json) -> bool:
    return isinstance(answer, dict) and "access_token" not in answer and "error" in answer


def _code_of(answer: Json) -> str:
    if not isinstance(answer, dict):
        return ""
    return next((code for key in _CODE_MEMBERS if isinstance(code := answer.get(key), str) and code), "")


def _granted(name: str, settings: OAuthSettings, answer: Json, known: Mapping[str, str]) -> TokenGrant:
    if not isinstance(answer, dict):
        raise ProviderMisread(f"{name}: the token address answered without an access token")
    # Some vendors answer 200 with an error page of JSON: only a token is a success.
    token, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise ProviderMisread(f"{name}: the token address answered without an access token")
    captured = read_captured(name, settings.plan, answer, known)
    lifetime_s = _seconds(answer.get("expires_in")) or settings.plan.lifetime_s
    return TokenGrant(token, refresh if isinstance(refresh, str) else "", captured, lifetime_s)


def _seconds(raw: Json) -> float | None:
    """Read `expires_in`; some servers send it as text. None when it tells nothing."""
    try:
        found = float(raw) if isinstance(raw, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < 10**9 else None


# ------------------------------------------------------------------------- values that come with a token


def read_captured(
    name: str, plan: OAuthPlan, answer: Mapping[str, Json], known: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the captured values of a token answer; one that it leaves out stays as it is `known`.

    Raises `ProviderRefused` for an address that is not on the plan's hosts: our credentials would be sent there.
    """
    found = {}
    for ours, theirs in plan.capture:
        raw = answer.get(theirs)
        # A renewal may leave out what the first answer said: what is known stays.
        text = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else known.get(ours, "")
        if not text or len(text) > _LONGEST_VALUE or not (text.isascii() and text.isprintable()):
            raise ProviderMisread(f"{name}: the token address answered without '{theirs}'")
        if _LIKE_AN_ADDRESS.match(text) and not may_lead_to(text, plan.hosts):
            raise ProviderRefused(f"{name}: '{theirs}' of the token address leads to a host that is not allowed")
        found[ours] = text
    return found


def still_fits(plan: OAuthPlan, values: Mapping[str, str]) -> bool:
    """Return whether values that were captured before are those of this plan, and may still be used."""
    if set(values) != {ours for ours, _ in plan.capture}:
        return False
    return all(not _LIKE_AN_ADDRESS.match(text) or may_lead_to(text, plan.hosts) for text in values.values())


def looks_like_address(text: str) -> bool:
    """Return whether a value may be, or may be used as, an address: it needs a look at the hosts."""
    return _LIKE_AN_ADDRESS.match(text) is not None


def may_lead_to(address: str, hosts: Iterable[str]) -> bool:
    """Return whether an address, or the bare name of a host, is on one of `hosts` (`*.example.com`) and uses TLS."""
    if _BARE_HOST.match(address):
        return _on(address.lower(), hosts)
    try:
        url = URL(address)
        host, port = (url.host or "").lower(), url.port
    except ValueError:
        return False
    if url.user is not None or url.password is not None or "\\" in address or not _on(host, hosts):
        return False
    return (url.scheme == "https" and port == 443) or (host in HERE and url.scheme in ("http", "https"))


def may_be_asked(url: URL, written: str, hosts: Iterable[str]) -> bool:
    """Return whether an address with captured values in the part that names its server may be asked.

    The server must be on one of `hosts`, with TLS and the usual port, unless the description has `written` it so.
    """
    host, port = (url.host or "").lower(), url.explicit_port
    if url.user is not None or url.password is not None or not _on(host, hosts):
        return False
    usual = port is None or url.is_default_port() or f":{port}" in written
    return host in HERE or (usual and (url.scheme == "https" or written.startswith("http://")))


def _on(host: str, hosts: Iterable[str]) -> bool:
    return any(host == one.lower() or (one.startswith("*.") and host.endswith(one[1:].lower())) for one in hosts)


# ----------------------------------------------------------------------------------- a signed assertion


def sign_assertion(pem: str, client_id: str, user: str, audience: str, now: float) -> str:
    """Return a JSON Web Token (RFC 7523, RS256): the app `client_id` acts for `user`, until three minutes after `now`.

    `pem` is a key that `settings.is_signing_key` takes; `now` is the Unix time.
    """
    import jwt  # late: few sites sign anything

    claims = {"iss": client_id, "sub": user, "aud": audience, "iat": int(now), "exp": int(now) + _LIFETIME_S}
    return jwt.encode({**claims, "jti": secrets.token_hex(16)}, pem, algorithm="RS256")
