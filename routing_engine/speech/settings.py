"""The section `speech` of engine.yaml. Every key has a default, and the whole section may be missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.settings.yaml_reader import Section
from routing_engine.speech.template import read_command

FOLDER = Path("/var/lib/routing-engine/speech")
#: Voices of espeak-ng, for the languages of our prompts.
VOICES: Mapping[str, str] = {"de": "de", "en": "en-gb"}
#: With the name of a file behind it, it must still be a sound's name.
_LONGEST_FOLDER = 78
_VOICE = re.compile(r"[^-\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,199}\Z")


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """How texts are spoken.

    `command` is in words, with placeholders; () is the machine's own espeak-ng. `folder` is where we write, and
    `asterisk_folder` how Asterisk sees it ("" is the same). `voices` gives the {voice} of a language.
    """

    command: tuple[str, ...] = ()
    folder: Path = FOLDER
    asterisk_folder: str = ""
    timeout_s: float = 3.0
    cache_mb: int = 200
    voices: Mapping[str, str] = field(default_factory=lambda: VOICES)

    def voice(self, language: str) -> str:
        """Return the voice of a language: its own, that of the language without its region, else its own name."""
        base = language.replace("_", "-").partition("-")[0].lower()
        return self.voices.get(language) or self.voices.get(base) or base

    def name(self, key: str) -> str:
        """Return what Asterisk plays: an absolute path without extension."""
        return f"{self.asterisk_folder or self.folder}/{key}"


def read_speech(section: Section | None) -> SpeechSettings:
    """Read `speech` of engine.yaml; None is its absence. Every problem is noted."""
    if section is None:
        return SpeechSettings()
    command = _read_command(section)
    folder = _read_folder(section, "folder") or str(FOLDER)
    seen = _read_folder(section, "asterisk_folder")
    if not SOUND.match(seen or folder) or len(seen or folder) > _LONGEST_FOLDER:
        key = "asterisk_folder" if seen else "folder"
        section.note(key, f"Asterisk cannot play from this '{key}'", "use a short path of letters, digits, '-' and '_'")
    found = SpeechSettings(
        command=command,
        folder=Path(folder),
        asterisk_folder=seen,
        timeout_s=section.number("timeout_s", 3, 0.1, 30),
        cache_mb=section.whole("cache_mb", 200, 1, 1_000_000),
        voices=({} if command else dict(VOICES)) | _read_voices(section),
    )
    section.close("'speech'")
    return found


def _read_command(section: Section) -> tuple[str, ...]:
    line = section.text("command")
    if not line:
        return ()
    try:
        return read_command(line)
    except ValueError as error:
        section.note("command", str(error), "write a program and its words, such as: my-voice --voice {voice}")
        return ()


def _read_folder(section: Section, key: str) -> str:
    path = section.text(key)
    if path and (not path.startswith("/") or "\0" in path or ".." in path.split("/")):
        section.note(key, f"'{key}' must be an absolute path", f"write for example: {FOLDER}")
        return ""
    return path.rstrip("/")


def _read_voices(section: Section) -> dict[str, str]:
    voices = section.section("voices")
    if voices is None:
        return {}
    return {language: _read_voice(voices, language) for language in voices.names()}


def _read_voice(voices: Section, language: str) -> str:
    voice = voices.text(language)
    if not LANGUAGE.match(language):
        voices.note(language, f"'{language[:80]}' is no language", "write a language of Asterisk, such as en or de_AT")
    elif not _VOICE.match(voice):
        voices.note(language, f"'{voice[:80]}' is no voice", "write the name that the synthesiser knows")
    return voice
