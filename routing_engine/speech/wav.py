"""The one form that Asterisk plays without a question: WAV, 8 kHz, mono, 16 bit."""

from __future__ import annotations

import wave
from pathlib import Path

from routing_engine.errors import SpeechError
from routing_engine.speech.program import MOST_BYTES

RATE_HZ = 8000
_FORM = (1, 2, RATE_HZ)  # channels, bytes a sample, samples a second

_TRIM = ("silence", "1", "0.005", "0.3%", "reverse")
#: A telephone's band and the level of our prompts (sounds/make), so that a spoken value fits between them.
_EFFECTS = ("rate", str(RATE_HZ), "sinc", "-t", "100", "300-3400", *_TRIM, *_TRIM, "norm", "-3", "pad", "0.05", "0.05")


def sox(spoken: Path, made: Path) -> list[str]:
    """Return the command that makes any WAV file one for Asterisk."""
    return ["sox", "-R", "-D", "-V1", str(spoken), "-b", "16", "-c", "1", "-t", "wav", str(made), *_EFFECTS]


def settle(spoken: Path, made: Path) -> bool:
    """Write `made` when `spoken` has Asterisk's form already; False when it must be converted first.

    It is always written anew: a header that was written before its length was known, or with chunks that Asterisk
    does not expect, never gets there. Raises `SpeechError` for a file that is not there, says nothing or is too large.
    """
    size = spoken.stat().st_size if spoken.exists() else 0
    if not size or size > MOST_BYTES:
        raise SpeechError("it wrote no sound" if not size else f"it wrote more than {MOST_BYTES // 1_000_000} MB")
    try:
        with wave.open(str(spoken), "rb") as sound:
            if (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) != _FORM:
                return False
            frames = sound.readframes(min(sound.getnframes(), size // 2))
    except (wave.Error, EOFError):
        return False
    if not frames:
        raise SpeechError("it said nothing")
    with wave.open(str(made), "wb") as plain:
        plain.setparams((*_FORM, 0, "NONE", ""))
        plain.writeframes(frames)
    return True
