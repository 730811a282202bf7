"""A stand-in authorization server: RFC 6749 and 7636 as vendors do them, with what they do differently."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT, SECRET = "app-1", "s3cret-of-the-app"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DENIED = "<script>alert(1)</script>\x1b[2J"


@dataclass
class Vendor:
    """Returns numbered tokens: `access-1`, `refresh-1`.

    `rotates` replaces the refresh token at each use, and refuses the one before. `expires_in` None is left out of
    answers, `extra` are further members of them. `status` and `body` stand in for every answer of the token address;
    `gate` holds it up, `hangs_up` requests find the connection closed. `asked` are the forms that came to it.
    """

    rotates: bool = True
    expires_in: object = 3600
    extra: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    hangs_up: int = 0
    denies: bool = False
    public_key: RSAPublicKey | None = None
    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[dict[str, str]] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    count: int = 0
    api: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self):  # type: ignore[no-untyped-def]
        app = web.Application()
        app.add_routes([web.get("/authorize", self.authorize), web.post("/token", self.token)])
        app.add_routes([web.route("*", "/api/{path:.*}", self.look_up)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def authorize(self, request: web.Request) -> web.Response:
        """The page on which a person says yes at once."""
        query = dict(request.query)
        self.authorizations.append(query)
        if query.get("client_id") != CLIENT or query.get("response_type") != "code":
            return web.Response(status=400, text="unknown app")
        answer = {"state": query["state"]}
        if self.denies:
            answer |= {"error": "access_denied", "error_description": DENIED}
        else:
            code = f"code-{len(self.codes) + 1}"
            self.codes[code] = query
            answer |= {"code": code}
        return web.Response(status=302, headers={"Location": f"{query['redirect_uri']}?{urlencode(answer)}"})

    async def token(self, request: web.Request) -> web.Response:
        if self.hangs_up and request.transport is not None:
            self.hangs_up -= 1
            request.transport.close()
            return web.Response()
        text = await request.text()
        is_json = request.content_type == "application/json"
        form = json.loads(text) if is_json else dict(parse_qsl(text, keep_blank_values=True))
        self.asked.append(form | {"authorization": request.headers.get("Authorization", "")})
        if self.gate is not None:
            await self.gate.wait()
        if self.status:
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        fault = self._fault(form, request.headers.get("Authorization", ""))
        if fault:
            answer = {"error": fault, "error_description": f"said of {form.get('refresh_token', '')}"}
            return web.json_response(answer, status=401 if fault == "invalid_client" else 400)
        return web.json_response(self._grant(form))

    async def look_up(self, request: web.Request) -> web.Response:
        """An API of the vendor: takes the newest access token only, and knows nobody."""
        sent = request.headers.get("Authorization", "")
        self.api.append(sent)
        fine = sent == f"Bearer access-{self.count}"
        return web.json_response([] if fine else {"error": "expired"}, status=200 if fine else 401)

    def _fault(self, form: Mapping[str, str], header: str) -> str:
        grant = form.get("grant_type")
        if grant == JWT_BEARER:
            return self._fault_of_assertion(form.get("assertion", ""))
        if self._client(form, header) != (CLIENT, SECRET):
            return "invalid_client"
        if grant == "authorization_code":
            return self._fault_of_code(form)
        if grant == "refresh_token":
            return "" if form.get("refresh_token") in self.good else "invalid_grant"
        if grant == "password":
            return "" if (form.get("username"), form.get("password")) == ("anna", "pa ss") else "invalid_grant"
        return "" if grant == "client_credentials" else "unsupported_grant_type"

    def _client(self, form: Mapping[str, str], header: str) -> tuple[str, str]:
        if not header:
            return form.get("client_id", ""), form.get("client_secret", "")
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(user), unquote_plus(password)

    def _fault_of_code(self, form: Mapping[str, str]) -> str:
        asked = self.codes.pop(form.get("code", ""), None)  # good once
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return "invalid_grant"
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fine = "code_challenge" not in asked or (asked["code_challenge_method"], asked["code_challenge"]) == (
            "S256",
            challenge,
        )
        return "" if fine else "invalid_grant"

    def _fault_of_assertion(self, assertion: str) -> str:
        assert self.public_key is not None
        signed, _, signature = assertion.rpartition(".")
        self.public_key.verify(_bytes(signature), signed.encode(), PKCS1v15(), SHA256())
        claims = json.loads(_bytes(signed.partition(".")[2]))
        fine = claims["iss"] == CLIENT and claims["aud"] == f"{self.address}/token" and claims["exp"] > claims["iat"]
        return "" if fine and claims["sub"] == "anna@example.com" else "invalid_grant"

    def _grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        self.count += 1
        answer: dict[str, Any] = {"access_token": f"access-{self.count}", "token_type": "Bearer", **self.extra}
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        refreshing = form["grant_type"] == "refresh_token"
        if form["grant_type"] in ("authorization_code", "password") or (refreshing and self.rotates):
            answer["refresh_token"] = f"refresh-{self.count}"
            self.good = {f"refresh-{self.count}"}
        return answer


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
