"""The certificate of a listener: taken, renewed, and left in place while the new one is not whole."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from routing_engine.certificates import CertificateFiles, ListenerCertificate, keep_renewed
from routing_engine.engine import open_store
from routing_engine.settings.people import People
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.openapi import OpenApi

pytestmark = pytest.mark.io

AUTHORITY = trustme.CA()


def write(folder: Path) -> CertificateFiles:
    """Write a new certificate for localhost over what is there."""
    new = AUTHORITY.issue_cert("localhost")
    (folder / "key.pem").write_bytes(new.private_key_pem.bytes())
    (folder / "chain.pem").write_bytes(b"".join(one.bytes() for one in new.cert_chain_pems))
    return CertificateFiles(folder / "chain.pem", folder / "key.pem")


async def serial_of(port: int) -> object:
    """Connect as a browser does; return what the certificate is known by."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return found


async def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    told: list[str] = []
    certificate = ListenerCertificate(write(tmp_path), told.append)
    certificate.renew()
    api = ApiListener((OpenApi((), "1"),), Access((), People(), lambda: 0.0))
    await api.listen("localhost", 0, certificate.context)
    port = int(api.addresses[0].rpartition(":")[2])
    first = await serial_of(port)
    write(tmp_path)
    certificate.renew()
    certificate.renew()
    assert await serial_of(port) != first
    assert told == ["", ""]
    await api.stop()


@pytest.mark.parametrize("damage", ["other key", "no key", "no PEM", "half"])
async def test_one_that_is_not_whole_leaves_the_one_before(tmp_path: Path, damage: str) -> None:
    told: list[str] = []
    files = write(tmp_path)
    certificate = ListenerCertificate(files, told.append)
    certificate.renew()
    api = ApiListener((OpenApi((), "1"),), Access((), People(), lambda: 0.0))
    await api.listen("localhost", 0, certificate.context)
    port = int(api.addresses[0].rpartition(":")[2])
    before, key = await serial_of(port), files.key.read_bytes()
    write(tmp_path)
    new = {"other key": key, "no PEM": b"hello", "half": files.key.read_bytes()[:100], "no key": b""}[damage]
    files.key.write_bytes(new)
    certificate.renew()
    assert await serial_of(port) == before
    assert told[0] == ""
    assert told[1]
    await api.stop()


async def test_without_one_nobody_connects_until_it_is_there(tmp_path: Path) -> None:
    told: list[str] = []
    certificate = ListenerCertificate(CertificateFiles(tmp_path / "chain.pem", tmp_path / "key.pem"), told.append)
    certificate.renew()
    api = ApiListener((OpenApi((), "1"),), Access((), People(), lambda: 0.0))
    await api.listen("localhost", 0, certificate.context)
    port = int(api.addresses[0].rpartition(":")[2])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await serial_of(port)
    taken = asyncio.Event()
    write(tmp_path)
    looking = asyncio.create_task(keep_renewed(replace_tell(certificate, taken), 0.01))
    async with asyncio.timeout(60):
        await taken.wait()
    assert await serial_of(port)
    looking.cancel()
    assert told == ["No such file or directory"]
    await api.stop()


def replace_tell(certificate: ListenerCertificate, taken: asyncio.Event) -> ListenerCertificate:
    certificate._tell = lambda fault: None if fault else taken.set()
    return certificate


def test_check_tells_of_one_that_cannot_be_used_and_calls_go_on(tmp_path: Path) -> None:
    http = "{address: 0.0.0.0:8473, tls: {certificate: chain.pem, key: key.pem}}"
    (tmp_path / "engine.yaml").write_text(f"listeners: {{fastagi: 127.0.0.1:4573, http: {http}}}\n")
    assert any("No such file" in one.sentence for one in open_store(tmp_path).load().remarks)
    write(tmp_path)
    assert not any("http" in one.sentence for one in open_store(tmp_path).load().remarks)


def test_old_protocols_are_not_spoken(tmp_path: Path) -> None:
    files = write(tmp_path)
    assert replace(files).fault == ""
    certificate = ListenerCertificate(files, lambda _: None)
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
