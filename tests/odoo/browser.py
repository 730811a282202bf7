"""An agent's browser, as far as these tests need one: logged in to Odoo, and told where an address leads."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from rig.odoo import Odoo


def led_to(system: Odoo, address: str) -> str:
    """The path of the page that Odoo leads an agent to who opens an address."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), _Unfollowed)
    who = {"db": system.database, "login": system.user, "password": system.password}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": who}).encode()
    login = urllib.request.Request(
        f"{system.address}/web/session/authenticate", body, {"Content-Type": "application/json"}
    )
    opener.open(login).read()
    try:
        opener.open(address).read()
    except urllib.error.HTTPError as answer:
        with answer:
            return f"{answer.code} {urlsplit(answer.headers['Location']).path}"
    return "nowhere"


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None
