"""Texts become files that Asterisk plays: once, in time, and never more than a text."""

from __future__ import annotations

import asyncio
import os
import re
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fakes import FakeSpeech
from structlog.testing import capture_logs

from routing_engine.core.events import Event, TextSpoken
from routing_engine.core.prompts import SOUND
from routing_engine.settings.speech import SpeechSettings
from routing_engine.speech.command import CommandSpeech, ObservedSpeech

from .studio import Studio

pytestmark = pytest.mark.io

PLACES = max(2, os.cpu_count() or 2)
Opener = Callable[..., CommandSpeech]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


@pytest.fixture
async def speech(studio: Studio) -> AsyncIterator[Opener]:
    opened = []

    def open_speech(words: str = "{file}", longest_s: float = 30.0, **changed: object) -> CommandSpeech:
        opened.append(CommandSpeech(studio.settings(words, **changed), longest_s=longest_s))  # type: ignore[arg-type]
        return opened[-1]

    yield open_speech
    for one in opened:
        await one.close()


def form(name: str | None) -> tuple[int, int, int]:
    with wave.open(f"{name}.wav") as sound:
        assert sound.getnframes() > 1000
        return sound.getnchannels(), sound.getsampwidth(), sound.getframerate()


# ----------------------------------------------------------------------------------------- what is made


@pytest.mark.parametrize("words", ["{file}", "{file} {text}", "{file} {text_file}", "", "--out={file}"])
async def test_a_text_becomes_a_sound_that_asterisk_plays(speech, studio, words):
    name = await speech(words).sound("Good morning", "en")
    assert SOUND.match(str(Path(name).relative_to(studio.home)))  # the folder above may be long on some machine
    assert form(name) == (1, 2, 8000)


async def test_the_second_caller_hears_what_the_first_one_had_made(speech, studio):
    one, other = speech(), speech()
    assert await one.sound("Good morning", "en") == await other.sound(" Good  morning ", "en")
    assert len(studio.runs()) == 1


async def test_another_voice_language_or_text_is_another_sound(speech, studio):
    one = speech(voices={"en": "Ann"})
    other = speech(voices={"en": "Eva"})
    names = [await one.sound("Hi", "en"), await one.sound("Hi", "de"), await one.sound("Ho", "en")]
    assert len({*names, await other.sound("Hi", "en")}) == 4


async def test_the_command_is_told_language_and_voice(speech, studio):
    await speech("{file} -l {language} -v {voice}", voices={"de": "Eva"}).sound("Hallo", "de_AT")
    assert studio.runs()[0]["words"][1:] == ["-l", "de_AT", "-v", "Eva"]


async def test_a_language_that_is_none_is_english(speech, studio):
    await speech("{file} {language}").sound("Hi", "--path=/etc")
    assert studio.runs()[0]["words"][1] == "en"


async def test_a_file_is_for_asterisks_group_and_nobody_else(speech, studio):
    before = os.umask(0o077)
    try:
        name = await speech(folder=studio.home / "a" / "sounds").sound("Hi", "en")
    finally:
        os.umask(before)
    modes = [(studio.home / one).stat().st_mode & 0o777 for one in ("a", "a/sounds", f"{name}.wav")]
    assert [oct(mode) for mode in modes] == ["0o755", "0o750", "0o640"]


async def test_nothing_but_the_sound_stays(speech, studio):
    name = await speech().sound("Hi", "en")
    assert studio.kept() == [f"{Path(name).name}.wav"]


async def test_a_header_without_a_length_is_made_right(speech, studio, tmp_path):
    (tmp_path / "make.py").write_text(
        "import sys, wave, io\nout = io.BytesIO()\nsound = wave.open(out, 'wb')\n"
        "sound.setparams((1, 2, 8000, 0, 'NONE', ''))\nsound.writeframes(b'ab' * 4000)\n"
        "wav = bytearray(out.getvalue())\nwav[40:44] = b'\\xff\\xff\\xff\\x7f'\nsys.stdout.buffer.write(wav)\n"
    )
    one = CommandSpeech(SpeechSettings(("python3", str(tmp_path / "make.py")), studio.sounds))
    with wave.open(f"{await one.sound('Hi', 'en')}.wav") as sound:
        assert sound.getnframes() == 4000


# ----------------------------------------------------------------------------------------- a text is a text

