"""Private directories: OpenLDAP's slapd and Redis with data of their own, on a free port of the loopback address.

with slapd(ldif) as directory:
    ...  # directory.address is ldap://127.0.0.1:PORT
with redis() as store:
    ...  # store.host, store.port
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
HOST = "127.0.0.1"
SUFFIX = "dc=example,dc=com"
ROOT, ROOT_PASSWORD = f"cn=admin,{SUFFIX}", "rig"
BOOT_S, STOP_S = 20.0, 5.0
# Below the range from which the kernel hands out ports and beside those of the rig's other servers: the same one must
# be there again after a restart.
_PORTS = range(5100, 6300)
_TRIES = 8
_SCHEMAS = ("core", "cosine", "inetorgperson")


class DirectoryFailed(Exception):
    """A server could not be fetched or did not come up; the message holds what it said."""


@lru_cache(maxsize=1)
def find_directories() -> Path:
    """The folder of the programs that `get-directories` fetches; quick when they are there already."""
    done = subprocess.run([HERE / "get-directories"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DirectoryFailed("rig/get-directories brought no servers; what it says stands above")
    return Path(done.stdout.splitlines()[-1])


@dataclass
class Server:
    """A server process on a port of its own. `stop` and `start` are a restart with the same data."""

    command: Sequence[str | Path]
    port: int
    folder: Path
    further_ports: tuple[int, ...] = ()
    host: str = HOST
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where it speaks LDAP, when it is a directory."""
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_address(self) -> str:
        """Where it speaks LDAP within TLS, when it has a certificate."""
        return f"ldaps://{self.host}:{self.further_ports[0]}"

    def start(self) -> None:
        """Start it and wait until it accepts connections.

        Raises:
            DirectoryFailed: when it does not.
        """
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*map(str, self.command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        until = time.monotonic() + BOOT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise DirectoryFailed(f"the server did not come up:\n{(self.folder / 'log').read_text()[-2000:]}")
            # Nothing tells that a port is about to open, short of trying.
            time.sleep(0.01)

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError):
            for port in (self.port, *self.further_ports):
                socket.create_connection((self.host, port), 1.0).close()
            return self._process is not None and self._process.poll() is None
        return False

    def signal(self, which: signal.Signals) -> None:
        """Send a signal: SIGSTOP freezes it (and is waited for), SIGCONT lets it go on."""
        assert self._process
        self._process.send_signal(which)
        if which == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def stop(self) -> None:
        """End it as an operator would; by force when that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextlib.contextmanager
def slapd(
    ldif: str, *, access: str = "access to * by * read", certificate: tuple[Path, Path] | None = None, extra: str = ""
) -> Iterator[Server]:
    """A directory with the suffix dc=example,dc=com and these entries below it, in their order.

    `access` and `extra` are lines of slapd.conf for the database. With `certificate` (certificate and key, PEM) it
    speaks StartTLS too, and TLS on a second port.
    """
    with _folder("slapd-") as folder:
        home = find_directories()
        texts = _slapd_conf(home, folder, access, certificate, extra), f"{_SUFFIX_ENTRY}\n\n{ldif}\n"
        for name, text in zip(("slapd.conf", "data.ldif"), texts, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "data").mkdir()
        _load(home, folder)

        def server(ports: Sequence[int]) -> Server:
            urls = [f"ldap://{HOST}:{ports[0]}/", *([f"ldaps://{HOST}:{ports[1]}/"] if certificate else [])]
            command: list[str | Path] = [
                home / "slapd",
                "-f",
                folder / "slapd.conf",
                "-h",
                " ".join(urls),
                "-d",
                "none",
            ]
            return Server(command, ports[0], folder, (ports[1],) if certificate else ())

        with _running(server, 2) as running:
            yield running


_SUFFIX_ENTRY = f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: Example\ndc: example"


def _slapd_conf(home: Path, folder: Path, access: str, certificate: tuple[Path, Path] | None, extra: str) -> str:
    schemas = "".join(f"include {home}/etc/ldap/schema/{name}.schema\n" for name in _SCHEMAS)
    tls = f"TLSCertificateFile {certificate[0]}\nTLSCertificateKeyFile {certificate[1]}\n" if certificate else ""
    return f"""{schemas}
pidfile {folder}/pid
modulepath {home}/usr/lib/ldap
moduleload back_mdb
{tls}
database mdb
suffix "{SUFFIX}"
rootdn "{ROOT}"
rootpw {ROOT_PASSWORD}
directory {folder}/data
maxsize 67108864
index objectClass,uid eq
{access}
{extra}
"""


def _load(home: Path, folder: Path) -> None:
    command: list[str | Path] = [
        home / "slapd",
        "-T",
        "add",
        "-q",
        "-f",
        folder / "slapd.conf",
        "-l",
        folder / "data.ldif",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DirectoryFailed(f"the entries cannot be loaded:\n{done.stderr}")


@contextlib.contextmanager
def redis(*options: str, certificate: tuple[Path, Path] | None = None) -> Iterator[Server]:
    """An empty store that writes nothing to disk; `options` are further words of its command line.

    With `certificate` (certificate and key, PEM) it speaks TLS on a second port.
    """
    with _folder("redis-") as folder:
        home = find_directories()

        def server(ports: Sequence[int]) -> Server:
            words = ["--port", str(ports[0]), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(folder)]
            if certificate:
                words += ["--tls-port", str(ports[1]), "--tls-auth-clients", "no"]
                words += ["--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1])]
            command: list[str | Path] = [home / "redis-server", *words, *options]
            return Server(command, ports[0], folder, (ports[1],) if certificate else ())

        with _running(server, 2) as running:
            yield running


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(server: Callable[[Sequence[int]], Server], ports: int) -> Iterator[Server]:
    """Start on free ports; another run may take one in the same moment, so it is tried again."""
    for left in reversed(range(_TRIES)):
        running = server(_free_ports(ports))
        try:
            running.start()
            break
        except DirectoryFailed:
            if not left:
                raise
    try:
        yield running
    finally:
        running.stop()


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise DirectoryFailed("no free port is left")
