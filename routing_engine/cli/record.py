"""A record as people see it: its fields that are shown, with their labels."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.cli.common import paint
from routing_engine.config.store import Configuration
from routing_engine.core.model import Decision, Record
from routing_engine.core.redact import visible
from routing_engine.core.templates import as_text
from routing_engine.settings.integration import FieldInfo


def about_of(configuration: Configuration, decision: Decision) -> Mapping[str, FieldInfo]:
    """Return what is said of the fields of a decision's record."""
    route = configuration.routes.get(decision.route)
    for source in route.sources if route is not None else ():
        integration = configuration.integrations.get(source.integration)
        if source.name == decision.source and integration is not None and source.model in integration.models:
            return integration.models[source.model].about
    return {}


def print_record(record: Record, source: str, about: Mapping[str, FieldInfo], rest: str = "") -> None:
    """Print a record: where it is from, its page, and a line for each field that is shown. `rest`: where all are."""
    print(f"\nRecord from {source}" + (f"  {record.url}" if record.url else ""))
    shown = {name: held for name, held in record.fields.items() if about.get(name, FieldInfo()).shown}
    width = max(map(len, shown), default=0)
    for name, held in shown.items():
        label = about.get(name, FieldInfo()).label
        said = paint(f"  ({visible(label)})", "dim") if label else ""
        print(f"  {visible(name):<{width}}  {visible(as_text(held))}{said}")
    if hidden := len(record.fields) - len(shown):
        print(paint(f"  {hidden} more {'is' if hidden == 1 else 'are'} not shown{rest}", "dim"))
