"""What `doctor` and `check --asterisk` look at in Asterisk, over its own command line."""

from __future__ import annotations

import asyncio
import grp
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from routing_engine import __version__
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.asterisk.console import AsteriskConsole
from routing_engine.cli.dialplan_content import Steps, differences, shipped_steps, steps_listed, steps_shown
from routing_engine.cli.examination import Finding, Folder, listens
from routing_engine.config.route.walk import actions_of, branches_of, languages_of, prompts_of
from routing_engine.config.store import Configuration
from routing_engine.errors import AmiRefused
from routing_engine.settings.pbx import Pbx

Ask: TypeAlias = Callable[[str], str]
LookThere: TypeAlias = Callable[[Configuration, Ask], Iterator[Finding]]
#: What the dialplan needs, whatever the routes name. `dialplan/routing-engine.conf` lists the same.
MODULES = (
    *(
        "res_agi",
        "app_dial",
        "app_queue",
        "app_playback",
        "app_stack",
        "func_timeout",
        "func_dialplan",
        "func_callerid",
    ),
    *("func_channel", "func_strings", "func_cut", "func_uri", "func_logic", "func_db"),
    "res_pjsip_header_funcs",
)
#: Which module a kind of destination needs beyond those.
_FOR_KIND = {"voicemail": "app_voicemail", "conference": "app_confbridge"}
_ADMINISTRATOR = "the administrator of Asterisk"
_VERSION = re.compile(r"routing-engine (\S+)\)")
#: Where Asterisk's command line talks to it.
_SOCKETS = tuple(Path(folder, "asterisk/asterisk.ctl") for folder in ("/run", "/var/run"))


def look_at_asterisk(folder: Folder, console: AsteriskConsole) -> Iterator[Finding]:
    """Ask everything; where Asterisk does not answer, or the folder cannot be read, say what was not looked at."""
    try:
        yield Finding("asterisk", "fine", console.ask("core show version").partition(" built")[0].strip())
    except OSError as error:
        why, remedy = _why_not(error)
        yield Finding("asterisk", "unknown", f"{why}: nothing was looked at there", remedy)
        pbxs = folder.configuration.pbxs.values() if folder.configuration is not None else ()
        for pbx in pbxs:
            yield from asyncio.run(_by_manager(pbx))
        unseen = "modules, sounds, destinations and engines" if pbxs else "dialplan, modules, sounds, destinations"
        yield Finding("not seen", "unknown", f"{unseen}: only Asterisk's command line shows them", remedy)
        return
    if folder.configuration is None:
        yield Finding("dialplan", "unknown", "what the routes need is not known while the folder cannot be read")
        return
    for look in ASTERISK:
        yield from look(folder.configuration, console.ask)


def _why_not(error: OSError) -> tuple[str, str]:
    """Return why Asterisk's command line could not be asked, and what to do."""
    socket = next((one for one in _SOCKETS if one.exists()), None)
    if isinstance(error, FileNotFoundError):
        return f"there is no program '{error.filename}'", "call this where Asterisk runs, or name it with --asterisk"
    if socket is not None and not os.access(socket, os.W_OK):
        group = f"group {socket.stat().st_gid}"
        with suppress(KeyError):
            group = f"group '{grp.getgrgid(socket.stat().st_gid).gr_name}'"
        remedy = f"{_ADMINISTRATOR}: let this user into the {group} (usermod -aG), or call this as root"
        return f"this user may not use {socket}", remedy
    remedy = "call this where Asterisk runs, as a user who may 'asterisk -rx', or name it with --asterisk"
    return str(error.strerror or error), remedy


async def _by_manager(pbx: Pbx) -> list[Finding]:
    """Look at the dialplan over the manager interface of a PBX, as far as its account may."""
    from routing_engine.asterisk.ami import AmiClient  # late: few sites need it here
    from routing_engine.pbx.watcher import server_of

    about, client, ships = f"dialplan of {pbx.name}", AmiClient(server_of(pbx)), shipped_steps()
    found: list[AmiMessage] = []
    try:
        for context in dict.fromkeys(context for context, _ in ships):
            try:
                found += await client.action("ShowDialPlan", Context=context)
            except AmiRefused as error:
                if "Did not find" not in str(error):
                    raise
    except (AmiRefused, OSError, ValueError) as error:
        remedy = f"{_ADMINISTRATOR}: in manager.conf, 'write' of this account needs 'config' or 'reporting'"
        return [Finding(about, "unknown", f"the manager interface does not show it: {error}", remedy)]
    finally:
        await client.close()
    return [_compared(about, ships, steps_listed(found))]


def _compared(about: str, ships: Steps, runs: Steps) -> Finding:
    """Return whether the dialplan is the one that ships, whatever its mark says."""
    if not any(context == "routing-engine" for context, _ in runs):
        remedy = f'{_ADMINISTRATOR}: #include "routing-engine.conf" in extensions.conf, then dialplan reload'
        return Finding(about, "act", "routing-engine.conf is not included", remedy)
    wrong = list(differences(ships, runs))
    mark = _VERSION.search("".join(runs.get(("routing-engine-version", "s"), [])))
    version = f"of version {mark[1]}" if mark else "of an old version"
    if not wrong:
        return Finding(about, "fine", f"included, {version}, and step by step the one that ships")
    if not mark or mark[1] != __version__:
        remedy = f"{_ADMINISTRATOR}: copy dialplan/routing-engine.conf of this version, then dialplan reload"
        return Finding(about, "act", f"it is {version}, the engine of {__version__}", remedy)
    more = f"; {len(wrong) - 1} more" if len(wrong) > 1 else ""
    remedy = f"{_ADMINISTRATOR}: copy dialplan/routing-engine.conf again; what you add stands in contexts of your own"
    return Finding(about, "act", f"it is not the one that ships: {wrong[0]}{more}", remedy)


