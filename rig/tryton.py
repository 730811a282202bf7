"""A private Tryton: a real one, with the module party, its data in SQLite, on a free port of the loopback address.

with tryton(tmp_path) as crm:
    crm.add_party("Anna Gruber", "+43 664 1234567")
    ...  # an integration asks crm.address with crm.key
"""

import base64
import contextlib
import json
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
HOST = "127.0.0.1"
DATABASE = "tryton"
USER, PASSWORD = "admin", "rig"  # of the database that get-tryton makes
BOOT_S, STOP_S, REPLY_S = 30.0, 5.0, 20.0
# Below the range from which the kernel hands out ports, between those of the rig's other servers.
_PORTS = range(6300, 6400)
_TRIES = 8


class TrytonFailed(Exception):
    """Tryton could not be fetched, did not come up or refused what a test prepared; the message holds what it said."""


@dataclass
class Tryton:
    """A Tryton. `key` is the bearer key of its REST API, made as an administrator makes one."""

    folder: Path
    port: int = 0
    key: str = field(default="", repr=False)
    database: str = DATABASE
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where it listens, without the database."""
        return f"http://{HOST}:{self.port}"

    @property
    def log_text(self) -> str:
        """What the server has written."""
        return (self.folder / "log").read_text(errors="replace")

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

    def start(self) -> None:
        """Start it and wait until it takes connections; again on the port it had.

        Raises:
            TrytonFailed: when it does not come up.
        """
        for port in [self.port] if self.port else random.sample(_PORTS, _TRIES):
            if self._comes_up(port):
                self.port = port
                self.key = self.key or self.make_key()
                return
        raise TrytonFailed(f"Tryton did not come up: {self.log_text[-2000:]}")

    def _comes_up(self, port: int) -> bool:
        settings = f"[web]\nlisten = {HOST}:{port}\n[database]\nuri = sqlite://\npath = {self.folder}\n"
        (self.folder / "tryton.conf").write_text(settings)
        command = [find_tryton() / "venv/bin/trytond", "-c", self.folder / "tryton.conf", "-d", self.database]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*map(str, command)], stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
                # Who answers could be another program: then ours has ended, or is about to, for want of the port.
                return f"{HOST}:{port}" in self.log_text and self._process.poll() is None
            time.sleep(0.05)
        self.stop()
        return False

    def stop(self) -> None:
        """Stop it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextlib.contextmanager
def tryton(folder: Path) -> Iterator[Tryton]:
    """A Tryton without parties, its data below a folder, running inside `with`."""
    place = folder.resolve() / "tryton"
    place.mkdir(parents=True)
    shutil.copy(find_tryton() / "db" / f"{DATABASE}.sqlite", place)
    crm = Tryton(place)
    try:
        crm.start()
        yield crm
    finally:
        crm.stop()
        shutil.rmtree(place, ignore_errors=True)


@lru_cache(maxsize=1)
def find_tryton() -> Path:
    """The folder that `get-tryton` makes; quick when it is there already."""
    done = subprocess.run([HERE / "get-tryton"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise TrytonFailed("rig/get-tryton brought no Tryton; what it says stands above")
    return Path(done.stdout.splitlines()[-1])


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
