"""Calls written into a described system: the steps of its description, run with the connection of the look-ups."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from urllib.parse import unquote

from routing_engine.calls.ports import CrmEntry, EntryContact, LogAt, LogEntry, ShownRequest, SoundFile, TakesRecording
from routing_engine.core.model import Json
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.crm.client import NOTHING, Attached, CrmClient
from routing_engine.providers.crm.filters import Unsearchable, as_words
from routing_engine.providers.crm.model import Match
from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.records import MappedModel, following, nodes_of, page_address, where_from
from routing_engine.providers.crm.scope import call_scope
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.steps import REQUEST_S, WritingSteps
from routing_engine.providers.crm.templates import Scope, TextTemplate
from routing_engine.providers.crm.writing import makes_entry, takes_recording
from routing_engine.providers.net.upload import spooled

#: Of the people of a CRM, and of its calls in a window of time.
_PAGES, _LIMIT = 20, 100


class CrmCallLog:
    """Keeps the port `CallLog` with what a description says."""

    def __init__(self, name: str, settings: CrmSettings, mapped: Mapping[str, MappedModel], client: CrmClient) -> None:
        self._name, self._settings, self._mapped, self._client = name, settings, mapped, client
        self._writing = settings.description.writing
        self._title = settings.description.title
        self._steps = WritingSteps(name, self._title, client)

    @property
    def log_at(self) -> LogAt:
        """When the entry is made."""
        return self._writing.log_at

    @property
    def takes_recording(self) -> TakesRecording:
        """What `attach` can do."""
        return takes_recording(self._writing)

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        """Write a new entry; with `again` one that is there already is changed instead."""
        scope = self._scope(entry)
        # Only then: a search before every entry would double the requests for one reply in thousands that is lost.
        found = await self._first(self._writing.find_call, scope) if again else ""
        if found:
            return await self._taken_up(entry, found)
        captured = await self._steps.run(self._writing.log_call, scope)
        crm_id = captured.get("crm_id", "")
        if not crm_id:
            whose = f"a {entry.contact.model}" if entry.contact is not None else "somebody unknown"
            raise ProviderRefused(f"{self._name}: {self._title} has no place for a call with {whose}")
        return CrmEntry(crm_id, self._page(entry, crm_id))

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        """Bring an entry up to what the call is now."""
        await self._steps.run(self._writing.update_call, self._scope(entry, crm_id=crm_id))

    async def move(self, entry: LogEntry, crm_id: str, was: EntryContact) -> bool:
        """Take an entry to another record."""
        known: dict[str, Json] = {**self._settings.constants.get(was.model, {}), "id": was.id}
        scope = {**self._scope(entry, crm_id=crm_id), "was": known}
        steps = [step for step in self._writing.move_call if holds(step.when, {**scope, "step": {}})]
        await self._steps.run(steps, scope)
        return bool(steps)

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        """Add the recording to an entry; without a file the address where it can be heard."""
        async with self._attached(recording) as file:
            scope = self._scope(entry, crm_id=crm_id, **_about(recording, file))
            if recording is None and self.takes_recording == "file":
                raise ProviderRefused(f"{self._name}: {self._title} takes a recording's sound, and there is none")
            await self._steps.run(self._writing.attach_recording, scope, file)

    async def find_user(self, email: str, extension: str) -> str | None:
        """Return the system's id of a person; None where nobody, or several, fit."""
        scope = {**self._outer(), "user": {"email": email or None, "extension": extension or None}}
        for match in self._writing.find_user:
            if holds(match.attempt.when, scope):
                found = await self._matches(match, scope)
                # Two of one address: an entry in the wrong name is worse than one in nobody's.
                if len(found) == 1:
                    return found[0]
        return None

    def rehearse(self, entry: LogEntry) -> list[ShownRequest]:
        """Return what `log` would send, without sending; what an answer gives stands as its name: `<crm_id>`."""
        shown, captured = list[ShownRequest](), dict[str, str]()
        for step in self._writing.log_call:
            scope = {**self._scope(entry), "step": captured}
            if holds(step.when, scope):
                built = self._client.show(step.request, scope)
                body = (built.body or b"").decode("utf-8", "replace")
                shown.append(ShownRequest(built.method, unquote(str(built.url)), dict(built.headers), body))
                captured |= {name: f"<{name}>" for name, _ in step.capture}
        return shown

    async def _taken_up(self, entry: LogEntry, crm_id: str) -> CrmEntry:
        """Finish an entry that was made, while what came after it was not."""
        # What was captured on the way to the entry is gone, and nothing behind it needs it.
        steps = self._writing.log_call
        made = max(number for number, step in enumerate(steps) if makes_entry(step))
        await self._steps.run(steps[made + 1 :], self._scope(entry), captured={"crm_id": crm_id})
        await self.update(entry, crm_id)
        return CrmEntry(crm_id, self._page(entry, crm_id))

    # --------------------------------------------------------------------------------------- searches

    async def _first(self, matches: Sequence[Match], scope: Scope) -> str:
        for match in matches:
            if holds(match.attempt.when, scope) and (found := await self._matches(match, scope)):
                return found[0]
        return ""

    async def _matches(self, match: Match, scope: Scope) -> list[str]:
        """Return the ids of what was found, and holds what it must."""
        found, cursor = dict[str, None](), ""
        for _ in range(_PAGES):
            here = {**scope, "limit": _LIMIT, **where_from(match.attempt.paging, cursor)}
            # A value that no query can carry is nobody's: nothing there is called so.
            try:
                nodes, cursor = await self._found(match, here, cursor)
            except Unsearchable:
                return []
            found |= {text: None for node in nodes if _fits(match, node, here) and (text := _id(match, node, here))}
            if not cursor:
                break
        return list(found)

    async def _found(self, match: Match, scope: Scope, cursor: str) -> tuple[list[dict[str, Json]], str]:
        attempt = match.attempt
        link = cursor if attempt.paging is not None and attempt.paging.kind == "link" else ""
        try:
            async with asyncio.timeout(REQUEST_S):
                heard = await self._client.answer(attempt.request, scope, link)
        except TimeoutError:
            raise ProviderUnreachable(f"{self._name}: {self._title} does not answer") from None
        nodes = [] if heard.tree is NOTHING else nodes_of(attempt, heard.tree, self._name)
        return nodes, following(attempt.paging, heard, len(nodes), cursor, _LIMIT)

    # ----------------------------------------------------------------------------------------- values

    def _outer(self, model: str = "") -> dict[str, Json]:
        return {"settings": self._settings.values, "model": self._settings.constants.get(model, {})}

    def _scope(self, entry: LogEntry, **more: Json) -> dict[str, Json]:
        outer = self._outer(entry.contact.model if entry.contact is not None else "")
        return {**outer, **call_scope(entry, more)}

    def _page(self, entry: LogEntry, crm_id: str) -> str:
        url = self._writing.entry_url
        if url is None:
            return ""
        return page_address(url, {**self._scope(entry, crm_id=crm_id), "auth": self._client.known})

    @asynccontextmanager
    async def _attached(self, recording: SoundFile | None) -> AsyncIterator[Attached | None]:
        """Make marks for a recording that no text of a caller can hold, and give it a length."""
        if recording is None or self.takes_recording != "file":
            yield None
            return
        raw, encoded = f"file-{token_hex(16)}", f"text-{token_hex(16)}"
        if recording.size is not None:
            yield Attached(raw, encoded, recording.open, recording.size)
            return
        async with spooled(recording.open(), self._settings.folder) as (open_file, size):
            yield Attached(raw, encoded, open_file, size)


def _about(recording: SoundFile | None, file: Attached | None) -> dict[str, Json]:
    """Return what steps may name of a recording; its bytes are marks, which become bytes when they are sent."""
    if recording is None or file is None:
        return {}
    return {
        "recording": file.raw,
        "recording_base64": file.encoded,
        "recording_name": recording.name,
        "recording_type": recording.media_type,
        "recording_seconds": recording.seconds,
    }


def _fits(match: Match, node: dict[str, Json], scope: Scope) -> bool:
    return all(
        any(pattern.fullmatch(as_words(held).strip()) for held in path.nodes(node))
        for path, text in match.same
        if (pattern := _pattern(text, scope))
    )


def _pattern(text: TextTemplate, scope: Scope) -> re.Pattern[str]:
    """Return what a found text must look like: `*` stands for any signs where the description itself has it."""
    parts = (part.split("*") if isinstance(part, str) else [as_words(part.value(scope))] for part in text.parts)
    return re.compile("".join(".*".join(map(re.escape, part)) for part in parts), re.I | re.S)


def _id(match: Match, node: dict[str, Json], scope: Scope) -> str:
    if match.means is not None:
        return match.means.text(scope)
    found = match.id.first(node)
    return as_text(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
