"""`routing-engine show`: a route as a person would draw it, the whole folder as a map, and a change in words."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path

from routing_engine.cli.common import misuse, paint
from routing_engine.cli.in_force import load_for_tools
from routing_engine.config.revisions import Revisions
from routing_engine.config.store import FolderInForce
from routing_engine.core.model import Route
from routing_engine.preview.mermaid import as_mermaid
from routing_engine.preview.overview import map_mermaid, map_text
from routing_engine.preview.steps import preview_of
from routing_engine.preview.svg import as_svg
from routing_engine.preview.text import as_text
from routing_engine.settings.yaml_reader import suggest

_FORMS = {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}
_MAPS = {"text": map_text, "mermaid": map_mermaid}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("route", nargs="?", default="", metavar="ROUTE", help="a route; without one, the whole folder")
    parser.add_argument(
        "--format",
        choices=[*_FORMS],
        default="text",
        metavar="FORMAT",
        help="text, mermaid for a wiki, svg for a picture (of a route)",
    )
    parser.add_argument("--diff", metavar="REV", help="what has changed since a revision, in words")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the drawing."""
    configuration, _ = load_for_tools(options.config)
    routes = configuration.routes
    if options.diff is not None:
        return _diff(options, routes)
    if not options.route:
        if options.format not in _MAPS:
            return misuse("the whole folder is drawn as text or mermaid; name a route for a picture")
        print(_MAPS[options.format]([preview_of(routes[name]) for name in sorted(routes)]))
        return 0
    if options.route not in routes:
        return misuse(f"there is no route '{options.route}'; {suggest(options.route, routes)}")
    print(_FORMS[options.format](preview_of(routes[options.route])))
    return 0


def _diff(options: argparse.Namespace, routes: Mapping[str, Route]) -> int:
    if options.format != "text":
        return misuse("a change is said in words: --diff has no other --format")
    found = Revisions(options.config).find(options.diff)
    before = _routes_of(options.config, found.number)
    every = {*before, *routes}
    if options.route and options.route not in every:
        return misuse(f"there is no route '{options.route}'; {suggest(options.route, every)}")
    names = [options.route] if options.route else sorted(every)
    changed = [lines for name in names if (lines := _changed(name, before.get(name), routes.get(name)))]
    if not changed:
        print(f"Nothing that a caller would notice has changed since {found.number}.")
    for lines in changed:
        for line in lines:
            colour = {"+": "good", "-": "bad"}.get(line[:1], "")
            print(paint(line, colour) if colour else line)
    return 0


def _routes_of(folder: Path, number: str) -> Mapping[str, Route]:
    """Return the routes of a revision that is kept."""
    from routing_engine.engine import open_store  # late: what a route alone does without

    store = open_store(folder)
    return store.prepare(FolderInForce(store.revisions.texts(number), lenient=True)).routes


def _changed(name: str, before: Route | None, after: Route | None) -> Sequence[str]:
    """Return the lines of a route that are others now, each with `-` or `+` in front; none when there are none."""
    if before is None:
        return [f"+ {name} is new"]
    if after is None:
        return [f"- {name} is gone"]
    old, new = (as_text(preview_of(one)).splitlines() for one in (before, after))
    lines = [*unified_diff(old, new, lineterm="", n=1)][2:]
    said = [f"{line[:1]} {line[1:]}" for line in lines if not line.startswith("@@") and line.strip(" │")]
    return [f"{name}:", *said] if said else []
