"""Records of a described system that are created and changed, with the connection of the look-ups."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.calls.ports import EntryUser, RecordForm
from routing_engine.core.model import Json, Record
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.client import CrmClient
from routing_engine.providers.crm.create import NAME_FIELDS, creating, editing, named_in, writable
from routing_engine.providers.crm.records import MappedModel, record_page
from routing_engine.providers.crm.scope import user_scope
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.steps import WritingSteps

_NOBODY = EntryUser()


class CrmRecordDesk:
    """Keeps the port `RecordDesk` with what a description says."""

    def __init__(self, name: str, settings: CrmSettings, mapped: Mapping[str, MappedModel], client: CrmClient) -> None:
        self._name, self._settings, self._mapped, self._client = name, settings, mapped, client
        self._writing, self._title = settings.description.writing, settings.description.title
        self._steps = WritingSteps(name, self._title, client)

    def form(self, model: str) -> RecordForm:
        """Return what can be written."""
        mapped = self._mapped.get(model)
        if mapped is None:
            return RecordForm()
        creation = self._writing.creation_for(model)
        # Every system refuses a record without a name; the rest may be empty.
        needed = ("name",) if creation is not None and named_in(creation) & set(NAME_FIELDS) else ()
        return RecordForm(writable(creation, mapped), writable(self._writing.edit_for(model), mapped), needed)

    async def create(self, model: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> Record:
        """Create a record of a model."""
        creation, mapped = self._writing.creation_for(model), self._mapped.get(model)
        if creation is None or mapped is None:
            raise ProviderRefused(f"{self._name}: a '{model}' cannot be created in {self._title}")
        step, new = creating(creation, mapped, fields, self._name)
        outer = self._outer(model, owner)
        captured = await self._steps.run((*creation.before, step), {**outer, "new": new})
        # What was sent is what is there: a name that was made of a number is told too.
        held = {**fields, **({"name": str(new["name"])} if "name" in new else {}), "id": captured["id"]}
        return Record(held, id=captured["id"], url=record_page(mapped.url, held, {**outer, "auth": self._client.known}))

    async def edit(self, model: str, record_id: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> None:
        """Change these fields of a record."""
        edit, mapped = self._writing.edit_for(model), self._mapped.get(model)
        if edit is None or mapped is None:
            raise ProviderRefused(f"{self._name}: a '{model}' cannot be changed in {self._title}")
        step, new = editing(edit, mapped, fields, self._name)
        scope = {**self._outer(model, owner), "new": new, "record": {"id": record_id}}
        await self._steps.run((*edit.before, step), scope)

    def _outer(self, model: str, owner: EntryUser | None) -> dict[str, Json]:
        constants = self._settings.constants.get(model, {})
        return {"settings": self._settings.values, "model": constants, "user": user_scope(owner or _NOBODY)}
