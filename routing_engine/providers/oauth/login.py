"""The log-in that needs a person (RFC 6749, 4.1; PKCE, RFC 7636): the vendor's page, and what comes back from it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from aiohttp import web

from routing_engine.core.redact import one_line
from routing_engine.errors import ProviderError, ProviderRefused
from routing_engine.providers.oauth.client import PATIENCE_S, LoginRevoked, ask
from routing_engine.providers.oauth.refresh import kept_of
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import StoredToken, TokenStore, make_key

_LONGEST_SAID = 300
#: Error codes of RFC 6749, 4.1.2.1, as sentences.
_SENTENCES = {
    "access_denied": "somebody said no on the vendor's page, or may not allow this app",
    "invalid_request": "the vendor does not understand the request; look at the description of the provider",
    "invalid_scope": "the app may not have the scopes; the vendor's administrator must allow them",
    "server_error": "the vendor's server failed; try again later",
    "temporarily_unavailable": "the vendor's server is busy; try again later",
    "unauthorized_client": "this app may not log in this way; the vendor's administrator must allow it",
    "unsupported_response_type": "this app may not log in this way; the vendor's administrator must allow it",
}


class ForeignCallback(Exception):
    """An answer that does not belong to this log-in: an old one, or a hostile one. It changes nothing."""


@dataclass(frozen=True, slots=True)
class Login:
    """One log-in under way. `redirect_url` is where the vendor sends the browser with the code."""

    name: str
    settings: OAuthSettings
    redirect_url: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    def address(self) -> str:
        """Return the address of the vendor's page."""
        plan = self.settings.plan
        scopes = plan.scope_separator.join(plan.scopes.get(self.settings.grant, ()))
        pairs = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_url,
            "state": self.state,
            **({"scope": scopes} if scopes else {}),
            **({"code_challenge": self._challenge(), "code_challenge_method": "S256"} if plan.pkce else {}),
            **dict(plan.authorize),
        }
        joint = "&" if urlsplit(plan.authorize_url).query else "?"
        return plan.authorize_url + joint + urlencode(pairs)

    def _challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def code_in(self, answer: Mapping[str, str]) -> str:
        """Return the code that came back. Raises `ForeignCallback`, and `ProviderRefused` when the vendor says no."""
        if not hmac.compare_digest(answer.get("state", "").encode(), self.state.encode()):
            raise ForeignCallback("this answer does not belong to this log-in")
        if "error" in answer:
            raise ProviderRefused(f"{self.name}: {_said(answer)}", theirs=True)
        if not answer.get("code"):
            raise ProviderRefused(f"{self.name}: the vendor's page sent no code back", theirs=True)
        return answer["code"]

    def code_pasted(self, text: str) -> str:
        """Return the code of what was pasted: the address landed on, what stands behind its `?`, or the code alone."""
        text = "".join(text.split())
        query = urlsplit(text).query if "://" in text else text.lstrip("?")
        answer = dict(parse_qsl(query))
        if "code" in answer or "error" in answer or "state" in answer:
            return self.code_in(answer)
        if not text or "://" in text:
            raise ProviderRefused(f"{self.name}: there is no code in what was pasted")
        return text

    async def finish(self, session: aiohttp.ClientSession, code: str) -> StoredToken:
        """Change the code into tokens, and keep them. Raises `ProviderError`."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_url}
        if self.settings.plan.pkce:
            form["code_verifier"] = self.verifier
        try:
            granted = await ask(self.name, self.settings, session, form, {})
        except LoginRevoked as error:
            what = "the code has expired: it can be used once, for about a minute"
            raise ProviderRefused(f"{self.name}: {what} ({error.code}); log in again") from None
        kept = kept_of(self.settings, granted, time.time())
        async with self._store().locked(PATIENCE_S):
            self._store().write(kept)
        return kept

    def _store(self) -> TokenStore:
        assert self.settings.folder is not None, "who logs in has a folder"
        return TokenStore(self.name, self.settings.folder, self.settings.key)


def prepare_key(name: str, settings: OAuthSettings) -> str:
    """See to it that there is a key for the tokens; return the sentence on a new one, "" when there was one."""
    assert settings.folder is not None, "who logs in has a folder"
    try:
        path = make_key(settings.folder, settings.key)
    except OSError as error:
        what = f"no key for the tokens can be written below {settings.folder}: {error.strerror}"
        raise ProviderRefused(f"{name}: {what}; run this as the engine's user") from None
    return (
        "" if path is None else f"A new key for the tokens is in {path}. Keep a copy: without it nobody can read them."
    )


def _said(answer: Mapping[str, str]) -> str:
    """Say what an error that came back means. It came from outside: nothing in it moves a terminal's cursor."""
    code, more = _clean(answer["error"]), _clean(answer.get("error_description", ""))
    sentence = _SENTENCES.get(code, "the vendor's page answered with an error")
    return f"{sentence} ({code}{': ' if more else ''}{more})"


def _clean(text: str) -> str:
    return one_line(text)[:_LONGEST_SAID].strip()


#: The page carries nothing that a browser would run or send on, whatever an answer held.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = "<!doctype html><meta charset=utf-8><title>Routing Engine</title><h1>{title}</h1><p>{text}</p>"
_DONE = "You are logged in", "You can close this window and go back to the terminal."

#: Does with an answer what is to be done; raises `ForeignCallback` or `ProviderError`.
Take = Callable[[Mapping[str, str]], Awaitable[None]]


class CallbackPage:
    """Takes answers until one is ours. `stranger` is called for each that is not."""

    def __init__(self, path: str, take: Take, stranger: Callable[[str], None]) -> None:
        self._path, self._take, self._stranger = path, take, stranger
        self._busy = asyncio.Lock()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a browser."""
        if request.method != "GET" or request.path != self._path:
            return _page(404, "Nothing is here", "This page is for the answer to a log-in only.")
        async with self._busy:
            if self.done.done():
                return _page(410, "This log-in is over", "Go back to the terminal.")
            return await self._answer(dict(request.query))

    async def _answer(self, answer: Mapping[str, str]) -> web.Response:
        try:
            await self._take(answer)
        except ForeignCallback as error:
            self._stranger(str(error))
            return _page(400, "This is another log-in", "Go back to the terminal, and open the address it shows.")
        except ProviderError as error:
            self.done.set_exception(error)
            return _page(400, "You are not logged in", str(error))
        self.done.set_result(None)
        return _page(200, *_DONE)


def _page(status: int, title: str, text: str) -> web.Response:
    body = _PAGE.format(title=html.escape(title), text=html.escape(text))
    return web.Response(status=status, text=body, content_type="text/html", headers=_HEADERS)


@contextlib.asynccontextmanager
async def landing(redirect_url: str, take: Take, stranger: Callable[[str], None]) -> AsyncIterator[CallbackPage]:
    """Listen on this machine, and nowhere else, at the port and path of `redirect_url`. Raises `OSError`."""
    url = urlsplit(redirect_url)
    page = CallbackPage(url.path or "/", take, stranger)
    runner = web.ServerRunner(web.Server(page.handle, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", url.port or 80).start()
        with contextlib.suppress(OSError):  # browsers may know `localhost` as ::1; a machine may have no IPv6
            await web.TCPSite(runner, "::1", url.port or 80).start()
        yield page
    finally:
        await runner.cleanup()
