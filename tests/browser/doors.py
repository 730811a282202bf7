"""The ways to the page from outside: a proxy as the how-to has it, and a page of another site around it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from aiohttp import web

from tests.acceptance.engine import Engine
from tests.docs.pages import ROOT

from .office import give_password

HOW_TO = ROOT / "docs/how-to/tls.md"
EDGE_KEY = "e" * 20
#: Where Debian's nginx writes, and what stands around the server of the how-to.
AROUND = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
access_log off;
{temporary}
{written}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port() -> int:
    """Return a port of this machine that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Certificate:
    """One for 127.0.0.1 and localhost, which nobody believes."""

    def __init__(self, folder: Path) -> None:
        new = trustme.CA().issue_cert("localhost", "127.0.0.1")
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.chain.write_bytes(b"".join(one.bytes() for one in new.cert_chain_pems))
        self.key.write_bytes(new.private_key_pem.bytes())

    @property
    def context(self) -> ssl.SSLContext:
        """What a server proves itself with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


@asynccontextmanager
async def engine_of_anna(engine_yaml: str) -> AsyncIterator[Engine]:
    """Run an engine with the listener `http` and one person, without a telephone system of its own."""
    with TemporaryDirectory(prefix="doors-") as made:
        folder = Path(made)
        (folder / "routes").mkdir()
        (folder / "pbxs").mkdir()
        (folder / "routes/main.yaml").write_text("default: {to: {queue: all}}\n")
        (folder / "pbxs/far.yaml").write_text("edge: far\n")
        (folder / "users.yaml").write_text("anna: {name: Anna, email: anna@example.com, phones: [far/201]}\n")
        (folder / "keys").mkdir()
        (folder / "keys/far").write_text(EDGE_KEY)
        (folder / "keys/far").chmod(0o600)
        keys = "api_keys: {far: {key: {file: keys/far}, may: [edge]}}\n"
        listeners = "listeners: {fastagi: 127.0.0.1:0, http: 127.0.0.1:0}\njournal: none\nregion: AT\n"
        (folder / "engine.yaml").write_text(listeners + keys + engine_yaml)
        async with Engine.serving(folder) as engine:
            await give_password(engine, "anna")
            yield engine
            assert engine.complaints == []


@asynccontextmanager
async def nginx_before(engine: Engine, folder: Path, port: int) -> AsyncIterator[str]:
    """Run nginx with the server of the how-to, word for word but for ports and files; return its address."""
    certificate = Certificate(folder)
    written = next(block for block in re.findall(r"```nginx\n(.*?)```", HOW_TO.read_text(), re.S) if "listen" in block)
    for there, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/letsencrypt/live/calls.example.com/fullchain.pem", str(certificate.chain)),
        ("/etc/letsencrypt/live/calls.example.com/privkey.pem", str(certificate.key)),
        ("http://127.0.0.1:8473", f"http://{engine.http}"),
    ):
        assert there in written
        written = written.replace(there, here)
    temporary = "\n".join(f"{one}_temp_path {folder}/{one};" for one in _TEMPORARY)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, temporary=temporary, written=written))
    program = await asyncio.to_thread(_nginx)
    process = await asyncio.create_subprocess_exec(program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")
    try:
        while True:
            assert process.returncode is None, "nginx did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            break
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def _nginx() -> Path:
    told = subprocess.run([ROOT / "rig/get-nginx"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(told.stdout.split()[-1]) / "nginx"


@asynccontextmanager
async def page_around(inside: str, folder: Path, port: int) -> AsyncIterator[str]:
    """Serve a page of another site, over TLS, that shows an address in a frame."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(
            text=f"<h1>CRM</h1><iframe src='{inside}' width=900 height=600></iframe>", content_type="text/html"
        )

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=Certificate(folder).context).start()
    try:
        yield f"https://localhost:{port}/"
    finally:
        await runner.cleanup()
