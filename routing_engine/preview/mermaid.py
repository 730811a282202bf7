"""A route as a Mermaid flow chart, for a wiki or a merge request. Syntax: mermaid.js.org, "Flowcharts"."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.redact import visible
from routing_engine.preview.steps import DEFAULT, RoutePreview, WayOut

_LONGEST = 200


def as_mermaid(preview: RoutePreview) -> str:
    """Return the chart, without a line end behind the last line."""
    title = f"{preview.name}: {preview.description}" if preview.description else preview.name
    return "\n".join(["flowchart TD", f"    start([{quoted(title)}]) --> s1", *_edges(preview)])


def _edges(preview: RoutePreview) -> Iterator[str]:
    last = len(preview.steps)
    for number, step in enumerate(preview.steps, start=1):
        if step.kind == "default":
            yield f"    s{number}[{quoted(f'{step.title}: {step.ways[0].leads}')}]"
            continue
        yield f"    s{number}{{{{{quoted(step.title)}}}}} --> s{number + 1}"
        for place, way in enumerate(step.ways, start=1):
            if way.to == DEFAULT or way.ends or way.asleep:
                end = f"s{last}" if (way.to, way.plays) == (DEFAULT, "") else f"s{number}w{place}[{quoted(way.leads)}]"
                yield f"    s{number} -{'.' if way.asleep else ''}-> |{quoted(_label(way))}| {end}"


def _label(way: WayOut) -> str:
    return f"{way.rule}: {way.when}" if way.rule and way.rule != way.when else way.when


def quoted(text: str) -> str:
    """Return a label: whatever is in it, it is text to Mermaid and to the browser that draws it."""
    return '"' + "".join(map(_harmless, visible(text, _LONGEST))) + '"'


def _harmless(one: str) -> str:
    return one if one.isalnum() or one in " ,.:_-'/+()" else f"#{ord(one)};"
