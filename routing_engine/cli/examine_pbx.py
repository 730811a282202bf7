"""What `pbx check` looks at: what keeps a PBX from being followed, found without a call.

Over the manager interface as far as the account may ask; its settings are shown by Asterisk's own command line only,
where that can be used.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from routing_engine.asterisk.ami import AmiClient
from routing_engine.cli.examination import Finding
from routing_engine.cli.examine_dialling import (
    DIAL_ACTIONS,
    check_dialling,
    check_passwords,
    look_at_keys,
    look_at_lines,
)
from routing_engine.errors import AmiRefused, ProviderError
from routing_engine.pbx.ami_events import CHANNEL_VARIABLES, CLASSES
from routing_engine.pbx.call_records import PbxHistory
from routing_engine.pbx.history import history_of
from routing_engine.pbx.watcher import server_of
from routing_engine.settings.pbx import AriKeys, Pbx

#: What is done over the manager interface, and the right that `write` needs for it.
ACTIONS = {
    "CoreShowChannels": "reporting",
    "Getvar": "call",
    "Setvar": "call",
    "Status": "call",
}
_READS = f"read = {CLASSES}\nwrite = "
#: Of them those that a plain Asterisk needs; a FreePBX has three more.
_WANTED_VARIABLES = CHANNEL_VARIABLES[:5]
_PJSIP = re.compile(r"pjsip", re.I)
_ASK_S = 5.0
#: So much of a long value does `manager show settings` print.
_CUT = 55


async def check_pbx(pbx: Pbx, folder: Path, ask: Callable[[str], str] | None) -> AsyncIterator[Finding]:
    """Yield what is found. `ask` is Asterisk's command line, None where it is not to be used."""
    client = AmiClient(server_of(pbx))
    try:
        async for finding in _check_manager(client, pbx):
            yield finding
    finally:
        await client.close()
    if ask is None:
        yield Finding("settings", "unknown", "Asterisk's own command line was not asked", "call this where it runs")
    else:
        for finding in await asyncio.to_thread(lambda: [*look_at_settings(pbx, ask)]):
            yield finding
    if pbx.keys.ari is not None and pbx.keys.recordings == "ari":
        yield await _check_ari(pbx.keys.ari)
    if (history := history_of(pbx.keys.history, folder)) is not None:
        yield await _check_history(history)


async def _check_manager(client: AmiClient, pbx: Pbx) -> AsyncIterator[Finding]:
    ami = pbx.keys.ami
    where = f"{ami.address.host}:{ami.address.port}" if ami is not None else ""
    user = ami.user if ami is not None else ""
    try:
        await client.connect()
    except AmiRefused:
        remedy = f"put into manager.conf:\n[{user}]\nsecret = the one of '{pbx.name}'\n{_rights(pbx)}"
        yield Finding("log-in", "act", f"Asterisk refuses the user '{user}', or its secret", remedy)
        return
    except (OSError, ValueError) as error:
        said = str(error) if isinstance(error, ValueError) else f"{where} cannot be reached: {_why(error)}"
        remedy = "put into manager.conf, [general]:\nenabled = yes\nbindaddr = 127.0.0.1"
        yield Finding("log-in", "act", said, remedy)
        return
    yield Finding("log-in", "fine", f"logged in at {where} as '{user}'")
    commands = (await client.action("ListCommands"))[0]
    wanted = ACTIONS if pbx.keys.dial is None else {**ACTIONS, **DIAL_ACTIONS}
    missing = sorted({right for action, right in wanted.items() if action not in commands})
    if missing:
        said = f"'{user}' has no right 'write = {','.join(missing)}'"
        yield Finding("rights", "act", said, f"manager.conf:\n{_rights(pbx)}")
    else:
        yield Finding("rights", "fine", "every action that is needed is allowed")
    async for finding in check_dialling(client, pbx, commands):
        yield finding
    if pbx.keys.sip is not None and pbx.keys.ari is not None:
        yield await check_passwords(client, pbx, pbx.keys.ari)


def _rights(pbx: Pbx) -> str:
    return _READS + ("call,reporting" if pbx.keys.dial is None else "call,reporting,originate")


