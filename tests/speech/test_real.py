"""The real espeak-ng and sox, and a real Asterisk that plays what they made."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import pytest

from rig.stage import stage
from routing_engine.settings.speech import SpeechSettings
from routing_engine.speech.command import CommandSpeech

pytestmark = pytest.mark.asterisk


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandSpeech:
    folder = subprocess.run(["rig/get-speech"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return CommandSpeech(SpeechSettings(folder=tmp_path / "speech", timeout_s=20))


def seconds(name: str | None) -> float:
    with wave.open(f"{name}.wav") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return sound.getnframes() / 8000


async def test_the_local_synthesiser_is_there_and_speaks_both_languages(speech):
    assert speech.problem() is None
    assert await speech.check(["de", "en", "de_AT", ""]) == []


async def test_a_name_is_spoken_and_asterisk_plays_it(speech):
    name = await speech.sound("Guten Tag, Frau Müller. Ihre Bestellung 4711 ist unterwegs.", "de")
    dialplan = f"[from-trunk]\nexten => 1,1,Answer()\n same => n,Playback({name})\n same => n,Hangup()\n"
    async with stage(dialplan, phones=()) as (asterisk, phone):
        call = await phone.dial(asterisk.sip_address, "1", caller="+436641234567")
        await call.answered()
        await call.ended()
    assert 3 < seconds(name) < 8
    assert call.sound_heard_s > seconds(name) / 2


@pytest.mark.parametrize("text", ["-v fr one", "--help", "-f /etc/passwd", "$(sleep 9)", "a\0b", "'\"", "x" * 500])
async def test_a_hostile_text_is_said_or_not_and_does_nothing_else(speech, text, tmp_path):
    name = await speech.sound(text, "en")
    assert (name is None) == (text == "'\"")
    assert len(list((tmp_path / "speech").glob("*"))) == (name is not None)


MARKUP = [
    ("[[h@l'oU]] Ann", "h@l'oU Ann"),
    ("<break time='9s'/> Ann", "break time='9s'/ Ann"),
    ("\x01200V Ann", "200V Ann"),
]


@pytest.mark.parametrize(("text", "plain"), MARKUP)
async def test_markup_is_read_out_and_not_followed(speech, text, plain):
    name = await speech.sound(text, "en")
    assert name == await speech.sound(plain, "en")
    assert seconds(name) < 4


async def test_500_characters_are_spoken_within_a_second_or_two(speech):
    assert seconds(await speech.sound("Ihre Bestellung ist unterwegs. " * 17, "de")) > 20
