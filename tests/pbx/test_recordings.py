"""Recordings of a PBX: where a name leads and where it must not, when one is final, and how it is passed on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.calls.ports import SoundFile
from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.pbx.recordings import PIECE, AriRecordings, FolderRecordings, places, recordings_of
from routing_engine.settings.pbx import AriKeys, PbxKeys, RecordingsFolder

SPOOL = "/var/spool/asterisk"


def wav(seconds: float, said: float | None = None) -> bytes:
    """A file of 8 kHz as Asterisk writes it; `said` is what its head says while it is still open."""
    sound = bytes(int(seconds * 16000))
    length = len(sound) if said is None else int(said * 16000)
    head = b"RIFF" + (36 + length).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\1\0\1\0" + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\2\0\x10\0"
    return head + b"data" + length.to_bytes(4, "little") + sound


async def read(sound: SoundFile) -> list[bytes]:
    return [piece async for piece in sound.open()]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (f"{SPOOL}/recording/2026/11/x.wav", "2026/11/x.wav"),
        (f"{SPOOL}/monitor/../recording/crm/x.wav", "crm/x.wav"),
        (f"{SPOOL}/monitor/2026/11/30/in-1.wav", "monitor/2026/11/30/in-1.wav"),
        ("out-0664-201-20261130-120000-17951.8", "monitor/2026/11/30/out-0664-201-20261130-120000-17951.8"),
        ("x.wav", "x.wav"),
    ],
)
def test_a_name_of_the_events_leads_to_a_place(name: str, first: str) -> None:
    assert places(name)[0] == first


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "a\nb.wav", "\0", "x" * 1001])
def test_what_is_no_name_leads_nowhere(name: str) -> None:
    assert places(name) == ()


@pytest.mark.parametrize("name", ["../../etc/passwd", f"{SPOOL}/recording/../../../../etc/passwd", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert all(not place.startswith(("/", "..")) and "/.." not in place for place in places(name))


def test_a_pbx_says_where_its_recordings_are() -> None:
    assert recordings_of(PbxKeys()) is None
    assert isinstance(recordings_of(PbxKeys(recordings=RecordingsFolder("/x"))), FolderRecordings)
    ari = PbxKeys(ari=AriKeys("http://127.0.0.1:8088", "reader", "word"), recordings="ari")
    assert isinstance(recordings_of(ari), AriRecordings)


# ------------------------------------------------------------------------------------------------------- a folder

pytestmark = pytest.mark.io


async def test_a_recording_is_passed_on_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026" / "x.wav").write_bytes(wav(10))
    sound = await FolderRecordings(tmp_path).find(f"{SPOOL}/recording/2026/x.wav")
    assert sound is not None
    pieces = await read(sound)
    assert (sound.name, sound.seconds, sound.media_type, sound.size) == ("x.wav", 10, "audio/wav", 160044)
    assert (b"".join(pieces), max(map(len, pieces))) == (wav(10), PIECE)
    assert await read(sound) == pieces  # a request may be repeated


async def test_a_recording_that_is_still_written_is_not_final(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(2, said=0))
    recordings = FolderRecordings(tmp_path)
    assert await recordings.find("x.wav") is None
    assert await recordings.find("x.wav") is None  # also when it stands still: Asterisk writes in large steps
    (tmp_path / "x.wav").write_bytes(wav(3))
    assert await recordings.find("x.wav") is not None


async def test_what_has_no_head_is_final_when_it_has_stopped_growing(tmp_path: Path) -> None:
    (tmp_path / "x.gsm").write_bytes(b"\xd0" * 500)
    recordings = FolderRecordings(tmp_path)
    assert await recordings.find("x.gsm") is None
    (tmp_path / "x.gsm").write_bytes(b"\xd0" * 900)
    assert await recordings.find("x.gsm") is None
    found = await recordings.find("x.gsm")
    assert found is not None
    assert found.media_type == "audio/gsm"


async def test_links_lead_out_of_the_folder_as_little_as_names(tmp_path: Path) -> None:
    folder, outside = tmp_path / "recording", tmp_path / "secret.wav"
    folder.mkdir()
    outside.write_bytes(wav(1))
    (folder / "link.wav").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    recordings = FolderRecordings(folder)
    for name in ("link.wav", "/recording/up/secret.wav", "../secret.wav", str(outside)):
        assert await recordings.find(name) is None


async def test_a_pipe_in_the_folder_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.wav")
    assert await FolderRecordings(tmp_path).find("x.wav") is None


async def test_freepbx_gives_a_name_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "2026/11/30").mkdir(parents=True)
    (tmp_path / "2026/11/30/q-600-0664-20261130-120000-1.2.wav").write_bytes(wav(1))
    assert await FolderRecordings(tmp_path).find("q-600-0664-20261130-120000-1.2") is not None


# ------------------------------------------------------------------------------------------------------------ ARI


@dataclass
class Stored:
    """What ARI has, by its name; `asked` are the paths as they came."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    port: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.raw_path)
        if self.status != 200:
            return web.Response(status=self.status)
        found = self.files.get(request.match_info["name"])
        return web.Response(status=404) if found is None else web.Response(body=found)


@pytest.fixture
async def stored() -> AsyncIterator[Stored]:
    stored, app = Stored(), web.Application()
    app.router.add_get("/ari/recordings/stored/{name}/file", stored.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stored.port = runner.addresses[0][1]
    yield stored
    await runner.cleanup()


@pytest.fixture
async def ari(stored: Stored) -> AsyncIterator[AriRecordings]:
    recordings = AriRecordings(AriKeys(f"http://127.0.0.1:{stored.port}", "reader", "word"))
    yield recordings
    await recordings.close()


async def test_ari_is_asked_by_a_name_that_is_encoded_whole(stored: Stored, ari: AriRecordings) -> None:
    stored.files["2026/11/x"] = wav(10)
    sound = await ari.find(f"{SPOOL}/recording/2026/11/x.wav")
    assert sound is not None
    assert stored.asked == ["/ari/recordings/stored/2026%2F11%2Fx/file"]
    assert (b"".join(await read(sound)), sound.seconds, sound.name) == (wav(10), 10, "x.wav")


async def test_a_recording_that_ari_does_not_have_is_not_there_yet(stored: Stored, ari: AriRecordings) -> None:
    stored.files["x"] = wav(2, said=0)
    assert await ari.find("y.wav") is None
    assert await ari.find("x.wav") is None  # ARI hands out what is still written


@pytest.mark.parametrize(
    ("status", "fault"), [(401, ProviderRefused), (403, ProviderRefused), (500, ProviderUnreachable)]
)
async def test_what_ari_says_otherwise_names_who_must_act(
    stored: Stored, ari: AriRecordings, status: int, fault: type[Exception]
) -> None:
    stored.status = status
    with pytest.raises(fault):
        await ari.find("x.wav")


async def test_an_asterisk_that_is_away_is_asked_again_later() -> None:
    recordings = AriRecordings(AriKeys("http://127.0.0.1:1", "reader", "word"))
    with pytest.raises(ProviderUnreachable):
        await recordings.find("x.wav")
    await recordings.close()
