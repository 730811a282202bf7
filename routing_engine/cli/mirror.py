"""`routing-engine mirror`: what is mirrored, how many records, how old, and when it is pulled next; or pull it now."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import time
from collections.abc import Mapping
from datetime import datetime, tzinfo

from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.config.store import Configuration
from routing_engine.core.model import Json
from routing_engine.engine import open_provider, open_store
from routing_engine.errors import ProviderError
from routing_engine.lookup.caching import age_in_words
from routing_engine.mirror.provider import MirrorProvider
from routing_engine.mirror.puller import PullResult
from routing_engine.mirror.schedule import Kind
from routing_engine.mirror.scheduler import ModelState

_SHOW_EVERY_S = 0.5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="this integration (default: all of them)")
    parser.add_argument("--now", action="store_true", help="pull what has changed now; needs NAME")
    parser.add_argument("--full", action="store_true", help="pull every record now; needs NAME")
    parser.add_argument("--accept", action="store_true", help="the same, even when most records would be gone")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show, or pull and then show; 1 when something cannot be used or a pull failed."""
    # Without the routes: a broken one is no reason not to pull.
    configuration = open_store(options.config).load_integrations(options.name)
    mirrored = [name for name, one in configuration.integrations.items() if one.mirror is not None]
    if options.name and options.name not in mirrored:
        return misuse(f"no integration '{options.name}' is mirrored; mirrored are: {', '.join(mirrored) or 'none'}")
    pulls = options.now or options.full or options.accept
    if pulls and not options.name:
        return misuse("name the integration that is to be pulled: routing-engine mirror NAME --now")
    names = [options.name] if options.name else mirrored
    return asyncio.run(_run(options, configuration, names, pulls))


async def _run(options: argparse.Namespace, configuration: Configuration, names: list[str], pulls: bool) -> int:
    states, good = dict[str, Mapping[str, ModelState]](), True
    for name in names:
        mirror = open_provider(configuration.integrations[name], configuration.settings)
        assert isinstance(mirror, MirrorProvider)
        try:
            # Looked at first: it says which models there are to pull.
            states[name] = dict(await mirror.look())
            for model in states[name] if pulls else ():
                # Every model is tried: one that fails says nothing about the next.
                good = await _pull(mirror, name, model, options) and good
            states[name] = dict(await mirror.look())
        finally:
            await mirror.close()
    if options.json:
        print_json({"mirrors": [_as_json(name, *one) for name, found in states.items() for one in found.items()]})
    else:
        _print(states, configuration.settings.timezone)
    return 0 if good and not any(state.unusable for found in states.values() for state in found.values()) else 1


async def _pull(mirror: MirrorProvider, name: str, model: str, options: argparse.Namespace) -> bool:
    kind: Kind = "full" if options.full or options.accept else "changes"
    pull = asyncio.create_task(mirror.pull(model, kind, options.accept))
    # A full pull takes minutes; who waits for one wants to see it move.
    while not pull.done():
        await asyncio.wait({pull}, timeout=_SHOW_EVERY_S)
        if not pull.done() and sys.stderr.isatty():
            so_far = (await mirror.look())[model].pulling.so_far
            print(f"\r{name} {model}: {so_far} records so far", end="", file=sys.stderr, flush=True)
    try:
        return _said(name, model, await pull)
    except ProviderError as error:
        why = str(error)
    except (sqlite3.Error, OSError) as error:
        why = f"its file cannot be written: {error}"
    print(f"{name} {model}: not pulled: {why}", file=sys.stderr)
    return False


def _said(name: str, model: str, pulled: PullResult | None) -> bool:
    if pulled is None:
        print(f"{name} {model}: another process is pulling it just now", file=sys.stderr)
        return False
    print(f"{name} {model}: pulled, {pulled.came} came, {pulled.gone} gone", file=sys.stderr)
    return True


def _print(states: Mapping[str, Mapping[str, ModelState]], zone: tzinfo | None) -> None:
    if not states:
        print("nothing is mirrored: no integration has 'mirror'")
    for name, found in states.items():
        for model, state in found.items():
            usable = not state.unusable
            print(paint(f"{name} {model}: {_what(state)}", "good" if usable and not state.failing else "bad"))
            for line in _more(state, zone):
                print(f"  {line}")


def _what(state: ModelState) -> str:
    if state.held is None:
        return "no records yet"
    return f"{state.held.records} records, {age_in_words(max(0.0, time.time() - state.held.as_of))} old"


def _more(state: ModelState, zone: tzinfo | None) -> list[str]:
    lines = [f"cannot be used: {state.unusable}"] if state.unusable else []
    if state.pulling.kind:
        lines.append(f"under way: {state.pulling.kind}, {state.pulling.so_far} records so far")
    if state.failing:
        lines.append(f"the last pull failed: {state.failing}")
    moment = datetime.fromtimestamp(state.next_at, zone).astimezone(zone)
    return [*lines, f"next pull: {state.next_kind}, {moment:%Y-%m-%d %H:%M:%S}"]


def _as_json(name: str, model: str, state: ModelState) -> dict[str, Json]:
    held = state.held
    return {
        "integration": name,
        "model": model,
        "records": None if held is None else held.records,
        "age_s": None if held is None else round(max(0.0, time.time() - held.as_of), 1),
        "as_of": None if held is None else held.as_of,
        "full_at": None if held is None else held.full_at,
        "under_way": state.pulling.kind or None,
        "so_far": state.pulling.so_far,
        "unusable": state.unusable or None,
        "failing": state.failing or None,
        "next": state.next_kind,
        "next_at": state.next_at,
    }
