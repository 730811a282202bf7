"""A private Odoo 19: a real one, with contacts and CRM, its data in a PostgreSQL of its own, on a free loopback port.

with odoo(tmp_path) as crm:
    crm.add_partner("Anna Gruber", "0664 1234567")
    ...  # an integration asks crm.address with crm.key
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.databases import Database, postgresql
from rig.process import HERE, HOST, Server, ServerFailed, fetched

DATABASE = "odoo"
USER, PASSWORD = "admin", "rig"
MODULES = "crm,contacts,phone_validation"
REPLY_S = 60.0

# A company in Austria, so that Odoo reads national numbers as the tests' region does. The key never expires: the
# database outlives every test in the cache.
_SEED = f"""
admin = env.ref("base.user_admin")
admin.password = {PASSWORD!r}
env.company.country_id = env.ref("base.at")
print("KEY", env["res.users.apikeys"].with_user(admin)._generate("rpc", "rig", None))
env.cr.commit()
"""


class OdooFailed(Exception):
    """Odoo refused what a test prepared; the message holds what it said."""


@dataclass
class Odoo(Server):
    """An Odoo. `key` is an API key of the administrator, who is also let in with `user` and `password`."""

    store: Database | None = None
    key: str = field(default="", repr=False)
    database: str = DATABASE
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)

    boot_s = 60.0
    #: As a crash would: what an orderly stop waits for is of no use here.
    ends_by = signal.SIGKILL

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def add_partner(self, name: str, phone: str = "", **fields: object) -> int:
        """The id of a new contact with this number, spelled as it is given."""
        return self.add("res.partner", name=name, phone=phone, **fields)

    def add_lead(self, name: str, phone: str = "", **fields: object) -> int:
        """The id of a new lead with this number, spelled as it is given."""
        return self.add("crm.lead", name=name, phone=phone, **fields)

    def add(self, model: str, **fields: object) -> int:
        """The id of a new record of any model."""
        made = self.ask(model, "create", vals_list=[fields])
        assert isinstance(made, list)
        return int(made[0])

    def record(self, model: str, number: int, *fields: str) -> Mapping[str, object]:
        """These fields of a record, as Odoo gives them."""
        found = self.ask(model, "read", ids=[number], fields=list(fields))
        assert isinstance(found, list)
        return dict(found[0])

    def ask(self, model: str, method: str, **arguments: object) -> object:
        """What a method of a model gives, over JSON-2.

        Raises:
            OdooFailed: when Odoo refuses.
        """
        headers = {"Authorization": f"bearer {self.key}", "X-Odoo-Database": self.database}
        address = f"{self.address}/json/2/{model}/{method}"
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(address, body, headers | {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=REPLY_S) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise OdooFailed(f"{model} {method}: {refusal.code} {refusal.read()[:500]!r}") from None

    def command(self) -> Sequence[str]:
        """Return the words that start it on its database."""
        assert self.store is not None
        listening = (f"--http-interface={HOST}", f"--http-port={self.port}", "--workers=0", "--max-cron-threads=0")
        return [*_command(self.store, self.folder), *listening, "--log-level=info"]

    def environment(self) -> Mapping[str, str]:
        """Return variables that name nothing of this machine's user."""
        return _environment(self.folder)

    def is_ready(self) -> bool:
        """Return whether it answers: it listens before it has read its database, and who asks waits for that."""
        with contextlib.suppress(OSError, OdooFailed):
            self.ask("res.users", "context_get")
            return True
        return False


@contextlib.contextmanager
def odoo(folder: Path) -> Iterator[Odoo]:
    """An Odoo without contacts of ours, its data below a folder, running inside `with`."""
    template = _template()
    place = folder.resolve() / "odoo"
    place.mkdir(parents=True)
    with postgresql(place) as store:
        store.stop()
        _copy(template / "data", store.folder / "data")
        _copy(template / "files", place / "files")
        store.start()
        crm = Odoo(place, store=store, key=(template / "key").read_text())
        with crm.running():
            yield crm


def _template() -> Path:
    """A database to copy, made once: PostgreSQL's data, Odoo's files, and the key that its administrator has."""
    place = fetched("get-odoo").parent / "template"
    place.mkdir(exist_ok=True)
    makers = ("odoo.py", "get-odoo", "get-databases", "debian.sh")
    print_ = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in makers)).hexdigest()
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / "stamp"
        if not stamp.exists() or stamp.read_text() != print_:
            stamp.unlink(missing_ok=True)
            _make_template(place)
            stamp.write_text(print_)
    return place


def _make_template(place: Path) -> None:
    for name in ("work", "data", "files"):
        shutil.rmtree(place / name, ignore_errors=True)
    with postgresql(place / "work") as store:
        command = _command(store, place)
        _run([*command, "-i", MODULES, "--without-demo=True", "--stop-after-init", "--log-level=error"], place)
        said = _run([*command[:2], "shell", *command[2:], "--no-http", "--log-level=error"], place, _SEED)
        (place / "key").write_text(next(line.split()[1] for line in said.splitlines() if line.startswith("KEY ")))
        store.stop()
        _copy(store.folder / "data", place / "data")
    shutil.rmtree(place / "work", ignore_errors=True)


def _command(store: Database, place: Path) -> list[str]:
    """Odoo on its database, its files in the folder."""
    programs = fetched("get-odoo")
    (place / "odoo.conf").write_text("[options]\n")  # none of this machine's
    access = (f"--db_host={store.host}", f"--db_port={store.port}", f"--db_user={store.user}")
    files = (f"--config={place / 'odoo.conf'}", f"--data-dir={place / 'files'}")
    return [str(programs / "python3.13"), str(programs / "usr/bin/odoo"), *files, *access, f"--database={DATABASE}"]


def _environment(place: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8", "TZ": "UTC"}


def _run(command: list[str], place: Path, say: str = "") -> str:
    done = subprocess.run(
        command, input=say, capture_output=True, text=True, check=False, env=_environment(place), cwd=place
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(command)}: {done.stdout[-1000:]} {done.stderr[-2000:]}")
    return done.stdout


def _copy(source: Path, target: Path) -> None:
    """A whole folder as it is, owners included: PostgreSQL wants its own."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
