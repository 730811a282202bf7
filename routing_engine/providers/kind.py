"""What a kind of provider is: how its integrations are read, and what opens them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from routing_engine.core.ports import Clock, Provider
from routing_engine.settings.integration import IntegrationKeys, Model, read_models
from routing_engine.settings.yaml_reader import Section

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class ReadSettings(Protocol[S_co]):
    """Reads a provider's own keys. Without `folder` it is the one above the folder of the YAML file."""

    def __call__(self, section: Section, name: str, folder: Path | None = None) -> S_co:
        """Return the settings that `open` takes."""


@dataclass(frozen=True, slots=True)
class ProviderKind(Generic[S]):
    """How one kind of provider comes to life; `S` are its settings.

    `read_settings(section, name, folder)` takes and closes the keys of its own in the YAML of the integration `name`,
    and notes every problem there; files that it names are relative to `folder`.
    `open(name, settings, models, region, clock)` returns a provider for such settings. `read_models(section)` takes
    `models` and `number_form` before that; another one than every integration has is for models with keys of their own.
    """

    read_settings: ReadSettings[S]
    open: Callable[[str, S, Mapping[str, Model], str, Clock], Provider]
    read_models: Callable[[Section], Mapping[str, Model]] = read_models
    #: All keys of the integration's YAML, for editors. As it is, unknown keys pass there: they are not declared.
    keys: type[IntegrationKeys] = IntegrationKeys


def late(place: str) -> Callable[..., Provider]:
    """Return what opens providers, `package.module:function`, imported with the first: few sites need every client."""
    module, _, name = place.partition(":")

    def opens(*given: object) -> Provider:
        provider: Provider = getattr(import_module(f"routing_engine.providers.{module}"), name)(*given)
        return provider

    return opens
