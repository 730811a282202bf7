"""The conversation of `routing-engine integrations login` with a person and a browser."""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
import webbrowser
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp

from routing_engine.cli.common import misuse, paint
from routing_engine.errors import ProviderError, ProviderRefused
from routing_engine.providers.oauth.login import ForeignCallback, Login, landing, prepare_key
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import StoredToken, TokenStore

#: A redirect address at which we can listen ourselves.
_HERE = frozenset({"localhost", "127.0.0.1"})
_NO_REFRESH = (
    "The system gave no refresh token: log in again when this one ends. "
    "Where the vendor has a scope or a setting for it (offline access), allow it and log in again."
)


def log_in(name: str, settings: OAuthSettings, tls: ssl.SSLContext | None, options: argparse.Namespace) -> int:
    """Log in to the integration `name`; 1 when it did not work."""
    redirect = _redirect(settings.redirect_url, options.port)
    url = urlsplit(redirect)
    # Only this machine's own name leads a browser back to us; everything else is pasted.
    listens = url.scheme == "http" and url.hostname in _HERE and not options.paste
    if options.port and not listens:
        return misuse("--port needs a redirect_url at http://localhost, and no --paste")
    login = Login(name, settings, redirect)
    try:
        # Before anybody logs in: a token that could not be kept would be lost with the log-in.
        made = prepare_key(name, settings)
        kept = asyncio.run(_by_browser(login, tls, options.wait)) if listens else _by_paste(login, tls)
    except ProviderError as error:
        print(paint(f"not logged in: {error}", "bad"), file=sys.stderr)
        return 1
    except TimeoutError:
        print(paint(f"not logged in: nobody came back within {options.wait:g} seconds", "bad"), file=sys.stderr)
        return 1
    except OSError as error:
        remedy = f"end what listens at port {url.port}, use --port with one that the app knows too, or --paste"
        print(f"this machine cannot be listened at: {error.strerror or error}; {remedy}", file=sys.stderr)
        return 1
    _tell(login, kept, made)
    return 0


def _redirect(address: str, port: int) -> str:
    """Return the redirect address, with another port where one is wanted."""
    url = urlsplit(address)
    return url._replace(netloc=f"{url.hostname}:{port}").geturl() if port else address


async def _by_browser(login: Login, tls: ssl.SSLContext | None, wait_s: float) -> StoredToken:
    async with _session(tls) as session:
        found: list[StoredToken] = []

        async def take(answer: Mapping[str, str]) -> None:
            found.append(await login.finish(session, login.code_in(answer)))

        # It listens before the address is shown: a browser that is logged in already is back at once.
        async with landing(login.redirect_url, take, _warn) as page:
            _show(login)
            print("Waiting for the answer of your browser. Without a browser on this machine: --paste.", flush=True)
            # In a thread: some browsers return only when they are closed.
            await asyncio.to_thread(_open_browser, login.address())
            async with asyncio.timeout(wait_s):
                await page.done
        return found[0]


def _by_paste(login: Login, tls: ssl.SSLContext | None) -> StoredToken:
    """Read what is pasted. Not within the event loop: Ctrl-C could not end the waiting there."""
    _show(login)
    print(f"Log in there. You land on an address that begins with {login.redirect_url}; it need not show a page.")
    print("Paste that whole address here, or the code in it:", flush=True)
    # What is pasted wrongly costs a line, not the log-in.
    while line := sys.stdin.readline():
        try:
            code = login.code_pasted(line)
        except ForeignCallback:
            print(
                "That address belongs to another log-in. Open the address above, and paste where you land:", flush=True
            )
        else:
            return asyncio.run(_finish(login, tls, code))
    raise ProviderRefused(f"{login.name}: nothing was pasted")


async def _finish(login: Login, tls: ssl.SSLContext | None, code: str) -> StoredToken:
    async with _session(tls) as session:
        return await login.finish(session, code)


def _show(login: Login) -> None:
    print(f"Open this address, and log in as the user that the engine is to act for:\n\n{login.address()}\n")


def _warn(sentence: str) -> None:
    print(f"{sentence}: left out; still waiting", file=sys.stderr, flush=True)


def _open_browser(address: str) -> None:
    """Open the browser where there is a screen; one that runs in the terminal would take it away from us."""
    if os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} or sys.platform == "darwin":
        try:
            webbrowser.open(address)
        except webbrowser.Error:
            return  # the address is on the screen


def _session(tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # As the engine itself asks: no cookies, no proxy of some shell.
        connector=aiohttp.TCPConnector(ssl=tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _tell(login: Login, kept: StoredToken, made: str) -> None:
    settings = login.settings
    assert settings.folder is not None, "who logs in has a folder"
    print(paint(f"logged in to {login.name}", "good"))
    print(
        f"The tokens are in {TokenStore(login.name, settings.folder).path}, encrypted. A running engine takes them now."
    )
    if made:
        print(made)
    if not kept.refresh_token:
        ends = kept.expires_at and datetime.fromtimestamp(kept.expires_at).astimezone()
        print(f"{_NO_REFRESH} It ends {ends:%Y-%m-%d %H:%M}." if ends else _NO_REFRESH)
    print(f"See whether all is well: routing-engine integrations check {login.name}")
