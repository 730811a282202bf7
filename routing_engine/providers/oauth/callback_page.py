"""Where the vendor sends the browser back to: one page on this machine, for as long as a log-in lasts."""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from aiohttp import web

from routing_engine.errors import ProviderError
from routing_engine.providers.oauth.login import ForeignCallback

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
    """Takes answers until one is ours. `stranger` hears of each that is not."""

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
