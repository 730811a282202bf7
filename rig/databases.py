"""Private databases: PostgreSQL and MariaDB with data of their own, on a free port of the loopback address.

with postgresql(tmp_path) as database:
    connection = await asyncpg.connect(host=database.host, port=database.port, user=database.user, database="postgres")
"""

import contextlib
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
HOST = "127.0.0.1"
#: The user who may do everything, without a password from this machine. Odoo refuses one that is called postgres.
USER = "rig"
BOOT_S = 30.0
STOP_S = 10.0
# Below the range from which the kernel hands out ports, and below those of the rig's Asterisk: it must be there again
# after a restart.
_PORTS = range(6500, 9900)
_TRIES = 8

# Speed instead of safety: the data are worth nothing. No file of this machine but the data folder is needed.
_POSTGRESQL = (
    "fsync=off",
    "synchronous_commit=off",
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


class DatabaseFailed(Exception):
    """A database could not be fetched or did not come up; the message holds the end of its log."""


@dataclass
class Database:
    """A database server. `user` may do everything without a password; others need theirs."""

    kind: str
    folder: Path
    command: Sequence[str]
    ready: str
    host: str = HOST
    port: int = 0
    user: str = USER
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def log_text(self) -> str:
        """What the server has written."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process of the server while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it takes connections; again on the port it had.

        Raises:
            DatabaseFailed: when it does not come up.
        """
        for port in [self.port] if self.port else random.sample(_PORTS, _TRIES):
            if _is_free(port) and self._comes_up(port):
                self.port = port
                return
        raise DatabaseFailed(f"{self.kind} did not come up: {self.log_text[-2000:]}")

    def _comes_up(self, port: int) -> bool:
        with open(self.folder / "log", "wb") as log:
            command = [part.replace("{port}", str(port)) for part in self.command]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self._process.poll() is None:
            if self.ready in self.log_text:
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def stop(self, kill: bool = False) -> None:
        """Stop the server: its clients lose their connections. With `kill` as a crash would."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # SIGINT is PostgreSQL's fast shutdown; MariaDB ends its clients by SIGTERM alone.
            soft = signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM
            self._process.send_signal(signal.SIGKILL if kill else soft)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop it and start it again where it was."""
        self.stop()
        self.start()


@contextlib.contextmanager
def postgresql(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Database]:
    """A PostgreSQL with its data below a folder, running inside `with`; its only database is `postgres`.

    With a certificate and its key it speaks TLS to those who want it.
    """
    programs, place = _programs("postgresql"), _make(folder / "postgresql")
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
    yield from _running(Database("postgresql", place, command, "ready to accept connections"))


@contextlib.contextmanager
def mariadb(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Database]:
    """A MariaDB with its data below a folder, running inside `with`; its only database is `test`.

    With a certificate and its key it speaks TLS to those who want it.
    """
    programs, place = _programs("mariadb"), _make(folder / "mariadb")
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
    yield from _running(Database("mariadb", place, command, "ready for connections"))


def _running(database: Database) -> Iterator[Database]:
    database.start()
    try:
        yield database
    finally:
        database.stop()
        shutil.rmtree(database.folder, ignore_errors=True)


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


def _programs(kind: str) -> Path:
    """The folder of a database's programs, as `get-databases` finds or fetches it; quick when they are there."""
    done = subprocess.run([HERE / "get-databases", kind], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DatabaseFailed(f"rig/get-databases found no {kind} to run; what it says stands above")
    return Path(done.stdout.splitlines()[-1])


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
        raise DatabaseFailed(f"{shlex.join(command)}: {done.stdout[-1000:]} {done.stderr[-2000:]}")


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True