def look_at_dialplan(_: Configuration, ask: Ask) -> Iterator[Finding]:
    """Is our dialplan included, and what ships with this version?"""
    yield _compared("dialplan", shipped_steps(), steps_shown(ask("dialplan show")))


def look_at_modules(configuration: Configuration, ask: Ask) -> Iterator[Finding]:
    """Are the modules loaded that the dialplan uses?"""
    running = set(re.findall(r"^(\S+)\.so .*\bRunning\b", ask("module show"), re.M))
    needed = {*MODULES, *(_FOR_KIND[kind] for kind, _ in targets_of(configuration) if kind in _FOR_KIND)}
    missing = sorted(needed - running)
    if missing:
        remedy = f"{_ADMINISTRATOR}: module load {missing[0]}.so, and modules.conf"
        yield Finding("modules", "act", f"not loaded: {', '.join(missing)}", remedy)
    else:
        yield Finding("modules", "fine", f"all {len(needed)} that are needed are loaded")


def look_at_sounds(configuration: Configuration, ask: Ask) -> Iterator[Finding]:
    """Is every sound there that a route can play, in each language?"""
    found = re.search(r"Data directory:\s+(\S.*)", ask("core show settings"))
    sounds = Path(found[1].strip()) / "sounds" if found else None
    if sounds is None or not sounds.is_dir():
        yield Finding("sounds", "unknown", f"{sounds or 'the folder of the sounds'} cannot be seen from here")
        return
    for language, names in sorted(sounds_of(configuration).items()):
        missing = sorted(name for name in names if not _is_there(sounds, language, name))
        if missing:
            remedy = f"{_ADMINISTRATOR}: put them below {sounds / language}"
            yield Finding(f"sounds {language}", "act", f"missing: {', '.join(missing)}", remedy)
        else:
            yield Finding(f"sounds {language}", "fine", f"all {len(names)} that routes name are there")


def _is_there(sounds: Path, language: str, name: str) -> bool:
    # Asterisk takes the sound of `de` for `de_AT`, and what stands above all languages.
    folders = (sounds / language, sounds / language.partition("_")[0], sounds)
    places = [Path(name)] if name.startswith("/") else [folder / name for folder in folders]
    return any(
        one.suffix and one.stem == place.name for place in places for one in place.parent.glob(f"{place.name}.*")
    )


def sounds_of(configuration: Configuration) -> dict[str, set[str]]:
    """Return by language the names of the sounds that routes can play; those that hold values are not known before."""
    found = dict[str, set[str]]()
    for route in configuration.routes.values():
        names = {prompt for prompt in prompts_of(route) if isinstance(prompt, str)}
        for language in languages_of(route) or {configuration.settings.fallback_language}:
            found.setdefault(language, set()).update(names)
    return {language: names for language, names in found.items() if names}


def targets_of(configuration: Configuration) -> set[tuple[str, str]]:
    """Return kind and target of every destination that routes name without values."""
    return {
        (to.kind, "".join(map(str, to.target.parts)))
        for route in configuration.routes.values()
        for action in actions_of(route)
        for to in branches_of(action.to)
        if not to.target.operands
    }


def look_at_targets(configuration: Configuration, ask: Ask) -> Iterator[Finding]:
    """Is there what the rules name: queues, telephones, mailboxes, places of the dialplan?"""
    known = {
        "queue": set(re.findall(r"^(\S+) has \d+ calls", ask("queue show"), re.M)),
        "extension": set(re.findall(r"^ Endpoint:  ([^\s/]+)", ask("pjsip show endpoints"), re.M)),
        "voicemail": {f"{box}@{context}" for context, box in _mailboxes(ask("voicemail show users"))},
    }
    for kind, target in sorted(targets_of(configuration)):
        place = configuration.settings.places.get(kind, "{target}" if kind == "dialplan" else "")
        ours = place.startswith(f"routing-engine-{kind}")
        if kind in known and ours:
            wanted = target if kind != "voicemail" or "@" in target else f"{target}@default"
            yield _there(kind, target, wanted in known[kind])
        elif place and not ours:
            context, exten, *_ = place.replace("{target}", target).split(",")
            yield _there(kind, target, "There is no existence" not in ask(f"dialplan show {exten}@{context}"))


def _mailboxes(said: str) -> list[tuple[str, str]]:
    rows = (line.split() for line in said.splitlines()[1:])
    return [(row[0], row[1]) for row in rows if len(row) > 2 and row[-1].isdigit()]


def _there(kind: str, target: str, there: bool) -> Finding:
    if there:
        return Finding(f"{kind} {target}", "fine", "Asterisk knows it")
    remedy = f"{_ADMINISTRATOR}: make it; or who writes the routes: name another one"
    return Finding(f"{kind} {target}", "act", "a rule names it, and Asterisk does not know it", remedy)


def look_at_second(_: Configuration, ask: Ask) -> Iterator[Finding]:
    """Does every engine answer that the dialplan may ask?"""
    engines = re.findall(r"ROUTING_ENGINE_([12])=([^\s:]+):(\d+)", ask("dialplan show globals"))
    for number, host, port in engines:
        yield listens(f"engine {number} of the dialplan", host, int(port))
    if not any(number == "2" for number, *_ in engines):
        said = "the dialplan names no second one: calls go to the emergency destination while the engine is down"
        yield Finding("second engine", "unknown", said)


#: What is asked of Asterisk, in this order.
ASTERISK: tuple[LookThere, ...] = (
    look_at_dialplan,
    look_at_modules,
    look_at_sounds,
    look_at_targets,
    look_at_second,
)
