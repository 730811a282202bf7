"""Private directories: OpenLDAP's slapd and Redis with data of their own, on a free port of the loopback address.

with slapd(ldif) as directory:
    ...  # directory.address is ldap://127.0.0.1:PORT
with redis() as store:
    ...  # store.host, store.port
"""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.process import HOST, Server, ServerFailed, fetched, is_open, new_folder

SUFFIX = "dc=example,dc=com"
ROOT, ROOT_PASSWORD = f"cn=admin,{SUFFIX}", "rig"
_SCHEMAS = ("core", "cosine", "inetorgperson")


@dataclass
class Directory(Server):
    """An LDAP server, or a Redis; `words` start it on the ports `{port}` and `{tls}`."""

    words: Sequence[str] = ()

    ports_wanted = 2

    @property
    def address(self) -> str:
        """Where it speaks LDAP, when it is one."""
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_port(self) -> int:
        """Where it speaks within TLS, when it has a certificate."""
        return self.ports[1]

    @property
    def tls_address(self) -> str:
        """The same as an address, when it speaks LDAP."""
        return f"ldaps://{self.host}:{self.tls_port}"

    def command(self) -> Sequence[str]:
        """Return its words with the ports in them."""
        return [word.format(port=self.port, tls=self.tls_port) for word in self.words]

    def is_ready(self) -> bool:
        """Whether it listens on the ports that its words name."""
        named = (port for port, name in zip(self.ports, ("{port}", "{tls}"), strict=True) if name in str(self.words))
        return all(is_open(port) for port in named)


@contextlib.contextmanager
def slapd(
    ldif: str, *, access: str = "access to * by * read", certificate: tuple[Path, Path] | None = None, extra: str = ""
) -> Iterator[Directory]:
    """A directory with the suffix dc=example,dc=com and these entries below it, in their order.

    `access` and `extra` are lines of slapd.conf for the database. With `certificate` (certificate and key, PEM) it
    speaks StartTLS too, and TLS on a second port.
    """
    folder, home = new_folder("slapd-"), fetched("get-directories")
    texts = _slapd_conf(home, folder, access, certificate, extra), f"{_SUFFIX_ENTRY}\n\n{ldif}\n"
    for name, text in zip(("slapd.conf", "data.ldif"), texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "data").mkdir()
    _load(home, folder)
    addresses = f"ldap://{HOST}:{{port}}/" + (f" ldaps://{HOST}:{{tls}}/" if certificate else "")
    words = (str(home / "slapd"), "-f", str(folder / "slapd.conf"), "-h", addresses, "-d", "none")
    directory = Directory(folder, words=words)
    with directory.running():
        yield directory


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
    command = (home / "slapd", "-T", "add", "-q", "-f", folder / "slapd.conf", "-l", folder / "data.ldif")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"the entries cannot be loaded:\n{done.stderr}")


@contextlib.contextmanager
def redis(*options: str, certificate: tuple[Path, Path] | None = None) -> Iterator[Directory]:
    """An empty store that writes nothing to disk; `options` are further words of its command line.

    With `certificate` (certificate and key, PEM) it speaks TLS on a second port.
    """
    folder, home = new_folder("redis-"), fetched("get-directories")
    words = [str(home / "redis-server"), "--port", "{port}", "--bind", HOST, "--dir", str(folder)]
    words += ["--save", "", "--appendonly", "no", *options]
    if certificate:
        words += ["--tls-port", "{tls}", "--tls-auth-clients", "no"]
        words += ["--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1])]
    store = Directory(folder, words=words)
    with store.running():
        yield store
