"""TLS as it is configured, with certificates made for the occasion."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from routing_engine.errors import ProviderUnreachable

from .conftest import erp, settings_of
from .test_http_wire import BY_CALLER

pytestmark = pytest.mark.io


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that signed a server for 127.0.0.1 and a client called `client`."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client", common_name="client")
    for name, one in (("server", server), ("client", client)):
        one.private_key_pem.write_to_path(folder / f"{name}.key")
        one.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = serialization.BestAvailableEncryption(b"x")
    form = serialization.PrivateFormat.PKCS8
    (folder / "locked.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    return folder


@pytest.fixture
async def tls_middleware(certificates: Path) -> AsyncIterator[str]:
    """A middleware that wants a client certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert") or {"subject": ((("commonName", "nobody"),),)}
        return web.json_response({"id": 1, "full_name": dict(part[0] for part in peer["subject"])["commonName"]})

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tls: {ca: ca.pem}", "nobody"),
        ("tls: {verify: false}", "nobody"),
        ("auth: {mtls: {certificate: client.pem, key: client.key, ca: ca.pem}}", "client"),
        ("tls: {ca: ca.pem}\nauth: {mtls: {certificate: client.pem, key: client.key}}", "client"),
    ],
)
async def test_tls_as_it_is_configured(tls_middleware: str, certificates: Path, text: str, name: str) -> None:
    provider = erp(tls_middleware, text, folder=certificates)
    (record,) = await provider.find(BY_CALLER)
    await provider.close()
    assert record.fields["name"] == name


async def test_an_unknown_certificate_is_refused(tls_middleware: str) -> None:
    provider = erp(tls_middleware)
    with pytest.raises(ProviderUnreachable, match="look at the certificates"):
        await provider.find(BY_CALLER)
    await provider.close()


@pytest.mark.parametrize("key", ["locked.key", "server.key", "ca.pem"])
def test_a_key_that_cannot_be_used_is_noted_at_once(certificates: Path, key: str) -> None:
    text = f"address: https://e.x/\nauth: {{mtls: {{certificate: client.pem, key: {key}}}}}"
    assert settings_of(text, certificates)[1] == ["a certificate or key cannot be used"]
