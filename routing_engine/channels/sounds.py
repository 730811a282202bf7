"""Which sounds lie on this machine: ours, those beside the configuration, those of an Asterisk."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path

#: Where Asterisk's packages and its own installation keep sounds, a folder for each language.
ASTERISK = (Path("/var/lib/asterisk/sounds"), Path("/usr/share/asterisk/sounds"))
_FORMATS = ("wav", "ulaw", "alaw", "gsm", "g722", "sln", "sln16", "g729", "wav16", "ogg")


def is_here(sound: str, languages: Iterable[str], folder: Path, asterisk: Iterable[Path] = ASTERISK) -> bool:
    """Return whether a sound lies here in one of the languages, or without any. `folder` is the configuration's.

    False says little: Asterisk may be elsewhere, and have it.
    """
    with as_file(files("routing_engine") / "starter" / "sounds") as ours:
        folders = [ours, folder / "sounds", *asterisk]
        # As Asterisk looks: de_AT, then de, then without a language.
        within = [part for one in languages for part in (one, one.split("_")[0])] + [""]
        return any(
            (place / part / f"{sound}.{form}").is_file() for place in folders for part in within for form in _FORMATS
        )
