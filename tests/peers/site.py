"""The peers' configuration, read once, and its examples played so that all that was asked can be looked at."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from routing_engine.config.examples import Example
from routing_engine.config.load import Configuration, read_configuration
from routing_engine.core.asks import SourceDown
from routing_engine.core.model import Caller, Record
from routing_engine.core.phone import HIDDEN_WORDS, read_number
from routing_engine.providers.registry import PROVIDERS, Readers
from tests.core.build import Told, converse

CONFIG = Path(__file__).parent / "config"


@cache
def configuration() -> Configuration:
    """The whole folder, as the engine reads it."""
    return read_configuration(CONFIG, Readers(PROVIDERS, CONFIG), {"ERP_KEY": "secret"}.get)


def example(route: str, name: str) -> Example:
    """One example of a route."""
    (found,) = (one for one in configuration().examples[route] if one.name == name)
    return found


def play(route: str, name: str, ahead: str = "") -> Told:
    """Play an example; `ahead` is typed while the instruction plays."""
    one, found = example(route, name), configuration()
    records: dict[str, SourceDown | tuple[Record, ...]] = dict(one.records)
    states = {str(left): value for left, value in one.states.items()}
    return converse(found.routes[route], _caller(one, route), one.input, ahead, records, found.routes, states)


def _caller(one: Example, route: str) -> Caller:
    settings = configuration().settings
    return Caller(
        number=read_number(one.caller, settings.region),
        called=one.called,
        language=one.language or configuration().routes[route].language,
        at=one.at.replace(tzinfo=settings.timezone or ZoneInfo("UTC")),
        hidden=one.caller in HIDDEN_WORDS,
        variables=one.variables,
    )
