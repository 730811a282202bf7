"""What `pbx check` looks at where people dial: rights, contexts, keys of transfers, and passwords of telephones."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from routing_engine.asterisk.ami import AmiClient
from routing_engine.cli.examination import Finding
from routing_engine.errors import AmiRefused, PbxDown
from routing_engine.pbx.commands import LocalCommands
from routing_engine.settings.dialling import CALLER_ID_VARIABLE, DialKeys
from routing_engine.settings.pbx import AriKeys, Pbx

#: What is done over the manager interface by those who dial, and the right that `write` needs for it.
DIAL_ACTIONS: Mapping[str, str] = {
    "Originate": "originate",
    "Hangup": "call",
    "BlindTransfer": "call",
    "Atxfer": "call",
    "MixMonitorMute": "call",
}
#: So soon the line of a browser that has died must be free; and so many telephones are looked at.
_FREED_S, _MOST_PHONES = 15, 50
_ENDPOINT = re.compile(r"^ *Endpoint: +([^\s/]+)", re.M)
_TIMEOUT = re.compile(r"^ *rtp_timeout(?:_hold)? +: +(\d+)", re.M)
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,80}", re.ASCII)
_SHIPPED = "routing-engine-dial"
_KEYS = "features.conf:\n[featuremap]\natxfer = *2\nand the options t and T of Dial and Queue"


async def check_dialling(client: AmiClient, pbx: Pbx, commands: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Yield what keeps people from dialling; `commands` is what the account may do."""
    dial = pbx.keys.dial
    if dial is None:
        return
    yield await _check_context(client, dial)
    if "PJSIPNotify" not in commands:
        said = "nobody can hold a call from the page or the API with a desk phone; its own key works"
        yield Finding(
            "hold", "unknown", said, "where you want it: module load res_pjsip_notify.so, and write = ...,system"
        )
    if not pbx.keys.numbers:
        said = "'numbers' is not there, so no caller ID is chosen: the dialplan shows what it always shows"
        yield Finding("caller ID", "unknown", said, f"write what the trunk may show into pbxs/{pbx.name}.yaml: numbers")


async def _check_context(client: AmiClient, dial: DialKeys) -> Finding:
    try:
        steps = await client.action("ShowDialPlan", Context=dial.context)
    except AmiRefused:
        remedy = (
            f"name another one in 'dial', or add it to extensions.conf; {_SHIPPED} comes with the engine's dialplan"
        )
        return Finding("context", "act", f"there is no context '{dial.context}' in the dialplan", remedy)
    reads = dial.context == _SHIPPED or any(dial.caller_id_variable in step.get("AppData", "") for step in steps)
    if not reads:
        said = f"whether '{dial.context}' shows '{dial.caller_id_variable}' as the caller ID could not be seen"
        remedy = f"let it go through {_SHIPPED}, or: same => n,Set(CALLERID(all)=<${{{CALLER_ID_VARIABLE}}}>)"
        return Finding("context", "unknown", said, remedy)
    return Finding("context", "fine", f"'{dial.context}' is there, and shows the caller ID")


def look_at_keys(pbx: Pbx, ask: Callable[[str], str]) -> Iterator[Finding]:
    """Yield whether a call can be passed on after a consultation, as Asterisk's command line shows it."""
    if pbx.keys.dial is None:
        return
    shown = re.search(r"^Attended Transfer\s+(\S.*?)\s*$", ask("features show"), re.M)
    if shown is None:
        said = "no call can be passed on after a consultation: there is no key for it"
        yield Finding("transfer", "act", said, _KEYS)
    else:
        yield Finding("transfer", "fine", "there is a key for transfers after a consultation; Dial needs t and T")


def look_at_lines(pbx: Pbx, ask: Callable[[str], str]) -> Iterator[Finding]:
    """Yield the telephones in the page whose line stays taken when their browser dies in a call."""
    sip = pbx.keys.sip
    if sip is None:
        return
    phones = {name for name in _ENDPOINT.findall(ask("pjsip show endpoints")) for one in sip.phones if _fits(name, one)}
    held = [name for name in sorted(phones)[:_MOST_PHONES] if not _is_freed(ask(f"pjsip show endpoint {name}"))]
    if held:
        said = f"a browser that dies keeps its line: rtp_timeout or _hold of {', '.join(held)} is not 1 to {_FREED_S}"
        yield Finding("lines", "act", said, "pjsip.conf, in each of them:\nrtp_timeout = 10\nrtp_timeout_hold = 15")
    elif phones:
        yield Finding("lines", "fine", "a browser that dies in a call frees its line by rtp_timeout")


def _fits(name: str, pattern: str) -> bool:
    # What goes into a command of Asterisk is a name and nothing else.
    return fnmatchcase(name, pattern) and _NAME.fullmatch(name) is not None


def _is_freed(shown: str) -> bool:
    return all(0 < int(seconds) <= _FREED_S for seconds in _TIMEOUT.findall(shown))


async def check_passwords(client: AmiClient, pbx: Pbx, ari: AriKeys) -> Finding:
    """Return whether a password can be put into Asterisk's memory: one is, for a phone that nobody has."""
    commands = LocalCommands(client, ari)
    place = f"/asterisk/config/dynamic/res_pjsip/auth/routing-engine-check-{secrets.token_hex(4)}"
    values = {"auth_type": "digest", "username": "check", "password_digest": f"MD5:{secrets.token_hex(16)}"}
    try:
        body = {"fields": [{"attribute": name, "value": value} for name, value in values.items()]}
        status = await commands.rest("PUT", place, body)
        if status == 200:
            await commands.rest("DELETE", place)
    except PbxDown as error:
        remedy = "http.conf, [general]:\nenabled = yes\nand module load res_ari_asterisk.so"
        return Finding("passwords", "act", f"{ari.address} cannot be reached: {error}", remedy)
    finally:
        await commands.close()
    if status == 200:
        return Finding("passwords", "fine", "passwords of telephones in the page can be put into Asterisk")
    if status == 403:
        remedy = f"ari.conf: take read_only = yes out of [{ari.user}], and give that user to nobody else"
        return Finding("passwords", "act", f"the user '{ari.user}' may not write", remedy)
    remedy = (
        "sorcery.conf:\n[res_pjsip]\nauth = config,pjsip.conf,criteria=type=auth\nauth = memory\nthen restart Asterisk"
    )
    return Finding("passwords", "act", f"Asterisk takes no password: status {status}", remedy)
