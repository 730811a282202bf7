"""Private databases: PostgreSQL and MariaDB with data of their own, on a free port of the loopback address.

with postgresql(tmp_path) as database:
    connection = await asyncpg.connect(host=database.host, port=database.port, user=database.user, database="postgres")
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rig.process import HOST, Server, ServerFailed, fetched

#: The user who may do everything, without a password from this machine. Odoo refuses one that is called postgres.
USER = "rig"

# Speed instead of safety: the data are worth nothing. But what was committed outlives the process, as tests kill it. No
# file of this machine but the data folder is needed.
_POSTGRESQL = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=100",
    f"listen_addresses={HOST}",
    "unix_socket_directories=",
    "timezone=GMT",
    "log_timezone=GMT",
    "logging_collector=off",
)
_ACCESS = f"host all {USER} {HOST}/32 trust\nhost all all {HOST}/32 scram-sha-256\n"
_MARIADB = (
    "--no-defaults",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--character-set-server=utf8mb4",
    "--skip-name-resolve",
)
_GRANTS = (
    f"CREATE USER IF NOT EXISTS {USER}@'{HOST}';\nGRANT ALL ON *.* TO {USER}@'{HOST}' WITH GRANT OPTION;\n"
    "CREATE DATABASE IF NOT EXISTS test;\n"
)


@dataclass
class Database(Server):
    """A database server. `user` may do everything without a password; others need theirs."""

    kind: str = ""
    words: Sequence[str] = ()
    user: str = USER

    stop_s = 30.0
    #: The line with which each says that it takes connections.
    _READY: ClassVar[Mapping[str, str]] = {
        "postgresql": "ready to accept connections",
        "mariadb": "ready for connections",
    }

    def __post_init__(self) -> None:
        # SIGINT is PostgreSQL's fast shutdown; MariaDB ends its clients by SIGTERM alone.
        self.ends_by = signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        """Return its own words; it runs as whom it may run as."""
        return [word.replace("{port}", str(self.port)) for word in self.words]

    def is_ready(self) -> bool:
        """Whether it has said so: it listens before that."""
        return self._READY[self.kind] in self.log_text


@contextlib.contextmanager
def postgresql(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Database]:
    """A PostgreSQL with its data below a folder, running inside `with`; its only database is `postgres`.

    With a certificate and its key it speaks TLS to those who want it.
    """
    programs, place = fetched("get-databases", "postgresql"), _make(folder / "postgresql")
    paths = _keep(certificate, place)
    _give_away(place, *paths)
    tls = ("ssl=on", f"ssl_cert_file={paths[0]}", f"ssl_key_file={paths[1]}") if paths else ()
    settings = [word for setting in (*_POSTGRESQL, *tls) for word in ("-c", setting)]
    _run(
        *_unprivileged(),
        *(str(programs / "initdb"), "--no-sync", "--auth=trust", f"--username={USER}", "--encoding=UTF8"),
        *("--no-locale", "-D", str(place / "data")),
    )
    (place / "data" / "pg_hba.conf").write_text(_ACCESS)
    command = (*_unprivileged(), str(programs / "postgres"), "-D", str(place / "data"), "-p", "{port}", *settings)
    database = Database(place, kind="postgresql", words=command)
    with database.running():
        yield database


@contextlib.contextmanager
def mariadb(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Database]:
    """A MariaDB with its data below a folder, running inside `with`; its only database is `test`.

    With a certificate and its key it speaks TLS to those who want it.
    """
    programs, place = fetched("get-databases", "mariadb"), _make(folder / "mariadb")
    paths = _keep(certificate, place)
    tls = (f"--ssl-cert={paths[0]}", f"--ssl-key={paths[1]}") if paths else ("--skip-ssl",)
    share = next(path for path in (programs / "usr/share/mariadb", Path("/usr/share/mariadb")) if path.is_dir())
    (place / "data").mkdir(exist_ok=True)
    basic: tuple[str, ...] = (
        str(programs / "mariadbd"),
        *_MARIADB,
        f"--datadir={place / 'data'}",
        f"--lc-messages-dir={share}",
    )
    basic += ("--user=root",) if os.geteuid() == 0 else ()
    tables = "".join((share / f"mariadb_system_tables{part}.sql").read_text() for part in ("", "_data"))
    _run(*basic, "--bootstrap", say=f"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n{tables}")
    (place / "grants.sql").write_text(_GRANTS)
    listening = (f"--bind-address={HOST}", "--port={port}", "--socket=socket", "--pid-file=pid")
    command = (*basic, *tls, f"--init-file={place / 'grants.sql'}", *listening)
    database = Database(place, kind="mariadb", words=command)
    with database.running():
        yield database


def _keep(certificate: tuple[Path, Path] | None, place: Path) -> list[Path]:
    """Copies of a certificate and its key that only the server reads."""
    found = [Path(shutil.copy(path, place / path.name)) for path in certificate or ()]
    for path in found:
        path.chmod(0o600)
    return found


def _give_away(*paths: Path) -> None:
    """Let the ordinary user own what PostgreSQL wants its own user to own."""
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, "nobody", "nogroup")


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder.resolve()


def _unprivileged() -> tuple[str, ...]:
    """What starts a program as an ordinary user: PostgreSQL refuses root.

    It may read what root may where the machine allows that: the folders above may be root's own, as those of pytest.
    """
    if os.geteuid() != 0:
        return ()
    become = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    reading = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    allowed = not subprocess.run([*become, *reading, "true"], capture_output=True, check=False).returncode
    return (*become, *reading) if allowed else become


def _run(*command: str, say: str = "") -> None:
    done = subprocess.run(command, input=say, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise ServerFailed(f"{shlex.join(command)}: {done.stdout[-1000:]} {done.stderr[-2000:]}")
