"""A private Tryton: a real one, with the module party, its data in SQLite, on a free port of the loopback address.

with tryton(tmp_path) as crm:
    crm.add_party("Anna Gruber", "+43 664 1234567")
    ...  # an integration asks crm.address with crm.key
"""

import base64
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rig.process import Server, fetched

DATABASE = "tryton"
USER, PASSWORD = "admin", "rig"  # of the database that get-tryton makes
REPLY_S = 60.0


class TrytonFailed(Exception):
    """Tryton refused what a test prepared; the message holds what it said."""


@dataclass
class Tryton(Server):
    """A Tryton. `key` is the bearer key of its REST API, made as an administrator makes one."""

    key: str = field(default="", repr=False)
    database: str = DATABASE

    @property
    def address(self) -> str:
        """Where it listens, without the database."""
        return f"http://{self.host}:{self.port}"

    def add_party(self, name: str, *numbers: str, email: str = "", kind: str = "phone", **fields: object) -> int:
        """The id of a new party with these telephone numbers, of that `kind` (`phone`, `mobile`, `other`)."""
        ways = [{"type": kind, "value": number} for number in numbers]
        ways += [{"type": "email", "value": email}] if email else []
        made = self.ask("POST", "party.party", {"name": name, "contact_mechanisms": [["create", ways]], **fields})
        assert isinstance(made, dict)
        return int(made["id"])

    def record(self, model: str, number: int, *fields: str) -> Mapping[str, object]:
        """These fields of a record, as Tryton gives them."""
        found = self.ask("GET", f"{model}/{number}?" + "&".join(f"f={name}" for name in fields))
        assert isinstance(found, dict)
        return found

    def ask(self, method: str, path: str, body: object = None) -> object:
        """What the REST API answers about a model (`party.party`, `party.party/7`).

        Raises:
            TrytonFailed: when it refuses.
        """
        address = f"{self.address}/{self.database}/rest/model/{path}"
        return _ask(method, address, body, f"Bearer {self.key}")

    def make_key(self) -> str:
        """A further key, valid at once, as an administrator's are."""
        made = self._rpc("model.res.user.application.create", [{"application": "rest", "user": 1}])
        read = self._rpc("model.res.user.application.read", made, ["key"])
        assert isinstance(read, list)
        return str(read[0]["key"])

    def revoke(self, key: str) -> None:
        """Take a key back for good, as an administrator does."""
        found = self._rpc("model.res.user.application.search", [["key", "=", key]])
        self._rpc("model.res.user.application.cancel", found)

    def _rpc(self, method: str, *parameters: object) -> object:
        """What the desktop client's protocol answers, logged in as the administrator."""
        address = f"{self.address}/{self.database}/rpc/"
        answer = _ask("POST", address, {"id": 0, "method": "common.db.login", "params": [USER, {"password": PASSWORD}]})
        assert isinstance(answer, dict)
        user, token, *_ = answer["result"]
        session = base64.b64encode(f"{USER}:{user}:{token}".encode()).decode()
        body = {"id": 1, "method": method, "params": [*parameters, {}]}
        answer = _ask("POST", address, body, f"Session {session}")
        assert isinstance(answer, dict)
        if "error" in answer:
            raise TrytonFailed(f"{method}: {answer['error']}")
        return answer["result"]

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it with its settings, which are written anew."""
        conf = self.folder / "tryton.conf"
        conf.write_text(f"[web]\nlisten = {self.address[7:]}\n[database]\nuri = sqlite://\npath = {self.folder}\n")
        return [fetched("get-tryton") / "venv/bin/trytond", "-c", conf, "-d", self.database]


@contextmanager
def tryton(folder: Path) -> Iterator[Tryton]:
    """A Tryton without parties, its data below a folder, running inside `with`."""
    place = folder.resolve() / "tryton"
    place.mkdir(parents=True)
    shutil.copy(fetched("get-tryton") / "db" / f"{DATABASE}.sqlite", place)
    crm = Tryton(place)
    with crm.running():
        crm.key = crm.make_key()
        yield crm


def _ask(method: str, address: str, body: object, authorization: str = "") -> object:
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=REPLY_S) as reply:
            return json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise TrytonFailed(f"{method} {address}: {refusal.code} {refusal.read()[:500]!r}") from None
