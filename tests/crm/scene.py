"""A real CRM with people in it, an integration that asks it, and calls and questions as an operator's."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rig.asterisk import Landing
from routing_engine.calls.ports import CallLog, EntryContact, EntryUser, LogEntry, RecordDesk, SoundFile
from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Record, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Batch
from routing_engine.lookup.search import Search
from routing_engine.providers.crm.provider import CrmProvider, open_crm
from routing_engine.providers.crm.settings import reader_of_shipped
from routing_engine.settings.integration import ProviderSetup
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.acceptance.stage import House, Stage, engine_of

REGION = "AT"
BEGAN = 1_796_043_600.25


@dataclass(frozen=True)
class Scene:
    """A real CRM: the YAML of an integration that asks it, what `${SECRET}` is in it, and the ids of its people."""

    integration: str
    secret: str
    ids: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)

    def named(self, *names: str) -> list[str]:
        """The ids of people, in order."""
        return sorted(self.ids[name] for name in names)


class Asked:
    """An integration, asked as calls ask. Its clock is `later_s` ahead."""

    def __init__(self, integration: str, secret: str) -> None:
        self.connection, self.later_s = _connection(integration, secret), 0.0
        settings, models = self.connection.settings, self.connection.models
        provider = open_crm("crm", settings, models, REGION, lambda: time.monotonic() + self.later_s)
        assert isinstance(provider, CrmProvider)
        self.provider = provider
        self.search = Search({"crm": provider}, {"crm": self.connection.models}, REGION, 5, time.monotonic)

    async def caller(self, number: str, model: str) -> Found | SourceDown:
        """What a call from this number finds."""
        caller = read_number(number, REGION)
        assert caller is not None
        source = Source("s", "crm", model, Template((Operand("call", "caller"),)))
        return await self.search.find(Find(source, caller.e164, caller), 5)

    async def field(self, name: str, value: str, model: str) -> Found | SourceDown:
        """What a search for a value in a field finds."""
        source = Source("s", "crm", model, Template(()), field=name)
        return await self.search.find(Find(source, value, None), 5)

    async def listed(self, model: str, since: datetime | None = None) -> list[Record]:
        """The records of all pages."""
        return [record for batch in await self._batches(model, since) for record in batch.records]

    async def gone(self, model: str) -> list[str]:
        """The ids that the pages say are gone."""
        return [one for batch in await self._batches(model, None) for one in batch.gone]

    async def _batches(self, model: str, since: datetime | None) -> list[Batch]:
        found, cursor = list[Batch](), ""
        while not found or cursor:
            found.append(await self.provider.page(model, since, cursor))
            cursor = found[-1].cursor
        return found

    @property
    def desk(self) -> RecordDesk:
        """What writes records there."""
        found = self.provider.record_desk()
        assert found is not None
        return found

    @property
    def log(self) -> CallLog:
        """What writes calls there."""
        found = self.provider.call_log()
        assert found is not None
        return found


def called(model: str, number: str, text: str = "Spoke, 'twice' <b>", user: str = "") -> LogEntry:
    """A call with somebody of the scene, as an entry; each text is another call."""
    call = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {text}"))
    body = f"{text}\nCall ID: {call}"
    who, contact = EntryUser(user, "201", "Olga", "olga@example.com"), EntryContact(model, number, "Anna")
    return LogEntry(call, "inbound", "Call from Anna", body, BEGAN, "answered", "+436641234567", "+4312345601",
                    ended_at=BEGAN + 65, duration_s=65.0, user=who, contact=contact)  # fmt: skip


def sound(data: bytes, name: str = "call.wav") -> SoundFile:
    async def read() -> AsyncIterator[bytes]:
        yield data

    return SoundFile(name, 65.0, read, len(data))


@asynccontextmanager
async def asking(scene: Scene, integration: str = "", secret: str = "") -> AsyncIterator[Asked]:
    """The scene's integration, or another one, opened."""
    asked = Asked(integration or scene.integration, secret or scene.secret)
    try:
        yield asked
    finally:
        await asked.provider.close()


def _connection(text: str, secret: str) -> ProviderSetup:
    notes = Problems("integrations/crm.yaml", {"SECRET": secret}.get)
    section = read_yaml(text, notes)
    assert section is not None
    found = reader_of_shipped(section.text("provider"), Path())(section, "crm")
    assert notes.problems == []
    return found


def ids(found: Found | SourceDown) -> list[str]:
    """The ids of what was found, in order."""
    assert isinstance(found, Found), found
    return sorted(record.id for record in found.records)


async def landed(
    house: House, scene: Scene, model: str, rules: str, caller: str, mirrored: Callable[[], None] | None = None
) -> Landing:
    """Where a caller lands whose only source is this model of the scene, with these rules; else in `sales`.

    With `mirrored` the scene's mirror is pulled first, and that is called before the caller dials.
    """
    with TemporaryDirectory(prefix="whole-call-") as made:
        folder = Path(made)
        (folder / "integrations").mkdir()
        (folder / "secret").write_text(scene.secret)
        text = scene.integration.replace("'${SECRET}'", f"{{file: {folder}/secret}}")
        (folder / "integrations" / "real.yaml").write_text(text)
        source = f"{{integration: real, model: {model}, search: {{by: caller}}, timeout_s: 5, rules: [{rules}]}}"
        route = f"deadline_s: 6\nsources: [{source}]\ndefault: {{to: {{queue: sales}}}}\n"
        async with engine_of(house.middleware, {"whole": route}, folder=folder) as engine:
            if mirrored is not None:
                await engine.logged("mirror.pulled", model=model)
                mirrored()
            stage = Stage(house, engine)
            call = await stage.call("whole", caller=caller)
            landing = await stage.lands(call, "queue")
            await call.hang_up()
            assert engine.complaints == []
            return landing
