"""The provider of every described system: one engine for all descriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from routing_engine.calls.own_accounts import OwnAccount
from routing_engine.calls.ports import CallLog, CallScreen, RecordDesk
from routing_engine.core.bounds import LONGEST_TEXT, check_count, number_texts
from routing_engine.core.model import Json, Record
from routing_engine.core.phone import holds_line, read_number, spellings
from routing_engine.core.ports import NAME_WORDS, Batch, Clock, Noted, Provider, Query, RemoteField
from routing_engine.core.redact import clean_text
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.answers.outcome import error_of
from routing_engine.providers.answers.path import Path
from routing_engine.providers.answers.values import ASIDE_BYTES, aside
from routing_engine.providers.crm.account import CrmAccount, personal
from routing_engine.providers.crm.call_log import CrmCallLog
from routing_engine.providers.crm.client import NOTHING, CrmClient
from routing_engine.providers.crm.each import AskedOnce
from routing_engine.providers.crm.filters import Unsearchable
from routing_engine.providers.crm.model import Attempt, DescribeRequest
from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.record_desk import CrmRecordDesk
from routing_engine.providers.crm.records import (
    ReadAnswer,
    following,
    map_model,
    nodes_of,
    read_record,
    same_value,
    where_from,
)
from routing_engine.providers.crm.screen import CrmScreen
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.templates import Scope
from routing_engine.settings.integration import Model

#: How many records are asked for at once on a call, and how many pages of them at most.
_LIMIT, _PAGES = 20, 3
_LIST_LIMIT = 100
#: So many requests for single records are under way at once.
_SIDE_BY_SIDE = 5


def open_crm(name: str, settings: CrmSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a described system; it connects at the first look-up."""
    return CrmProvider(name, settings, models, region, clock)


