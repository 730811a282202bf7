"""`routing-engine dial` against a service that tells how a call goes on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

LEG = {"phone": "main/201", "result": None}
RINGING: dict[str, Any] = {
    **{"id": "c1", "to": "+436641234567", "state": "ringing", "legs": [LEG]},
    **dict.fromkeys(("outcome", "talk_s", "cause")),
}
ANSWERED = [{**RINGING, "state": "talking"}, {**RINGING, "state": "ended", "outcome": "answered", "talk_s": 12.2}]
BUSY = [{**RINGING, "state": "ended", "outcome": "unanswered", "legs": [{**LEG, "result": "busy"}]}]
FAILED = [{**RINGING, "state": "ended", "outcome": "failed", "cause": 1}]


class Service:
    """Answers requests to dial, and then each question with the next state of the call."""

    def __init__(self, states: list[dict[str, Any]], refused: str = "") -> None:
        self.asked: list[tuple[str, str, Any, str]] = []
        self._states: Iterator[dict[str, Any]] = iter(states)
        self._refused = refused

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body, request.headers["Authorization"]))
        if self._refused:
            error = {
                "code": self._refused,
                "message": "the phone 'main/201' is not registered",
                "remedy": "switch it on",
            }
            return web.json_response({"error": error}, status=409)
        if request.method == "POST":
            return web.json_response(RINGING, status=202)
        return web.json_response(next(self._states))

    @asynccontextmanager
    async def at(
        self, folder: Path, may: str = "[dial, calls.read]", own: trustme.LeafCert | None = None
    ) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_route("*", "/{place:.*}", self.answer)
        server = TestServer(app)
        await server.start_server(ssl=None if own is None else _context(own))
        try:
            folder.mkdir(exist_ok=True)
            http = f"127.0.0.1:{server.port}"
            if own is not None:
                http = f"{{address: '{http}', tls: {{certificate: own.pem, key: own.key}}}}"
            keys = f"{{desk: {{key: '${{DESK}}', may: {may}}}, other: {{key: '${{OTHER}}', may: [calls.read]}}}}"
            text = f"listeners: {{fastagi: 127.0.0.1:4573, http: {http}}}\napi_keys: {keys}\n"
            (folder / "engine.yaml").write_text(text)
            (folder / "environment").write_text(f"DESK={'d' * 20}\nOTHER={'o' * 20}\n")
            (folder / "environment").chmod(0o600)
            yield
        finally:
            await server.close()


def _context(own: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.configure_cert(context)
    return context


def dialled(
    run: Run,
    folder: Path,
    service: Service,
    *words: str,
    may: str = "[dial, calls.read]",
    own: trustme.LeafCert | None = None,
) -> Any:
    async def go() -> Any:
        async with service.at(folder, may, own):
            return await asyncio.to_thread(run, "--config", str(folder), "dial", *words)

    return asyncio.run(go())


def test_a_call_is_followed_to_its_end(run: Run, tmp_path: Path) -> None:
    service = Service(ANSWERED)
    code, out, _ = dialled(run, tmp_path, service, "anna", "0664 1234567", "--phone", "main/201")
    assert code == 0
    lines = out.splitlines()
    assert lines == ["the phone of anna rings, then +436641234567 is called (c1)", "talking", "answered, 12 s"]
    method, path, body, who = service.asked[0]
    assert (method, path, who) == ("POST", "/v1/calls", f"Bearer {'d' * 20}")
    assert body == {"user": "anna", "to": "0664 1234567", "phone": "main/201", "caller_id": None}


@pytest.mark.parametrize(
    ("states", "said"),
    [(BUSY, "unanswered: the user's own phone says busy"), (FAILED, "failed (cause 1)")],
)
def test_how_it_came_out_is_told_apart(run: Run, tmp_path: Path, states: list[dict[str, Any]], said: str) -> None:
    code, out, _ = dialled(run, tmp_path, Service(states), "anna", "0664")
    assert (code, out.splitlines()[-1]) == (1, said)


def test_a_key_that_may_not_look_dials_and_that_is_all(run: Run, tmp_path: Path) -> None:
    service = Service([])
    code, _, _ = dialled(run, tmp_path, service, "anna", "0664", may="[dial]")
    assert (code, len(service.asked)) == (0, 1)


def test_a_listener_with_tls_is_known_by_its_certificate(run: Run, tmp_path: Path) -> None:
    own, other = (trustme.CA().issue_cert("calls.example.com") for _ in range(2))
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    code, out, _ = dialled(run, tmp_path, Service(ANSWERED), "anna", "0664", own=own)
    assert (code, out.splitlines()[-1]) == (0, "answered, 12 s")
    strange = Service(ANSWERED)
    code, _, err = dialled(run, tmp_path, strange, "anna", "0664", own=other)
    assert (code, strange.asked) == (1, [])
    assert "does not answer" in err


def test_programs_get_the_call(run: Run, tmp_path: Path) -> None:
    _, out, _ = dialled(run, tmp_path, Service(ANSWERED), "anna", "0664", "--json")
    assert as_json(out)["outcome"] == "answered"


def test_a_refusal_is_told_with_its_remedy(run: Run, tmp_path: Path) -> None:
    code, _, err = dialled(run, tmp_path, Service([], "no_phone"), "anna", "0664")
    assert (code, err) == (
        1,
        "routing-engine: the phone 'main/201' is not registered; switch it on\n",
    )


def test_a_folder_without_a_key_that_may_dial_is_told_what_to_write(run: Run, tmp_path: Path) -> None:
    code, _, err = dialled(run, tmp_path, Service([]), "anna", "0664", may="[events]")
    assert code == 2
    assert "may: [dial, calls.read]" in err


def test_a_service_that_is_not_there_is_no_traceback(run: Run, tmp_path: Path) -> None:
    text = "listeners: {http: 127.0.0.1:1}\napi_keys: {desk: {key: '${DESK}', may: [dial]}}\n"
    (tmp_path / "engine.yaml").write_text(text)
    (tmp_path / "environment").write_text(f"DESK={'d' * 20}\n")
    (tmp_path / "environment").chmod(0o600)
    code, _, err = run("--config", str(tmp_path), "dial", "anna", "0664")
    assert code == 1
    assert "does not answer" in err
