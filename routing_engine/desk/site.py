"""What holds in the configuration in force: integrations, their look-ups, and who writes records there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.calls.ports import EntryUser, RecordDesk
from routing_engine.contacts import ContactMatcher
from routing_engine.settings.integration import FieldInfo, Integration, Model, Titled
from routing_engine.settings.people import User

_NOT_THERE = Model("", {})


@dataclass(frozen=True, slots=True)
class Writer:
    """What writes for somebody: with the own account there, or with that of the integration, for its owner."""

    desk: RecordDesk
    owner: EntryUser


#: Gives who writes in an integration for a person, or for a program; None where nothing can be written.
FindWriter: TypeAlias = Callable[[str, User | None], Awaitable[Writer | None]]


@dataclass(frozen=True, slots=True)
class DeskSite:
    """The site as it is now. `desk_of` gives what writes records of an integration; None where nothing does."""

    integrations: Mapping[str, Integration]
    matcher: ContactMatcher
    users: Mapping[str, User]
    desk_of: Callable[[str], RecordDesk | None]
    writer: FindWriter

    def model(self, integration: str, model: str) -> Model:
        """Return a model; an empty one where it is not there (any more)."""
        found = self.integrations.get(integration)
        return _NOT_THERE if found is None else found.models.get(model, _NOT_THERE)

    def title(self, integration: str) -> str:
        """Return what people call an integration's system."""
        found = self.integrations.get(integration)
        return found.settings.title if found is not None and isinstance(found.settings, Titled) else integration

    def model_title(self, integration: str, model: str) -> str:
        """Return what people call a model."""
        found = self.integrations.get(integration)
        known = found.settings.title_of(model) if found is not None and isinstance(found.settings, Titled) else ""
        return known or as_label(model)

    def about(self, integration: str, model: str, name: str) -> FieldInfo:
        """Return what people see of a field; its label is never empty."""
        info = self.model(integration, model).about.get(name, FieldInfo())
        return FieldInfo(info.label or as_label(name), info.type, info.shown)


def as_label(name: str) -> str:
    """Return a name of ours as people read it: `lead_status` is `Lead status`."""
    return name.replace("_", " ").strip().capitalize()
