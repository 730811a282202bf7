"""`routing-engine call`: a telephone for people without one."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from routing_engine.channels.softphone import Softphone, SoftphoneCaller
from routing_engine.cli.common import add_variables, misuse, paint, print_json, step_down
from routing_engine.config.engine_yaml import EngineSettings, load_part, read_part
from routing_engine.config.revisions import Revisions
from routing_engine.core.destinations import say_destination
from routing_engine.core.model import Destination
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.environment import variable_of
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.yaml_reader import Problems

#: The profile says where an engine listens that names no listener.
_KEYS = ("listeners", "dialplan")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("route", metavar="ROUTE")
    parser.add_argument("--caller", default="anonymous", metavar="N", help="your number, or 'anonymous'")
    parser.add_argument("--caller-name", default="", metavar="TEXT", help="your name, as the telephone sends it")
    parser.add_argument("--called", default="", metavar="DID", help="the number that you dial")
    parser.add_argument("--language", default="", help="the channel's language")
    add_variables(parser)
    parser.add_argument(
        "--input", nargs="+", action="extend", metavar="D", help="type these, one at each try, instead of the keyboard"
    )
    parser.add_argument("--engine", metavar="HOST:PORT", help="where it listens (default: as engine.yaml says)")
    parser.add_argument("--json", action="store_true", help="for programs: what was heard and set; needs --input")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Call; 0 when the call was routed, 1 when it was not."""
    listener = _configured(options)
    host, _, port = (options.engine or _written(listener)).rpartition(":")
    if not host or not port.isdigit():
        return misuse("no FastAGI listener is configured; name one with --engine HOST:PORT")
    if options.json and options.input is None:
        return misuse("--json needs --input: there is nobody to type")
    heard: list[str] = []
    keys = _Keyboard() if options.input is None else _Prepared(options.input, quiet=options.json)
    telephone = Softphone(heard.append if options.json else _show, keys, known=dict(options.variable))
    caller = SoftphoneCaller(options.caller, options.caller_name, options.called, options.language)
    try:
        key = listener.secret if listener is not None else ""
        asyncio.run(telephone.call(host, int(port), options.route, caller, key))
    except OSError as error:
        print(
            f"nobody answers on {host}:{port} ({error.strerror or error}); start it: routing-engine serve",
            file=sys.stderr,
        )
        return 1
    if options.json:
        print_json({"heard": heard, "variables": telephone.variables})
        return 0 if telephone.variables.get("ROUTE_STATUS") == "OK" else 1
    return _print_end(telephone.variables)


def _show(sound: str) -> None:
    print(paint(f"  ♪ {sound}", "dim"), flush=True)


def _configured(options: argparse.Namespace) -> ListenerAddress | None:
    """Return the listener of engine.yaml; with --engine its secret counts only, and nothing has to be right there."""
    problems: Sequence[Problem]
    try:
        settings, problems = load_part(options.config, _KEYS, partial(variable_of, options.config))
    except ConfigError as error:
        settings, problems = EngineSettings(), error.problems
    if problems and not options.engine:
        settings = _last_good(options.config, problems)
    return settings.listeners.fastagi


def _last_good(folder: Path, problems: Sequence[Problem]) -> EngineSettings:
    """Return where the running engine listens while engine.yaml is broken. Raise `ConfigError` where nobody knows."""
    kept = Revisions(folder)
    step_down(kept.path)
    if not kept.newest:
        raise ConfigError(problems)
    name, text = kept.texts(kept.newest).engine or ("engine.yaml", "{}")
    notes = Problems(name, partial(variable_of, folder), folder)
    settings = read_part(str(text), notes, _KEYS)
    if settings is None or notes.problems:
        raise ConfigError(problems)
    return settings


def _written(listener: ListenerAddress | None) -> str:
    return f"{listener.host}:{listener.port}" if listener is not None else ""


class _Keyboard:
    async def __call__(self) -> str | None:
        try:
            # In a thread: the service may hang up while somebody thinks, and the loop must hear it.
            return (await asyncio.to_thread(input, "  digits (Enter: none, Ctrl-D: hang up)> ")).strip()
        except EOFError:
            print()
            return None


class _Prepared:
    def __init__(self, inputs: list[str], quiet: bool) -> None:
        self._inputs = iter(inputs)
        self._quiet = quiet

    async def __call__(self) -> str | None:
        typed = next(self._inputs, "")  # behind the last one there is silence, as in run-test
        if not self._quiet:
            print(f"  digits> {typed}")
        return typed


def _print_end(found: dict[str, str]) -> int:
    status = found.get("ROUTE_STATUS", "")  # it is set last: without it the call broke off
    if not status:
        print(paint("You hung up, or the engine did: no destination was set.", "bad"))
        return 1
    rule = f", rule '{found['ROUTE_RULE']}'" if found.get("ROUTE_RULE") else ""
    place = say_destination(_destination(found)) or "nowhere: the dialplan's own fallback"
    print(paint(f"-> {place}{rule} ({found.get('ROUTE_REASON', '')})", "good" if status == "OK" else "bad"))
    for name, value in found.items():
        if name.startswith("ROUTE_") and value:
            print(f"   {name}={value}")
    return 0 if status == "OK" else 1


def _destination(found: dict[str, str]) -> Destination | None:
    if not found.get("ROUTE_KIND"):
        return None
    priority, ring_s = (int(found[name]) if name in found else None for name in ("QUEUE_PRIO", "ROUTE_RING_S"))
    return Destination(found["ROUTE_KIND"], found.get("ROUTE_TARGET", ""), priority, ring_s)
