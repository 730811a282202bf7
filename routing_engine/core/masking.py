"""Digits marked sensitive: taken out of whatever is shown of a decision."""

from __future__ import annotations

from dataclasses import replace

from routing_engine.core.model import Decision, Record, Sound, TrailStep
from routing_engine.core.state import CallState
from routing_engine.core.templates import as_text

_MASK = "***"
#: Fewer digits of a secret than these say nothing about it.
_TELLING = 3


def mask_secrets(talk: CallState, decision: Decision) -> Decision:
    """Mask digits marked sensitive wherever the trail, the record or what was played repeats them."""
    trail, play, record = tuple(talk.trail), decision.play, decision.record
    for secret in sorted(talk.secrets, key=len, reverse=True):  # the longest first: a shorter one may be part of it
        trail = tuple(_mask_step(step, secret) for step in trail)
        play = tuple(_mask_sound(sound, secret) for sound in play)
        record = _mask_record(record, secret)
    return replace(decision, trail=trail, play=play, record=record)


def _mask_step(step: TrailStep, secret: str) -> TrailStep:
    return replace(step, step=_masked(step.step, secret), outcome=_masked(step.outcome, secret))


def _masked(text: str, secret: str) -> str:
    """Mask a secret, also where a long text was cut within it."""
    text = text.replace(secret, _MASK)
    for shown in range(len(secret) - 1, _TELLING - 1, -1) if "..." in text else ():
        text = text.replace(secret[:shown] + "...", _MASK + "...")
    return text


def _mask_sound(sound: Sound, secret: str) -> Sound:
    """What was played has been played; this is what a log or a dry run shows of it."""
    if isinstance(sound, str):
        return sound.replace(secret, _MASK)
    return replace(sound, text=sound.text.replace(secret, _MASK))


def _mask_record(record: Record | None, secret: str) -> Record | None:
    if record is None:
        return None
    fields = {name: _MASK if secret in as_text(value) else value for name, value in record.fields.items()}
    url = "" if secret in record.url else record.url
    return replace(record, fields=fields, url=url, id=_MASK if secret in record.id else record.id)
