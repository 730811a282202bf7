"""Who is calling, shown to people of a described system by its own means."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.calls.ports import LogEntry
from routing_engine.core.model import Json
from routing_engine.providers.crm.client import CrmClient
from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.scope import call_scope
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.steps import WritingSteps


class CrmScreen:
    """Keeps the port `CallScreen` with what a description says."""

    def __init__(self, name: str, settings: CrmSettings, client: CrmClient) -> None:
        self._settings, self._writing = settings, settings.description.writing
        self._steps = WritingSteps(name, settings.description.title, client)

    async def pop(self, entry: LogEntry) -> Mapping[str, str] | None:
        """Show who is calling; None where no step is for such a call."""
        scope = self._scope(entry)
        if not any(holds(step.when, {**scope, "step": {}}) for step in self._writing.pop):
            return None
        return await self._steps.run(self._writing.pop, scope)

    async def close(self, entry: LogEntry, shown: Mapping[str, str]) -> None:
        """Take it away again."""
        await self._steps.run(self._writing.close_pop, {**self._scope(entry), "pop": dict(shown)})

    def _scope(self, entry: LogEntry) -> dict[str, Json]:
        model = self._settings.constants.get(entry.contact.model, {}) if entry.contact is not None else {}
        return {"settings": self._settings.values, "model": model, **call_scope(entry, {})}
