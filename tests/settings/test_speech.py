"""The section `speech` of engine.yaml."""

from pathlib import Path

import pytest

from routing_engine.config.engine_yaml import EngineSettings, read_part
from routing_engine.settings.speech import SpeechSettings
from routing_engine.settings.yaml_reader import Problems


def read(text: str) -> tuple[SpeechSettings, list[str]]:
    notes = Problems("engine.yaml")
    found = read_part(text, notes, ("speech",))
    assert found is not None
    return found.speech, [f"{one.line}: {one.sentence}" for one in notes.problems]


def test_without_the_section_the_defaults_hold():
    assert EngineSettings().speech == SpeechSettings()
    assert read("speech: {}") == (SpeechSettings(), [])


def test_every_key_is_read():
    text = (
        "command: 'say -v {voice}', folder: /tmp/a/, asterisk_folder: /b, timeout_s: 2, cache_mb: 5, voices: {de: Eva}"
    )
    found, problems = read(f"speech: {{{text}}}")
    assert problems == []
    assert found == SpeechSettings(("say", "-v", "{voice}"), Path("/tmp/a"), Path("/b"), 2.0, 5, {"de": "Eva"})


FAULTS = [
    ("command: 'say {word}'", "no placeholder {word}"),
    ("folder: sounds", "must be an absolute path"),
    ("folder: /a/../b", "must be an absolute path"),
    ("folder: '/a b'", "Asterisk cannot play from this 'folder'"),
    ("asterisk_folder: '/a&b'", "Asterisk cannot play from this 'asterisk_folder'"),
    (f"folder: /{'a' * 90}", "Asterisk cannot play from this 'folder'"),
    ("timeout_s: 0", "'timeout_s' must be a number from 0.1 to 30"),
    ("cache_mb: 0.5", "'cache_mb' must be a number from 1"),
    ("voices: {de: '-x'}", "'-x' is not a voice"),
    ("voices: {'de/../x': Eva}", "is not a language"),
    ("voices: [de]", "must be a mapping"),
    ("colour: red", "'speech' has no key 'colour'"),
]


@pytest.mark.parametrize(("line", "sentence"), FAULTS)
def test_a_fault_is_named_with_its_line(line, sentence):
    _, problems = read(f"speech:\n  {line}\n")
    assert len(problems) == 1
    assert problems[0].startswith("2: ")
    assert sentence in problems[0]


VOICES = [("en", "en-gb"), ("de_AT", "de"), ("DE", "de"), ("fr_CA", "fr"), ("pt-BR", "pt")]


@pytest.mark.parametrize(("language", "voice"), VOICES)
def test_a_language_has_a_voice(language, voice):
    assert SpeechSettings().voice(language) == voice


def test_a_region_may_have_a_voice_of_its_own_and_a_command_has_no_voices_of_espeak():
    found, _ = read("speech: {command: say, voices: {de_AT: Resi}}")
    assert [found.voice(one) for one in ("de_AT", "de", "en")] == ["Resi", "de", "en"]


def test_a_sound_is_named_as_asterisk_sees_it():
    assert SpeechSettings(folder=Path("/a")).name("k") == "/a/k"
    assert SpeechSettings(folder=Path("/a"), asterisk_folder=Path("/b")).name("k") == "/b/k"