HOSTILE = [
    "-v fr",
    "--help",
    "$(touch broken)",
    "`touch broken`; touch broken | cat > broken",
    "a 'b' \"c\" {file} {voice}",
    "@/etc/passwd",
    "Ann\0e",
    "x" * 500,
    "😀 Łódź",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("words", ["{file}", "{file} {text}", "{file} {text_file}"])
async def test_nothing_of_a_text_is_interpreted(speech, studio, monkeypatch, words, text):
    monkeypatch.chdir(studio.home)
    assert await speech(words).sound(text, "en") is not None
    said = " ".join(re.split(r"[\0\s>]+", text))
    (run,) = studio.runs()
    given = {"{file}": run["stdin"], "{file} {text}": run["words"][-1], "{file} {text_file}": run["text_file"]}[words]
    assert given.strip() == said
    assert not (studio.home / "broken").exists()


@pytest.mark.parametrize("text", ["", " ", "...", "\0", "[[]]"])
async def test_where_there_is_nothing_to_say_nobody_is_asked(speech, studio, text):
    assert await speech().sound(text, "en") is None
    assert studio.runs() == []


# ----------------------------------------------------------------------------------------- many at once


async def test_callers_who_want_the_same_share_one_run(speech, studio):
    one = speech()
    names = await asyncio.gather(*(one.sound("Hi", "en") for _ in range(20)))
    assert len(set(names)) == len(studio.runs()) == 1


async def test_who_waited_too_long_hears_nothing_and_the_next_one_has_it(speech, studio):
    one = speech(timeout_s=0.1)
    with capture_logs() as logs:
        async with studio.gate() as gate:
            assert await one.sound("Hi", "en") is None
            await gate.entered()
        one.prepare([("Hi", "en")])
        await one.prepared()
    assert await one.sound("Hi", "en") is not None
    assert len(studio.runs()) == 1
    assert [(entry["event"], entry["why"]) for entry in logs] == [("speech.down", "it took longer than 0.1 s")]


async def test_a_run_that_takes_far_too_long_is_ended(speech, studio):
    one = speech(longest_s=3)
    async with studio.gate() as gate:
        waits = asyncio.create_task(one.sound("Hi", "en"))
        await gate.entered()
        assert await waits is None
        assert_gone(studio.runs()[0]["pid"])
    assert studio.kept() == []


async def test_closing_ends_what_is_under_way(speech, studio):
    one = speech()
    async with studio.gate() as gate:
        waits = asyncio.create_task(one.sound("Hi", "en"))
        await gate.entered()
        await one.close()
        assert await waits is None
        assert_gone(studio.runs()[0]["pid"])
    assert studio.kept() == []


async def test_a_caller_who_hangs_up_does_not_take_the_sound_from_another(speech, studio):
    one = speech()
    async with studio.gate() as gate:
        leaves, stays = (asyncio.create_task(one.sound("Hi", "en")) for _ in range(2))
        await gate.entered()
        leaves.cancel()
    assert await stays is not None


async def test_what_nobody_waits_for_before_its_turn_is_never_run(speech, studio):
    one = speech()
    async with studio.gate() as gate:
        busy = [asyncio.create_task(one.sound(f"text {number}", "en")) for number in range(PLACES)]
        for _ in busy:
            await gate.entered()
        leaves = asyncio.create_task(one.sound("left too early", "en"))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.wait({leaves})
    assert all(await asyncio.gather(*busy))
    assert await one.sound("another", "en") is not None
    assert "left too early\n" not in [run["stdin"] for run in studio.runs()]


async def test_no_more_run_at_once_than_there_are_places(speech, studio):
    one = speech()
    async with studio.gate() as gate:
        every = [asyncio.create_task(one.sound(f"text {number}", "en")) for number in range(PLACES + 3)]
        for _ in range(PLACES):
            await gate.entered()
        assert len(studio.runs()) == PLACES
    assert all(await asyncio.gather(*every))


def assert_gone(pid: object) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(pid)), 0)


# ----------------------------------------------------------------------------------------- made ahead


async def test_fixed_texts_are_spoken_ahead(speech, studio):
    one = speech()
    one.prepare([("Good morning", "en"), ("Guten Morgen", "de"), ("Good morning", "en"), ("", "en")])
    await one.prepared()
    assert len(studio.kept()) == 2
    await one.sound("Guten Morgen", "de")
    assert len(studio.runs()) == 2


async def test_fixed_texts_are_there_after_a_restart(speech, studio):
    for one in (speech(), speech()):
        one.prepare([("Good morning", "en")])
        await one.prepared()
    assert len(studio.runs()) == 1


async def test_a_voice_that_fails_is_left_alone_ahead(speech, studio):
    (studio.home / "broken").write_text("no quota")
    one = speech()
    one.prepare([(f"text {number}", "en") for number in range(9)])
    await one.prepared()
    assert len(studio.runs()) == 1


# ----------------------------------------------------------------------------------------- what goes wrong


