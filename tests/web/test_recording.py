"""`GET /v1/calls/{id}/recording`: whole and in parts, from an ARI that knows no parts, and who may not hear it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestServer

from routing_engine.calls.call import Call, CallRecording
from routing_engine.calls.ports import SoundFile
from routing_engine.calls.tracker import TrackedCall
from routing_engine.errors import UnknownCall
from routing_engine.pbx.recordings import AriRecordings
from routing_engine.settings.pbx import AriKeys
from routing_engine.settings.people import User
from routing_engine.web.recording_api import MOST_AT_ONCE, RecordingApi
from routing_engine.web.requests import Actor, ApiRequest
from tests.pbx.test_recordings import wav

from .site import CALL, READS, TELLS, Site, site

pytestmark = pytest.mark.io

SOUND = wav(20)
ENDED = replace(CALL, state="ended", recording=CallRecording("pending", name="/var/spool/asterisk/recording/x.wav"))


class Ari:
    """An Asterisk that hands out whole recordings only, whatever part is asked for."""

    def __init__(self) -> None:
        self.status, self.sent = 200, 0
        self.gate: asyncio.Event | None = None

    async def answer(self, request: http.Request) -> http.StreamResponse:
        if self.status != 200:
            return http.Response(status=self.status)
        response = http.StreamResponse(headers={"Content-Type": "audio/wav"})
        response.content_length = len(SOUND)
        await response.prepare(request)
        for start in range(0, len(SOUND), 4096):
            if start and self.gate is not None:
                await self.gate.wait()
            await response.write(SOUND[start : start + 4096])
            self.sent += 4096
        return response


class OneSite:
    def __init__(self, recordings: AriRecordings) -> None:
        self._recordings = recordings

    async def sound_of(self, call: Call) -> SoundFile | None:
        return None if call.recording.name is None else await self._recordings.find(call.recording.name)


@pytest.fixture
async def ari() -> AsyncIterator[tuple[Ari, OneSite]]:
    asterisk = Ari()
    app = http.Application()
    app.router.add_get("/ari/recordings/stored/{name}/file", asterisk.answer)
    async with TestServer(app) as server:
        recordings = AriRecordings(AriKeys(str(server.make_url("")), "reader", "word"))
        yield asterisk, OneSite(recordings)
        await recordings.close()


@pytest.fixture
async def web(tmp_path: Path, ari: tuple[Ari, OneSite]) -> AsyncIterator[Site]:
    async with site(tmp_path, lambda book, _: (RecordingApi(book, ari[1]),)) as found:
        await found.book.take([TrackedCall(ENDED, ("call.ended",))])
        yield found


async def hear(web: Site, key: str = READS, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    asked = {"Authorization": f"Bearer {key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with web.session.get(f"{web.url}/v1/calls/c1/recording", headers=asked) as answer:
        return answer, await answer.read()


async def test_a_recording_is_played_whole_with_its_length(web: Site) -> None:
    answer, body = await hear(web)
    assert (answer.status, body == SOUND, answer.content_length) == (200, True, len(SOUND))
    assert (answer.headers["Accept-Ranges"], answer.content_type) == ("bytes", "audio/wav")
    # The PBX's name of the file says who called whom.
    assert answer.headers["Content-Disposition"] == 'inline; filename="c1.wav"'


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(SOUND)),
        ("bytes=100-199", 100, 200),
        ("bytes=70000-199999", 70000, 200000),
        ("bytes=200000-", 200000, len(SOUND)),
        ("bytes=-10", len(SOUND) - 10, len(SOUND)),
        ("bytes=-9999999", 0, len(SOUND)),
        ("bytes=319999-99999999", 319999, len(SOUND)),
        ("Bytes= 5 - 9", 5, 10),
    ],
)
async def test_a_part_is_what_was_asked_for(web: Site, asked: str, start: int, end: int) -> None:
    answer, body = await hear(web, Range=asked)
    assert (answer.status, body == SOUND[start:end]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(SOUND)}"


@pytest.mark.parametrize("asked", ["bytes=999999-", "bytes=-0", f"bytes={len(SOUND)}-"])
async def test_a_part_that_is_not_there_is_told(web: Site, asked: str) -> None:
    answer, body = await hear(web, Range=asked)
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(SOUND)}")
    assert b"no_such_part" in body


@pytest.mark.parametrize("asked", ["bytes=0-1,5-9", "lines=0-1", "bytes=9-5", "bytes=-", "bytes=a-b", "0-1"])
async def test_what_is_no_single_part_gives_the_whole(web: Site, asked: str) -> None:
    answer, body = await hear(web, Range=asked)
    assert (answer.status, len(body)) == (200, len(SOUND))


async def test_a_part_of_something_else_gives_the_whole(web: Site) -> None:
    answer, _ = await hear(web)
    tag = answer.headers["ETag"]
    assert (await hear(web, Range="bytes=0-9", If_Range=tag))[0].status == 206
    assert (await hear(web, Range="bytes=0-9", If_Range='"other"'))[0].status == 200
    assert (await hear(web, If_None_Match=tag))[0].status == 304


async def test_what_lies_behind_a_part_is_not_fetched(web: Site, ari: tuple[Ari, OneSite]) -> None:
    ari[0].gate = asyncio.Event()  # the PBX sends the first piece and no more
    _, body = await hear(web, Range="bytes=44-99")
    assert body == SOUND[44:100]


async def test_a_recording_that_is_not_there_and_a_pbx_that_is_down_are_told(
    web: Site, ari: tuple[Ari, OneSite]
) -> None:
    for status, told in ((404, (404, b"no_recording")), (401, (502, b"recording_refused")), (500, (503, b"pbx_down"))):
        ari[0].status = status
        answer, body = await hear(web)
        assert (answer.status, told[1] in body) == (told[0], True)


async def test_so_many_listen_at_once_and_no_more(web: Site, ari: tuple[Ari, OneSite]) -> None:
    ari[0].gate = asyncio.Event()
    url, headers = f"{web.url}/v1/calls/c1/recording", {"Authorization": f"Bearer {READS}"}
    listening = [await web.session.get(url, headers=headers) for _ in range(MOST_AT_ONCE)]
    assert (await hear(web))[0].status == 429
    ari[0].gate.set()
    assert [len(await answer.read()) for answer in listening] == [len(SOUND)] * MOST_AT_ONCE
    assert (await hear(web))[0].status == 200


async def test_nobody_hears_without_the_right(web: Site) -> None:
    assert (await hear(web, TELLS))[0].status == 403
    assert (await hear(web, "wrong"))[0].status == 401


class Wrong:
    """A PBX whose recordings nobody may look for."""

    async def sound_of(self, call: Call) -> SoundFile | None:
        raise AssertionError("asked for a call that nobody may hear")


async def test_another_persons_recording_is_not_there(web: Site) -> None:
    otto = Actor("otto", frozenset({"calls.read"}), User("otto", "Otto"))
    answer = RecordingApi(web.book, Wrong()).endpoints()[0].answer
    with pytest.raises(UnknownCall):
        await answer(ApiRequest(otto, {"id": "c1"}))
