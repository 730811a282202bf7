"""A file of `pbxs/`: one Asterisk whose calls are followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.settings.dialling import NUMBERS, DialKeys, NumberRange, SipKeys
from routing_engine.settings.history import HistoryKeys
from routing_engine.settings.listeners import HostPort, host_port_like
from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import (
    Schema,
    ValueType,
    filled,
    listed,
    matching,
    one_or_more,
    parsed,
    secret,
    text,
)
from routing_engine.settings.yaml_reader import Section, YamlValue

#: Where the extension stands in `phones`.
EXTENSION = "{extension}"
_AMI = "{address: 127.0.0.1:5038, user: routing-engine, secret: '${AMI_SECRET}'}"
_TRUNKS = "[PJSIP/trunk*]"
_EDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
_TECHNOLOGY = re.compile(r"[A-Za-z0-9]+/\S+\Z", re.ASCII)
_WEB = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+(?:/[!-~]*)?\Z", re.ASCII)


def _phones(pattern: str) -> str:
    # Once and behind the technology: else a channel's name would not say whose phone it is.
    if pattern.count(EXTENSION) != 1 or not _TECHNOLOGY.match(pattern):
        raise ValueError(f"'{pattern[:80]}' does not say where the extension stands")
    return pattern


def _web_address(address: str) -> str:
    if not _WEB.match(address):
        raise ValueError(f"'{address[:80]}' is not an http or https address")
    return address.rstrip("/")


@dataclass(frozen=True, slots=True)
class AmiKeys:
    """How the manager interface is reached."""

    address: HostPort = required(
        host_port_like("127.0.0.1:5038"), HostPort("", 0), "where it listens", example="127.0.0.1:5038"
    )
    user: str = required(text(), "", "a section of `manager.conf`", example="routing-engine")
    secret: str = required(secret(), "", "its `secret`", example="'${AMI_SECRET}'")


@dataclass(frozen=True, slots=True)
class AriKeys:
    """How Asterisk's REST interface is reached."""

    address: str = required(
        parsed(_web_address, "http or https address", "write for example http://127.0.0.1:8088", {"type": "string"}),
        "",
        "where Asterisk's HTTP server is",
        example="'http://127.0.0.1:8088'",
    )
    user: str = required(text(), "", "a section of `ari.conf`; `read_only = yes` is enough", example="routing-engine")
    secret: str = required(secret(), "", "its `password`", example="'${ARI_SECRET}'")


@dataclass(frozen=True, slots=True)
class RecordingsFolder:
    """Where recordings are read: from a folder of this machine."""

    folder: str = required(filled("folder"), "", "where they lie", example="/var/spool/asterisk/monitor")


#: `ari`, `none`, or a folder.
RecordingsFrom: TypeAlias = str | RecordingsFolder


def _read_recordings(value: YamlValue, _: str) -> RecordingsFrom | None:
    # The words are two, the folder is any: a folder called `ari` must not be taken for the interface.
    if value.is_mapping:
        return nested(RecordingsFolder).read(value, "")
    return value.choice(["ari", "none"])


def _recordings_schema(definitions: object) -> Schema:
    folder: Schema = {"type": "object", "properties": {"folder": {"type": "string"}}, "required": ["folder"]}
    return {"anyOf": [{"enum": ["ari", "none"]}, folder]}


_RECORDINGS: ValueType[RecordingsFrom] = ValueType(
    _read_recordings, _recordings_schema, f"{listed(['ari', 'none'])}, or `{{folder: PATH}}`"
)


@dataclass(frozen=True, slots=True)
class PbxKeys:
    """A file of `pbxs/`."""

    ami: AmiKeys | None = setting(
        nested(AmiKeys).called("[mapping](#ami)"),
        None,
        "the manager interface: what happens to calls is heard there",
        usual="**must be there**, except with `edge`",
        example=_AMI,
    )
    edge: str = setting(
        matching(_EDGE, "'{}' is not the name of a key", "write the name of its key in api_keys", "name of a key"),
        "",
        "the [engine beside it](../how-to/edge-and-hub.md) that follows this PBX and tells us; then this one does not",
        usual="none: this engine follows it",
        example="office",
    )
    ari: AriKeys | None = setting(
        nested(AriKeys).called("[mapping](#ari)"), None, "the REST interface: recordings are fetched there"
    )
    # Trunks go before phones: both are PJSIP, and `PJSIP/{extension}` fits a trunk as well.
    phones: str = setting(
        parsed(_phones, "text with `{extension}`", "write for example PJSIP/{extension}"),
        f"PJSIP/{EXTENSION}",
        "how the channel of an extension's phone begins",
    )
    trunks: tuple[str, ...] = setting(
        one_or_more(
            matching(
                _TECHNOLOGY, "'{}' is not a channel", "write for example PJSIP/trunk*", "channel, `*` for any end"
            ),
            ("'trunks' names no channel", "write for example trunks: [PJSIP/trunk*]"),
        ),
        (),
        "the channels that lead outside: what comes in over one is inbound, what goes out is outbound",
        usual="**must be there**, except with `edge`",
        example=_TRUNKS,
    )
    recordings: RecordingsFrom = setting(_RECORDINGS, "none", "where recordings of calls are fetched", example="ari")
    history: HistoryKeys | None = setting(
        nested(HistoryKeys).called("[mapping](#history)"),
        None,
        "what says how calls ended while the connection was lost",
        usual="none: such calls end as `unknown`",
        example="{csv: /var/log/asterisk/cdr-csv/Master.csv}",
    )
    dial: DialKeys | None = setting(
        nested(DialKeys).called("[mapping](#dial)"),
        None,
        "how people dial from the engine",
        usual="none: nobody does",
        example="{context: from-internal}",
    )
    numbers: tuple[NumberRange, ...] = setting(
        NUMBERS,
        (),
        "what this PBX's trunks may show: another caller ID is refused before anything is dialled",
        usual="none: no caller ID is chosen",
        example="['+4312345600..+4312345699', '+493012345601']",
    )
    sip: SipKeys | None = setting(
        nested(SipKeys).called("[mapping](#sip)"),
        None,
        "the telephone in the page",
        usual="none: there is none",
        example="{server: 'wss://pbx.example.com:8089/ws'}",
    )

    def check(self, section: Section, what: str) -> None:
        """Note what is missing to follow it, and what nothing can fetch or set; an edge has its own file."""
        if self.edge:
            return
        for name, example in (("ami", _AMI), ("trunks", _TRUNKS)):
            if not section.has(name):
                section.note(name, f"'{name}' is missing", f"add for example: {name}: {example}")
        if self.recordings == "ari" and not section.has("ari"):
            remedy = "add ari: {address: 'http://127.0.0.1:8088', user: routing-engine, secret: '${ARI_SECRET}'}"
            section.note("recordings", "'recordings: ari' needs 'ari'", remedy)
        if self.sip is not None and not section.has("ari"):
            remedy = "add ari: {address: 'http://127.0.0.1:8088', user: routing-engine, secret: '${ARI_SECRET}'}"
            section.note("sip", "'sip' needs 'ari': passwords are set there", remedy)


@dataclass(frozen=True, slots=True)
class Pbx:
    """One Asterisk that is followed, by the name of its file."""

    name: str
    keys: PbxKeys
