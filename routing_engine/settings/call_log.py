"""The section `log:` of an integration: which calls are written into the CRM, and with which words.

The subjects are texts of the route language over the call: `'[Missed] {contact.name} {call.from}'`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from routing_engine.core.model import Operand, Template
from routing_engine.core.templates import split_braces
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import (
    WrongValue,
    choice,
    flag,
    list_of,
    mapping_of,
    parsed,
    period,
)
from routing_engine.settings.yaml_reader import suggest

RecordingWay: TypeAlias = Literal["attach", "link", "none"]
_INBOUND = ("answered", "missed", "abandoned", "voicemail")
_OUTBOUND = ("answered", "unanswered", "busy", "failed")
_INTERNAL = ("answered", "missed", "abandoned", "voicemail", "unanswered", "busy", "failed")

#: What may follow `call.` and `user.` in a subject, and what it gives.
CALL_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "who": "the other party: the contact's name and number, or what of them is known",
        "from": "who called, in E.164 where it can be read; empty when it is hidden",
        "to": "what was called",
        "did": "our number that was called or shown",
        "direction": "inbound, outbound or internal",
        "outcome": "what came of it",
        "queue": "the name of the queue",
        "duration": "the whole call, as minutes and seconds: 5:03",
        "talk": "how long was spoken, as minutes and seconds",
        "date": "the day at the site, YYYY-MM-DD",
        "time": "the time of day at the site, HH:MM",
        "disposition": "what it was about, as the user has chosen",
        "tags": "the tags, with commas",
        "pbx": "the name of the PBX",
        "id": "the id of the call",
    }
)
USER_TEXTS = ("name", "extension", "email")

#: What an entry is called, by direction and outcome; that of the direction alone for every other outcome.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "inbound": "Call from {call.who}",
        "inbound.missed": "Missed call from {call.who}",
        "inbound.abandoned": "Missed call from {call.who}, gave up in the queue {call.queue}",
        "inbound.voicemail": "Voicemail from {call.who}",
        "outbound": "Call to {call.who}",
        "outbound.unanswered": "Call to {call.who}, not answered",
        "outbound.busy": "Call to {call.who}, busy",
        "outbound.failed": "Call to {call.who}, failed",
        "internal": "Call from {call.from} to {call.to}",
    }
)
_KINDS = (
    *("inbound", *(f"inbound.{one}" for one in _INBOUND)),
    *("outbound", *(f"outbound.{one}" for one in _OUTBOUND)),
    *("internal", *(f"internal.{one}" for one in _INTERNAL)),
)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}\Z")


def read_subject(text: str) -> Template:
    """Read a text over the call. Raises `WrongValue` with a sentence and a remedy."""
    try:
        pieces = split_braces(text)
    except ValueError as error:
        raise WrongValue(str(error), "write values as {call.from}; {{ and }} are braces") from None
    if not text.strip() or "\n" in text:
        raise WrongValue("a subject is one line", "write for example 'Call from {call.who}'")
    return Template(tuple(_operand(piece.strip()) if braced else piece for piece, braced in pieces))


def _operand(text: str) -> Operand:
    room, _, name = text.partition(".")
    known = [*(f"call.{one}" for one in CALL_TEXTS), *(f"user.{one}" for one in USER_TEXTS)]
    # Any field: which ones a record has is known where its model is.
    if room == "contact" and _FIELD.match(name):
        return Operand("record", name)
    if text in known:
        # The room `user` is ours alone; in the call's own room it stands beside the others.
        return Operand("call", name if room == "call" else text)
    raise WrongValue(f"there is no value '{text[:80]}' in a subject", suggest(text, [*known, "contact.name"]))


def _kind(text: str) -> str:
    if text not in _KINDS:
        raise WrongValue(f"no call is '{text[:80]}'", suggest(text, _KINDS))
    return text


@dataclass(frozen=True, slots=True)
class CallLogKeys:
    """Which calls are written into the CRM, and how."""

    inbound: tuple[str, ...] = setting(
        list_of(choice(*_INBOUND)), _INBOUND, "outcomes of inbound calls that are written; `[]` is none", usual="all"
    )
    outbound: tuple[str, ...] = setting(
        list_of(choice(*_OUTBOUND)),
        ("answered", "unanswered", "busy"),
        "outcomes of outbound calls that are written",
        usual="`[answered, unanswered, busy]`",
    )
    internal: tuple[str, ...] = setting(
        list_of(choice(*_INTERNAL)), (), "outcomes of calls within the house that are written", usual="`[]`"
    )
    recording: RecordingWay = setting(
        choice("attach", "link", "none"),
        "attach",
        "`attach` uploads the recording to the entry, `link` writes the address of the call's page, where it is heard",
    )
    recording_wait: float = setting(
        period(),
        86_400.0,
        "how long a recording is tried before it counts as absent",
        usual="`24h`",
    )
    link: bool = setting(
        flag(), True, "the entry links to the call's page here, where `pages.address` of engine.yaml says where that is"
    )
    unmatched: Literal["skip", "log"] = setting(
        choice("skip", "log"), "skip", "`log` writes calls whose other party nobody knows, too"
    )
    subjects: Mapping[str, Template] = setting(
        mapping_of(
            parsed(read_subject, "[text](#subjects)", "write for example 'Call from {call.who}'"),
            "the subject '{}'",
            parsed(_kind, "a direction, or direction.outcome", "write for example inbound.missed"),
        ).called("mapping, `inbound.missed` or `inbound` to [text](#subjects)"),
        {},
        "what entries are called, by direction and outcome, or by the direction alone",
        usual="English texts",
        example="{inbound.missed: '[Missed] {contact.name} {call.from}'}",
    )

    def wants(self, direction: str, outcome: str | None) -> bool:
        """Return whether an ended call of this kind is written. One whose end nobody saw is, where any is."""
        wanted = {"inbound": self.inbound, "outbound": self.outbound}.get(direction, self.internal)
        # A PBX that died ended calls too: they were, and belong into the history of their contact.
        return outcome in wanted or (outcome == "unknown" and bool(wanted))

    def wants_any(self, direction: str) -> bool:
        """Return whether a call is written whatever comes of it, so that its entry can be made at its start."""
        every = {"inbound": _INBOUND, "outbound": _OUTBOUND}.get(direction, _INTERNAL)
        wanted = {"inbound": self.inbound, "outbound": self.outbound}.get(direction, self.internal)
        return set(every) <= set(wanted)

    def subject(self, direction: str, outcome: str | None) -> Template:
        """Return the text of an entry's subject."""
        kinds = (f"{direction}.{outcome}", direction)
        own = next((self.subjects[kind] for kind in kinds if kind in self.subjects), None)
        return own or next(_SUBJECTS[kind] for kind in kinds if kind in _SUBJECTS)


_SUBJECTS = {kind: read_subject(text) for kind, text in SUBJECTS.items()}
NO_CALLS = CallLogKeys((), (), ())
