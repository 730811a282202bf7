"""The whole folder as a map: which route leads where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from routing_engine.core.redact import visible
from routing_engine.preview.mermaid import quoted
from routing_engine.preview.steps import RoutePreview, WayOut

_LONGEST = 400


def places_of(preview: RoutePreview) -> list[WayOut]:
    """Return the ways that end somewhere, each place once, in the order in which the route names them."""
    found: dict[str, WayOut] = {}
    for step in preview.steps:
        for way in step.ways:
            if way.ends:
                found.setdefault(way.to, way)
    return [*found.values()]


def map_text(previews: Iterable[RoutePreview]) -> str:
    """Return the map as lines."""
    return "\n\n".join("\n".join(_of_route(one)) for one in previews)


def _of_route(preview: RoutePreview) -> Iterator[str]:
    head = f"{preview.name}: {preview.description}" if preview.description else preview.name
    yield visible(head, _LONGEST)
    ways = places_of(preview)
    for number, way in enumerate(ways, start=1):
        yield f"{'└' if number == len(ways) else '├'}──▶ {visible(way.to, _LONGEST)}"


def map_mermaid(previews: Iterable[RoutePreview]) -> str:
    """Return the map as a Mermaid flow chart; routes that lead to others are joined."""
    every = [*previews]
    number_of = {one.name: f"r{number}" for number, one in enumerate(every, start=1)}
    places = {way.to: "" for one in every for way in places_of(one) if way.route not in number_of}
    places = {to: f"p{number}" for number, to in enumerate(places, start=1)}
    lines = ["flowchart LR", *(f"    {number_of[one.name]}([{quoted(one.name)}])" for one in every)]
    lines += [f"    {place}[{quoted(to)}]" for to, place in places.items()]
    for one in every:
        ends = dict.fromkeys(number_of.get(way.route) or places[way.to] for way in places_of(one))
        lines += [f"    {number_of[one.name]} --> {end}" for end in ends]
    return "\n".join(lines)
