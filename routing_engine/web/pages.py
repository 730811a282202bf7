"""The pages: static files that `pages/build` has made, for whoever asks. What they show comes from the API, by rights.

Nothing is loaded from elsewhere, and nothing runs that is written into the page: the content security policy says so.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
#: The addresses that all show the one page, which looks at its address itself.
_PAGE = re.compile(r"/(?:log-in|settings|calls(?:/[^/]{1,200})?)?\Z")
_HASHED = re.compile(r"-[A-Z0-9]{8}\.\w+\Z")
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class _File:
    """One file, as it is sent."""

    body: bytes
    packed: bytes
    headers: Mapping[str, str]


class Pages:
    """Serves the page and its files from memory.

    `frames` are the sites that may show it in a frame, `servers` the WebSocket addresses of PBXs whose telephone it is.
    """

    def __init__(self, frames: Sequence[str] = (), servers: Sequence[str] = (), folder: Path = STATIC) -> None:
        self._files = {f"/static/{path.name}": _read(path) for path in sorted(folder.iterdir())}
        self.change(frames, servers)

    def change(self, frames: Sequence[str], servers: Sequence[str] = ()) -> None:
        """Take what a reload brings."""
        self._policy = content_policy(frames, servers)
        # What knows no policy of frames is told in the old way.
        self._guard = {} if frames else {"X-Frame-Options": "DENY"}

    def answer(self, request: web.BaseRequest) -> web.Response | None:
        """Return the page or the file that a request asks for; None when its address is not one of theirs."""
        path = "/static/index.html" if _PAGE.match(request.path) else request.path
        file = self._files.get(path)
        if file is None or request.method not in ("GET", "HEAD"):
            return None
        headers = {**file.headers, **self._guard, "Content-Security-Policy": self._policy}
        if file.headers["ETag"] in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=file.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=file.body, headers=headers)


def content_policy(frames: Sequence[str], servers: Sequence[str]) -> str:
    """Return the content security policy: our own files and our API only, and the PBXs whose telephone it is."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "media-src 'self'",
            "worker-src 'self'",
            " ".join(("connect-src 'self'", *servers)),
            "base-uri 'none'",
            "form-action 'self'",
            " ".join(("frame-ancestors", *(frames or ("'none'",)))),
        )
    )


def _read(path: Path) -> _File:
    body = path.read_bytes()
    kept = f"public, max-age={_YEAR_S}, immutable" if _HASHED.search(path.name) else "no-cache"
    return _File(
        body,
        gzip.compress(body, mtime=0),
        {
            "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8",
            "Cache-Control": kept,
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
        },
    )
