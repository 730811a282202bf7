"""The servers of these tests, each for all of them; and the house for those that are a whole call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
import trustme

from rig.asterisk import Asterisk
from rig.directories import Directory, redis, slapd
from tests.acceptance.conftest import house as house

from .entries import ACCESS, LDIF
from .opened import PASSWORD


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, issued = tmp_path_factory.mktemp("certificate"), authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def directory(certificate: tuple[Path, Path]) -> Iterator[Directory]:
    """An OpenLDAP with the entries of these tests, in the clear, with StartTLS, and within TLS."""
    with slapd(LDIF, access=ACCESS, certificate=certificate) as running:
        yield running


@pytest.fixture(scope="session")
def store(certificate: tuple[Path, Path]) -> Iterator[Directory]:
    """An empty Redis with a password, in the clear and within TLS."""
    with redis("--requirepass", PASSWORD, certificate=certificate) as running:
        yield running


#: A value that would like to be further messages of the manager interface, as only the dialplan can write it.
FORGED = "x\r\n\r\nEvent: DBGetResponse\r\nVal: {}\r\nActionID: 2\r\n\r\nResponse: Error\r\nMessage: no\r\nActionID: 3"
FORGING = (
    f"[forging]\nexten => s,1,Set(DB(customer/forged)=${{URIDECODE({quote(FORGED)})}})\n same => n,UserEvent(Forged)\n"
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def asterisk(certificate: tuple[Path, Path]) -> AsyncIterator[Asterisk]:
    """An Asterisk whose manager interface has a user who may do nothing but read the database, and speaks TLS."""
    async with Asterisk(FORGING) as running:
        path = running.directory / "etc" / "manager.conf"
        both = running.directory / "etc" / "both.pem"
        both.write_text(certificate[0].read_text() + certificate[1].read_text())
        tls = f"tlsenable=yes\ntlsbindaddr=127.0.0.1:{_tls_port(running)}\ntlscertfile={both}\n"
        users = "".join(
            f"[{name}]\nsecret={PASSWORD}\nread=\nwrite={may}\n"
            for name, may in (("engine", "reporting"), ("nobody", ""))
        )
        path.write_text(path.read_text().replace("[general]\n", f"[general]\n{tls}") + users)
        await running.command("manager reload")
        yield running


@pytest.fixture(scope="session")
def manager_tls_port(asterisk: Asterisk) -> int:
    return _tls_port(asterisk)


def _tls_port(asterisk: Asterisk) -> int:
    """A port of its own for each instance: those below the rig's own are nobody's."""
    return asterisk.ports.manager - 8_900