class CrmProvider:
    """Keeps the ports `Provider`, `Lists` and `Checks` with what a description says."""

    def __init__(
        self, name: str, settings: CrmSettings, models: Mapping[str, Model], region: str, clock: Clock
    ) -> None:
        self._name, self._settings, self._region = name, settings, region
        self._description = settings.description
        self._mapped = {
            model: map_model(self._description, found, settings.urls.get(model)) for model, found in models.items()
        }
        self._numbers = {model: found.numbers for model, found in models.items()}
        self._client, self._clock = CrmClient(name, settings, clock), clock
        self._accounts: dict[tuple[str, str], CrmAccount] = {}

    def call_log(self) -> CallLog | None:
        """Return what writes calls with this connection; None where the description has no way to."""
        if not self._description.writing.log_call:
            return None
        return CrmCallLog(self._name, self._settings, self._mapped, self._client)

    def record_desk(self) -> RecordDesk | None:
        """Return what writes records with this connection; None where the description has no way to."""
        writing = self._description.writing
        if not (writing.create or writing.edit):
            return None
        return CrmRecordDesk(self._name, self._settings, self._mapped, self._client)

    def screen(self) -> CallScreen | None:
        """Return what shows people who is calling; None where the description has no way to."""
        return CrmScreen(self._name, self._settings, self._client) if self._description.writing.pop else None

    def account(self, person: str, mark: str) -> OwnAccount | None:
        """Return the own account of a person; None where the system has no way for people."""
        key = person, mark
        if key not in self._accounts:
            settings = personal(self._settings, mark)
            if settings is None:
                return None
            self._accounts[key] = CrmAccount(self._name, person, settings, self._mapped, self._clock)
        return self._accounts[key]

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the records of a caller, by one of the description's attempts, or with a value in a field."""
        # No system holds a control character in a field, and some queries would end at it.
        if not query.value.isprintable():
            return _not_asked("the value holds a control character")
        try:
            if query.field == NAME_WORDS:
                return await self._find_named(query)
            return await (self._find_caller(query) if query.by_caller else self._find_value(query))
        except Unsearchable as error:
            return _not_asked(str(error))

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        """Return one page of all records, or of those changed since a moment."""
        listing = self._description.listing_for(model, since is not None)
        if listing is None:
            raise ProviderRefused(f"{self._name}: the records of '{model}' cannot be listed")
        attempt = listing.attempt
        scope = self._scope(model, limit=_LIST_LIMIT, since=since, **where_from(attempt.paging, cursor))
        heard, nodes = await self._ask(attempt, scope, cursor)
        gone = [bool(listing.gone) and holds(listing.gone, node) for node in nodes]
        records = await aside(heard.size, partial(self._records, nodes, model, scope))
        return Batch(
            [one for one, is_gone in zip(records, gone, strict=True) if not is_gone],
            [one.id for one, is_gone in zip(records, gone, strict=True) if is_gone],
            following(attempt.paging, heard, len(nodes), cursor, _LIST_LIMIT),
        )

    async def check(self) -> str:
        """Ask something cheap, and return a sentence; raises what `find` raises."""
        title, check, self._client.denied = self._description.title, self._description.check, 0
        if check is not None:
            await self._client.ask(check, self._scope(next(iter(self._mapped))))
        # A user without a right for what calls ask may well have one for its own account.
        searched = [model for model in self._settings.checked if await self._asks_something(model)]
        # "Nobody was found" says nothing good to one who may not ask.
        if self._client.denied:
            raise error_of("login", f"{self._name}: {title}", self._client.denied)
        if not searched and check is None:
            raise ProviderRefused(f"{self._name}: there is nothing cheap to ask; add 'check' to the description")
        said = [*(["knows us"] if check is not None else []), *(["lets us search"] if searched else [])]
        return f"{title} answers, {', '.join(said[:-1])}{', ' if said[1:] else ''}and {said[-1]}"

    async def _asks_something(self, model: str) -> bool:
        """Search for nobody, or list, with the first request that is sent at all: an attempt may leave it out."""
        # A number that no customer has: the answer must be nobody, and a right must be there for it.
        number, before = read_number("+12025550100", self._region), self._client.sent  # reserved for fiction
        for attempt in range(len(self._description.attempts_for(model))):
            await self.find(Query(model, "", number.e164 if number else "", True, number, attempt=attempt))
            if self._client.sent > before:
                return True
        if self._description.listing_for(model) is None:
            return False
        await self.page(model, None, "")
        return True

    async def fields_of(self, model: str) -> Sequence[RemoteField]:
        """Return the fields that the system has for a model; none when it cannot tell."""
        describing = self._description.describe
        if describing is None:
            return ()
        tree = await self._client.ask(describing.request, self._scope(model))
        found = [] if tree is NOTHING else list(fields_in(describing, tree))
        if not describing.partial:
            return found
        told = {one.name for one in found}
        names = (one.partition(".")[0] for asked in self.asks_for(model).values() for one in asked)
        return [*found, *(RemoteField(one) for one in dict.fromkeys(names) if one not in told)]

    def asks_for(self, model: str) -> Mapping[str, Sequence[str]]:
        """Return the names of theirs that each field of ours is made of."""
        mapped = self._mapped[model]
        return {ours: [name for path in paths if (name := mapped.asked(path))] for ours, paths in mapped.fields}

    async def close(self) -> None:
        """Close the connections."""
        for account in self._accounts.values():
            await account.close()
        await self._client.close()

    async def _find_caller(self, query: Query) -> Sequence[Record]:
        attempts = self._description.attempts_for(query.model)
        if query.caller is None or query.attempt >= len(attempts):
            return Noted((), "", asked=False)
        attempt = attempts[query.attempt]
        numbers = spellings(query.caller)
        scope = self._scope(query.model, number=numbers, value=query.value)
        if not holds(attempt.when, scope):
            return Noted((), "", asked=False)
        if attempt.spelling is not None:
            scope = {**scope, "spelling": attempt.spelling.text(scope)}
        return await self._pages(attempt, scope, query.model)

    async def _find_value(self, query: Query) -> Sequence[Record]:
        attempts = self._description.searches_for(query.model)
        if not attempts or not query.field:
            raise ProviderRefused(f"{self._name}: a search needs the name of a field")
        if not query.value.strip():
            return _not_asked("the value is empty")
        mapped = self._mapped[query.model]
        theirs = mapped.theirs(query.field)
        scope = self._scope(query.model, field=theirs, value=query.value)
        attempt = next((one for one in attempts if holds(one.when, scope)), None)
        if attempt is None or theirs == "none":
            return _not_asked(f"'{query.field}' cannot be searched in {self._description.title}")
        found = await self._pages(attempt, {**scope, "fields": _with(mapped.wanted, theirs)}, query.model)
        # The description says that the system compares as it should: nothing is known better here.
        if not attempt.exact:
            return found
        sought = [record for record in found if self._is_sought(record, query)]
        return Noted(sought, found.note) if isinstance(found, Noted) else sought

    async def _find_named(self, query: Query) -> Sequence[Record]:
        """Return the records whose name holds every word; systems are asked for the one that says most."""
        words = query.value.casefold().split()
        found: dict[str, Record] = {}
        for attempt in self._description.names_for(query.model) if words else ():
            scope = self._scope(query.model, value=max(query.value.split(), key=len))
            if holds(attempt.when, scope):
                found |= {one.id: one for one in await self._pages(attempt, scope, query.model)}
        return [one for one in found.values() if _is_called(one, words)]

    def _is_sought(self, record: Record, query: Query) -> bool:
        """Return whether the searched field holds the value; systems that compare loosely find more."""
        held = record.fields.get(query.field)
        if query.field not in record.fields or same_value(held, query.value):
            return True
        read = number_texts(held)
        searched = query.value if query.field in self._numbers[query.model] else ""
        number = read_number(searched, self._region) if len(searched) <= LONGEST_TEXT else None
        return number is not None and any(
            holds_line(as_text(one), number, self._region) for one in (read if isinstance(read, tuple) else (read,))
        )

    async def _pages(self, attempt: Attempt, scope: Scope, model: str) -> Sequence[Record]:
        found: list[Record] = []
        cursor = ""
        # A caller waits meanwhile: more pages than these are not read for one number.
        for _ in range(_PAGES):
            here = {**scope, **where_from(attempt.paging, cursor)}
            heard, nodes = await self._ask(attempt, here, cursor)
            check_count(len(nodes), self._name)
            # What was asked for each record is of any size.
            size = heard.size if not attempt.each else ASIDE_BYTES + 1
            whole = await self._whole(attempt, nodes, here)
            records = await aside(size, partial(self._records, whole, model, here))
            found += self._known(attempt, records)
            cursor = following(attempt.paging, heard, len(nodes), cursor, _LIMIT)
            if not cursor:
                return found
        return Noted(found, f"there are more than {len(found)}; the others were not read")

    def _known(self, attempt: Attempt, records: list[Record]) -> list[Record]:
        """Leave out what is not a record: without an id it would be anybody's. A search may have told ids alone."""
        if not attempt.each and not all(record.id for record in records):
            raise ProviderMisread(f"{self._name}: a record has no id; look at 'fields' of the model")
        return [record for record in records if record.id]

    async def _ask(self, attempt: Attempt, scope: Scope, cursor: str) -> tuple[ReadAnswer, list[dict[str, Json]]]:
        link = cursor if attempt.paging is not None and attempt.paging.kind == "link" else ""
        heard = await self._client.answer(attempt.request, scope, link)
        return heard, [] if heard.tree is NOTHING else nodes_of(attempt, heard.tree, self._name)

    async def _whole(
        self, attempt: Attempt, nodes: Sequence[dict[str, Json]], scope: Scope
    ) -> Sequence[dict[str, Json]]:
        """Return the records with what a request for each of them tells; where it is silent the search has said it."""
        if not attempt.each:
            return nodes
        once = AskedOnce(self._client.ask, _SIDE_BY_SIDE)
        asked = [asyncio.ensure_future(_with_more(attempt, node, scope, once)) for node in nodes]
        try:
            return await asyncio.gather(*asked)
        finally:
            once.cancel()
            for one in asked:
                one.cancel()

    def _records(self, nodes: Sequence[dict[str, Json]], model: str, scope: Scope) -> list[Record]:
        here = {**scope, "auth": self._client.known}
        try:
            return [read_record(node, self._mapped[model], here) for node in nodes]
        except RecursionError:
            raise ProviderMisread(f"{self._name}: the answer is nested too deeply") from None

    def _scope(self, model: str, limit: int = _LIMIT, **values: Json) -> dict[str, Json]:
        mapped = self._mapped[model]
        return {
            "settings": self._settings.values,
            "model": self._settings.constants[model],
            "fields": list(mapped.wanted),
            "limit": limit,
            **values,
        }