def look_at_settings(pbx: Pbx, ask: Callable[[str], str]) -> Iterator[Finding]:
    """Yield what Asterisk's command line shows of the manager's settings and of the account."""
    ami = pbx.keys.ami
    try:
        settings, user = ask("manager show settings"), ask(f"manager show user {ami.user if ami is not None else ''}")
    except OSError as error:
        said = f"Asterisk's own command line cannot be used: {error.strerror or error}"
        yield Finding("settings", "unknown", said, "call this where Asterisk runs, or name it with --asterisk")
        return
    yield from _check_variables(_variables(ask, settings))
    yield from look_at_keys(pbx, ask)
    yield from look_at_lines(pbx, ask)
    if _line_of(settings, "Timestamp events").lower() != "yes":
        remedy = "manager.conf, [general]:\ntimestampevents = yes"
        yield Finding("timestampevents", "act", "events come without their moment", remedy)
    heard = {one.strip() for one in re.split(r"[,\s]+", _line_of(user, "read perm"))}
    missing = [one for one in CLASSES.split(",") if one not in heard and "all" not in heard]
    if missing:
        yield Finding(
            "events", "act", f"the user does not hear: {', '.join(missing)}", f"manager.conf:\n{_rights(pbx)}"
        )
    else:
        yield Finding("events", "fine", "the user hears of calls")


def _variables(ask: Callable[[str], str], settings: str) -> str:
    """Return `channelvars` as Asterisk has read it; it may be cut off after 55 characters."""
    asked = ask("dialplan eval function AST_CONFIG(manager.conf,general,channelvars)")
    found = re.search(r"^Result:[ \t]*(.*?)\s*$", asked, re.M) if "Success" in asked else None
    # Without func_config there is only what `manager show settings` prints, which cuts.
    return found[1] if found else _line_of(settings, "Channel vars")


def _check_variables(written: str) -> Iterator[Finding]:
    """Yield what is wrong with `channelvars`: a function of PJSIP there stops every call of the PBX."""
    wanted = f"manager.conf, [general]:\nchannelvars = {','.join(_WANTED_VARIABLES)}"
    missing = [one for one in _WANTED_VARIABLES if one not in written]
    if _PJSIP.search(written):
        said = "'channelvars' names a function of PJSIP: Asterisk answers no call with it, and hangs"
        yield Finding("channelvars", "act", said, f"take it out at once; {wanted}")
    elif missing and len(written) == _CUT:
        said = (
            f"whether 'channelvars' names {' and '.join(missing)} could not be seen: Asterisk shows the beginning only"
        )
        yield Finding("channelvars", "unknown", said, "load func_config.so, or look into manager.conf")
    elif missing:
        said = f"'channelvars' does not name {' and '.join(missing)}: calls are not joined to routes and recordings"
        yield Finding("channelvars", "act", said, wanted)
    else:
        yield Finding("channelvars", "fine", "calls are joined to routes and recordings")


def _line_of(text: str, name: str) -> str:
    found = re.search(rf"^\s*{re.escape(name)}:[ \t]*(.*?)\s*$", text, re.M | re.I)
    return found[1] if found else ""


async def _check_ari(ari: AriKeys) -> Finding:
    import aiohttp  # late: only where there is an ARI

    url = f"{ari.address}/ari/recordings/stored"
    try:
        timeout = aiohttp.ClientTimeout(total=_ASK_S)
        async with (
            aiohttp.ClientSession(timeout=timeout, auth=aiohttp.BasicAuth(ari.user, ari.secret)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        remedy = "http.conf, [general]:\nenabled = yes\nand module load res_ari_recordings.so"
        return Finding("ari", "act", f"{ari.address} cannot be reached: {_why(error)}", remedy)
    return ari_finding(ari.user, status)


def ari_finding(user: str, status: int) -> Finding:
    """Return what the status means that the list of recordings was answered with."""
    if status == 200:
        return Finding("ari", "fine", "recordings can be listed")
    if status == 401:
        remedy = f"ari.conf:\n[{user}]\ntype = user\nread_only = yes\npassword = the one of the PBX's file"
        return Finding("ari", "act", f"Asterisk refuses the user '{user}', or its password", remedy)
    remedy = "module load res_ari.so, res_ari_recordings.so"
    if status == 500:  # Asterisk says 'Allocation failed'
        remedy = (
            "create the folder 'recording' in Asterisk's spool (/var/spool/asterisk/recording), for Asterisk's user"
        )
    return Finding("ari", "act", f"recordings cannot be listed: status {status}", remedy)


async def _check_history(history: PbxHistory) -> Finding:
    try:
        fault = await history.fault()
    except OSError as error:
        remedy = "make it readable for the engine's user, or name another file; cdr.conf needs [csv]"
        return Finding("history", "act", f"{history.name}: {error.strerror}", remedy)
    except ProviderError as error:
        # It says the table's name itself.
        return Finding("history", "act", str(error), error.remedy or "correct 'sql' of 'history', or the user's rights")
    finally:
        await history.close()
    if fault is not None:
        return Finding("history", "act", f"{history.name}: {fault.sentence}", fault.remedy)
    return Finding("history", "fine", f"{history.name} can be read")


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    # asyncio's own text names the address once more; the system's says what it is.
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__