async def test_a_command_that_fails_is_said_once_until_it_works_again(speech, studio):
    one = speech()
    broken = studio.home / "broken"
    with capture_logs() as logs:
        broken.write_text("no quota for Anna Huber\nask your provider")
        assert await one.sound("Good morning Anna Huber", "en") is None
        assert await one.sound("Good evening", "en") is None
        broken.unlink()
        assert await one.sound("Good evening", "en") is not None
    assert [entry["event"] for entry in logs] == ["speech.down", "speech.up"]
    assert logs[0]["why"].endswith("ended with status 3: no quota for * * ask your provider")
    assert studio.kept() == [one for one in studio.kept() if one.endswith(".wav")]


async def test_one_voice_that_fails_does_not_hide_another(studio):
    one = CommandSpeech(SpeechSettings(("false", "{voice}"), studio.sounds))
    with capture_logs() as logs:
        assert [await one.sound("Hi", language) for language in ("en", "de", "en")] == [None] * 3
    assert [entry["voice"] for entry in logs] == ["en", "de"]


FAILURES = [
    (("no-such-program",), "the program 'no-such-program' is not found"),
    (("true", "{file}"), "it wrote no sound"),
    (("true",), "it wrote no sound"),
    (("sh", "-c", "kill -9 $$"), "sh was ended by signal 9"),
    (("yes",), "it wrote more than 50 MB"),
]


@pytest.mark.parametrize(("command", "why"), FAILURES)
async def test_a_command_that_does_not_speak_costs_the_caller_the_text_only(studio, command, why):
    one = CommandSpeech(SpeechSettings(command, studio.sounds, timeout_s=20))
    with capture_logs() as logs:
        assert await one.sound("Hi", "en") is None
    assert [entry["why"] for entry in logs] == [why]
    assert studio.kept() == []


async def test_a_folder_that_cannot_be_made_costs_the_caller_the_text_only(speech, studio):
    (studio.home / "file").write_text("")
    one = speech(folder=studio.home / "file" / "sounds")
    with capture_logs() as logs:
        assert await one.sound("Hi", "en") is None
    assert logs[0]["why"].startswith("Not a directory: ")
    assert "cannot be written" in (one.problem() or "")


async def test_without_sox_only_what_asterisk_plays_as_it_is_can_be_used(studio):
    one = CommandSpeech(studio.settings(rate=22050), find=lambda program: None if program == "sox" else program)
    with capture_logs() as logs:
        assert await one.sound("Hi", "en") is None
    assert "sox is not there to convert it" in logs[0]["why"]


def test_what_is_missing_is_named_with_its_debian_package(tmp_path):
    nothing = CommandSpeech(SpeechSettings(folder=tmp_path), find=lambda program: None)
    assert nothing.problem() == (
        "no text can be spoken: espeak-ng and sox not found; on Debian: apt-get install espeak-ng sox"
    )
    other = CommandSpeech(SpeechSettings(("my-voice",), tmp_path), find=lambda program: None)
    assert "the program 'my-voice' of speech.command is not found" in (other.problem() or "")
    assert CommandSpeech(SpeechSettings(folder=tmp_path), find=lambda program: program).problem() is None


async def test_check_speaks_in_every_language_and_says_which_fails(speech, studio):
    one = speech()
    assert await one.check(["en", "de", "en"]) == []
    assert len(studio.runs()) == 2
    (studio.home / "broken").write_text("no quota")
    (answer,) = await one.check(["de"])
    assert answer.startswith("no text can be spoken in 'de' (voice de): ")


# ------------------------------------------------------------------------------------------- what is told of it


@pytest.mark.parametrize(("sounds", "said"), [({"hello": "speech/1"}, True), ({}, False)])
async def test_what_came_of_a_text_is_published(sounds: dict[str, str], said: bool) -> None:
    published, clock = list[Event](), iter([10.0, 10.5])
    speech = ObservedSpeech(FakeSpeech(sounds), published.append, lambda: next(clock))
    assert await speech.sound("hello", "en") == sounds.get("hello")
    assert published == [TextSpoken(said, 0.5)]


async def test_strangers_languages_fill_neither_the_log_nor_the_memory(studio):
    one = CommandSpeech(SpeechSettings(("false", "{voice}"), studio.sounds))
    with capture_logs() as logs:
        for letter in "abcdefgh":
            for other in "abcdefgh":
                await one.sound("x", f"{letter}{other}")
    assert len(logs) == 50


async def test_the_synthesiser_sees_none_of_the_engines_secrets(speech, studio, monkeypatch):
    monkeypatch.setenv("ERP_TOKEN", "s3cret")
    monkeypatch.setenv("ROUTING_ENGINE_KEY", "s3cret")
    await speech("{file}", env={"SPEECH_KEY": "its own"}).sound("Hello", "en")
    (run,) = studio.runs()
    assert "s3cret" not in run["environment"].values()
    assert run["environment"]["SPEECH_KEY"] == "its own"
    assert "its own" not in repr(studio.settings(env={"SPEECH_KEY": "its own"}))
