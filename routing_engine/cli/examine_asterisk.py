"""What `doctor` and `check --asterisk` look at in Asterisk, over its own command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from routing_engine import __version__
from routing_engine.asterisk.console import AsteriskConsole
from routing_engine.cli.examination import Finding, Folder, listens
from routing_engine.config.route.walk import actions_of, branches_of, languages_of, prompts_of
from routing_engine.config.store import Configuration

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


def look_at_asterisk(folder: Folder, console: AsteriskConsole) -> Iterator[Finding]:
    """Ask everything; where Asterisk does not answer, or the folder cannot be read, say what was not looked at."""
    try:
        yield Finding("asterisk", "fine", console.ask("core show version").partition(" built")[0].strip())
    except OSError as error:
        remedy = "call this where Asterisk runs, as a user who may 'asterisk -rx', or name it with --asterisk"
        yield Finding("asterisk", "unknown", f"{error.strerror or error}: nothing was looked at there", remedy)
        return
    if folder.configuration is None:
        yield Finding("dialplan", "unknown", "what the routes need is not known while the folder cannot be read")
        return
    for look in ASTERISK:
        yield from look(folder.configuration, console.ask)


def look_at_dialplan(_: Configuration, ask: Ask) -> Iterator[Finding]:
    """Is our dialplan included, and that of this version?"""
    if "There is no existence" in ask("dialplan show routing-engine"):
        remedy = f'{_ADMINISTRATOR}: #include "routing-engine.conf" in extensions.conf, then dialplan reload'
        yield Finding("dialplan", "act", "routing-engine.conf is not included", remedy)
        return
    found = _VERSION.search(ask("dialplan show routing-engine-version"))
    if found and found[1] == __version__:
        yield Finding("dialplan", "fine", f"included, of version {__version__}")
    else:
        said = f"of version {found[1]}" if found else "of an old version"
        remedy = f"{_ADMINISTRATOR}: copy dialplan/routing-engine.conf of this version, then dialplan reload"
        yield Finding("dialplan", "act", f"it is {said}, the engine of {__version__}", remedy)


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
