"""One request to a vendor's token address, and what its answer means (RFC 6749, 4 to 6)."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import aiohttp

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.providers.answers import read_json
from routing_engine.providers.net.http_wire import retry_after_s
from routing_engine.providers.oauth.assertion import sign_assertion
from routing_engine.providers.oauth.captured import read_captured
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import log_in_again

#: An answer that is lost may have replaced the refresh token: it is waited for longer than a look-up lasts.
PATIENCE_S = 30.0
_LONGEST = 65_536
#: A token address that asks to wait, but not how long.
_THROTTLED_S = 60.0
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: What is shown of a code from outside.
_CODE = re.compile(r"[A-Za-z0-9_ .-]{1,60}\Z")
#: Members that hold the code of an error, where vendors differ from RFC 6749.
_CODE_MEMBERS = ("error", "code", "errorCode", "status", "error_type")
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
    try:
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
        wait_s = retry_after_s(response.headers.get("Retry-After", ""), time.time())
        return response.status, wait_s, await response.content.read(_LONGEST)


def _failure(
    name: str, settings: OAuthSettings, status: int, wait_s: float | None, answer: object
) -> ProviderError | None:
    """Say what an answer without a token means; None when it has one. Some vendors refuse with status 200."""
    code = _code_of(answer) if status != 200 or _is_error(answer) else ""
    if status == 200 and not code:
        return None
    said = f"{name}: the token address answered with status {status}" + (f" ({code})" if _CODE.match(code) else "")
    if status == 429 or (status == 503 and wait_s is not None) or code in settings.plan.throttled:
        return ProviderThrottled(said, _THROTTLED_S if wait_s is None else wait_s)
    if status >= 500 or code in ("temporarily_unavailable", "server_error"):
        return ProviderUnreachable(said)
    if settings.by_person and code in settings.plan.revoked:
        return LoginRevoked(f"{name}: the log-in is no longer good ({_shown(code)}); {log_in_again(name)}", code)
    if code in settings.plan.revoked:
        return LoginRevoked(f"{name}: the token address refused us: {_WHO['invalid_grant'][0]}", code)
    if code in _WHO:
        sentence, theirs = _WHO[code]
        return ProviderRefused(f"{name}: the token address refused us ({code}): {sentence}", theirs)
    code = f" ({code})" if _CODE.match(code) else ""
    return ProviderRefused(f"{name}: the token address refused us with status {status}{code}")


def _shown(code: str) -> str:
    return code if _CODE.match(code) else "revoked"


def _is_error(answer: object) -> bool:
    return isinstance(answer, dict) and "access_token" not in answer and "error" in answer


def _code_of(answer: object) -> str:
    if not isinstance(answer, dict):
        return ""
    return next((code for key in _CODE_MEMBERS if isinstance(code := answer.get(key), str) and code), "")


def _granted(name: str, settings: OAuthSettings, answer: object, known: Mapping[str, str]) -> TokenGrant:
    if not isinstance(answer, dict):
        raise ProviderMisread(f"{name}: the token address answered without an access token")
    token, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise ProviderMisread(f"{name}: the token address answered without an access token")
    captured = read_captured(name, settings.plan, answer, known)
    lifetime_s = _seconds(answer.get("expires_in")) or settings.plan.lifetime_s
    return TokenGrant(token, refresh if isinstance(refresh, str) else "", captured, lifetime_s)


def _seconds(raw: object) -> float | None:
    """Read `expires_in`; some servers send it as text. None when it tells nothing."""
    try:
        found = float(raw) if isinstance(raw, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < 10**9 else None
