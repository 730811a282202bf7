"""A CRM of this machine that behaves as a vendor's documentation says: what every stand-in shares.

A stand-in holds `people`, answers over real HTTP, gives out tokens that run out and refresh tokens that are good once,
and misbehaves on request. A subclass writes `answer` in the vendor's shapes, and searches as the vendor does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web


@dataclass(frozen=True)
class Person:
    """Who is in the CRM. Numbers are written as people write them."""

    id: str
    number: str
    first: str
    last: str
    city: str = ""
    phone: str = ""
    mobile: str = ""

    @property
    def phones(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.phone, self.mobile)))


PEOPLE = (
    Person("101", "123456", "Anna", "Gruber", "Linz", "+43 664 1234567"),
    Person("102", "0042", "Paul", "Hofer", "Linz", "0664/7654321"),
    Person("103", "345678", "Jörg", "Åse", "Graz", "+49 30 123456", "+49 (0)171 7654321"),
    Person("104", "1' OR '1'='1", "Bobby", "Tables", "a&b=c"),
    Person("105", "2125550", "Ada", "Lovelace", "New York", "+1 (212) 555-0147"),
    Person("106", "777", "Ina", "Doppel", "Wien", "+43 1 5120001"),
    Person("107", "778", "Udo", "Doppel", "Wien", "", "01 512 00 01"),
    Person("108", "900", "Zita", "Fern", "Bern", "+41 664 123 45 67"),  # Anna's national number in another country
)


def digits(text: str) -> str:
    """The digits of a text."""
    return "".join(char for char in text if char.isdigit())


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def form(self) -> dict[str, str]:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return {name: str(value) for name, value in self.json.items()}
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def parts(self) -> dict[str, tuple[str, bytes]]:
        """The parts of a form with files, by their names: type and bytes. Its length was told before."""
        kind, _, boundary = self.headers["Content-Type"].partition("; boundary=")
        assert (kind, self.headers["Content-Length"]) == ("multipart/form-data", str(len(self.body)))
        found = {}
        for part in self.body.split(b"--" + boundary.encode())[1:-1]:
            head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb' name="([^"]*)"', head)
            kind = re.search(rb"Content-Type: (\S+)", head)
            assert name is not None
            found[name[1].decode()] = (kind[1].decode() if kind else "", body.removesuffix(b"\r\n"))
        return found


@dataclass
class Written:
    """A call's entry as it lies in a CRM, in words of ours. `kind` is how the vendor says what came of it."""

    id: str
    subject: str
    body: str
    kind: str = ""
    contact: str = ""
    user: str = ""
    seconds: object = None
    key: str = ""
    sounds: list[bytes] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Colleague:
    """Somebody who works with the CRM."""

    id: str
    email: str
    extension: str = ""


COLLEAGUES = (
    Colleague("9", "Anna@example.com", "201"), Colleague("10", "bernd@example.com", "202"),
    Colleague("11", "twice@example.com"), Colleague("12", "twice@example.com"),
)  # fmt: skip


@dataclass
class StandIn:
    """`asked` are the requests for data so far, `logins` those for tokens. `nexts` answer the next ones for data."""

    address: str = ""
    people: list[Person] = field(default_factory=lambda: list(PEOPLE))
    asked: list[Asked] = field(default_factory=list)
    logins: list[Asked] = field(default_factory=list)
    nexts: list[Callable[[], web.Response]] = field(default_factory=list)
    access_token: str = ""
    refresh_token: str = "refresh-0"
    counter: int = 0
    page_size: int = 100
    #: The entries of calls by their ids. With `lose` the next one is made, and its answer gets lost.
    written: dict[str, Written] = field(default_factory=dict)
    lose: bool = False

    #: Where tokens are given out; "" when the vendor has only keys.
    token_path = "/token"
    #: Whether each refresh gives a new refresh token, and ends the old one.
    rotates = True

    # --------------------------------------------------------------------- what a subclass writes

    def answer(self, asked: Asked) -> web.Response:
        """Answer a request for data, as the vendor does."""
        raise NotImplementedError

    def authorized(self, asked: Asked) -> bool:
        """Whether the request carries what is valid now."""
        return bool(self.access_token) and asked.headers.get("Authorization") == f"Bearer {self.access_token}"

    def unauthorized(self) -> web.Response:
        return web.json_response({"message": "expired"}, status=401)

    def throttled(self) -> web.Response:
        """The vendor's own way to say that it is asked too much."""
        return web.json_response({"message": "too many"}, status=429, headers={"Retry-After": "7"})

    def refusal(self, status: int) -> web.Response:
        """What asking again does not mend."""
        return web.json_response({"message": "no"}, status=status)

    def broken(self) -> web.Response:
        """An error that asking again does not mend."""
        return web.json_response({"message": "boom"}, status=500)

    def token_answer(self) -> dict[str, object]:
        """What comes with a token, beside the tokens."""
        return {"token_type": "Bearer", "expires_in": 3600}

    # -------------------------------------------------------------------------------------- inside

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        pairs = tuple(request.query.items())
        asked = Asked(request.method, request.path, dict(pairs), pairs, request.headers, body)
        if self.token_path and asked.path == self.token_path:
            self.logins.append(asked)
            return self.give_token(asked)
        self.asked.append(asked)
        if not self.authorized(asked):
            return self.unauthorized()
        return self.nexts.pop(0)() if self.nexts else self.told(lambda: self.answer(asked))

    def told(self, answer: Callable[[], web.Response]) -> web.Response:
        """Answer; or, once an entry was made, as a gateway does whose server has just gone."""
        before = len(self.written)
        found = answer()
        if self.lose and len(self.written) > before:
            self.lose = False
            return web.Response(status=502)
        return found

    def new_id(self) -> str:
        return str(700 + len(self.written))

    def give_token(self, asked: Asked) -> web.Response:
        """RFC 6749, 6: a refresh token that was used is good no more where the vendor rotates them."""
        if asked.form.get("grant_type") == "refresh_token" and asked.form.get("refresh_token") != self.refresh_token:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.counter += 1
        self.access_token = f"access-{self.counter}"
        found: dict[str, object] = {"access_token": self.access_token, **self.token_answer()}
        if self.rotates:
            self.refresh_token = f"refresh-{self.counter}"
            found["refresh_token"] = self.refresh_token
        return web.json_response(found)

    def expire(self) -> None:
        """Let the access token run out."""
        self.access_token = f"other-{self.counter}"

    def __post_init__(self) -> None:
        if not self.token_path:
            self.access_token = "key"