def _is_called(record: Record, words: Sequence[str]) -> bool:
    # A model without a name of ours leaves it to the system what a name is.
    name = record.fields.get("name")
    return name is None or all(word in as_text(name).casefold() for word in words)


def _not_asked(why: str) -> Noted:
    return Noted((), f"nothing was asked, because {why}", asked=False)


async def _with_more(attempt: Attempt, node: dict[str, Json], scope: Scope, once: AskedOnce) -> dict[str, Json]:
    """Return a found record with what the requests for it tell."""
    for step in attempt.each:
        if not holds(step.when, node):
            continue
        try:
            tree = await once.ask(step.request, {**scope, "found": node})
        except Unsearchable:  # what was found is not the name of anything there
            continue
        more = None if tree is NOTHING else step.record.first(tree)
        # The answer goes before the search: it is the whole record, the search a part of it.
        if isinstance(more, dict):
            node = {**node, **({step.under: more} if step.under else more)}
    return node


def _with(wanted: tuple[str, ...], theirs: str) -> list[str]:
    return list(wanted) if theirs in wanted else [*wanted, theirs]


def fields_in(describing: DescribeRequest, tree: Json) -> Iterator[RemoteField]:
    """Return the fields. They are a list, or members whose keys are the names."""
    nodes = describing.fields.nodes(tree)
    found = nodes[0] if len(nodes) == 1 else nodes
    if isinstance(found, dict):
        yield from (
            _field(describing, _word(describing.name, one) or clean_text(key), one) for key, one in found.items()
        )
    elif isinstance(found, list):
        yield from (_field(describing, _word(describing.name, one), one) for one in found)


def _field(describing: DescribeRequest, name: str, node: Json) -> RemoteField:
    return RemoteField(
        describing.prefix + clean_text(name), _word(describing.label, node), _word(describing.type, node)
    )


def _word(path: Path | None, node: Json) -> str:
    found = None if path is None else path.first(node)
    return clean_text(as_text(found)) if isinstance(found, (str, int, float)) else ""
