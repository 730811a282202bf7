"""LDAP directories: OpenLDAP, Active Directory, and whatever else speaks version 3.

One connection is kept and shared; searches run on it side by side. What is searched goes into a filter as bytes, never
as text. Referrals are not followed: they would carry our log-in to a server that nobody configured.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Mapping, Sequence

from routing_engine.core.model import Record, Value
from routing_engine.core.phone import LAST_FEWEST, plain_text
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.core.redact import clean_text
from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.answers.records import record_of
from routing_engine.providers.ldap import wire
from routing_engine.providers.ldap.filter import ANYTHING, equal, every, holds_in_order, one_of
from routing_engine.providers.ldap.settings import LdapSettings
from routing_engine.providers.ldap.settings import read_settings as read_settings
from routing_engine.providers.ldap.wire import LdapEntry, LdapResult
from routing_engine.providers.net.multiplexed import MultiplexedConnection, OpenLink, open_link
from routing_engine.settings.integration import Model


def open_ldap(name: str, settings: LdapSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a directory. It connects at the first look-up."""
    return LdapProvider(name, settings, models)


class LdapProvider:
    """Looks entries up in a directory."""

    def __init__(self, name: str, settings: LdapSettings, models: Mapping[str, Model]) -> None:
        self._name, self._settings, self._models = name, settings, models
        self._kept: MultiplexedConnection[LdapEntry | LdapResult | None] = MultiplexedConnection(name, self._open)

    async def find(self, query: Query) -> Sequence[Record]:
        """Look for the entries of a caller, or with this value in an attribute, in the directory's order."""
        model = self._models[query.model]
        wanted = self._wanted(query, model)
        if wanted is None:
            return ()
        where, number = self._settings.of(query.model), self._kept.number()
        search = wire.search(
            number,
            where.base,
            where.scope,
            every(where.filter, wanted),
            list(dict.fromkeys(model.fields.values())) or ["*"],
            self._settings.at_most,
            self._settings.time_limit_s,
        )
        # Entries and the result come as messages of one id; referrals between them are passed over.
        messages = await self._kept.ask(str(number), search)
        self._check(messages[-1], query)
        return [_record(entry, model) for entry in messages if isinstance(entry, LdapEntry)]

    async def check(self) -> str:
        """Look at the entry at the base of each model: it must be there, and be shown to us."""
        bases = {self._settings.of(model).base for model in self._models}
        for base in sorted(bases):
            number = self._kept.number()
            look = wire.search(number, base, "base", ANYTHING, [wire.NO_ATTRIBUTES], 1, self._settings.time_limit_s)
            end = (await self._kept.ask(str(number), look))[-1]
            if isinstance(end, LdapResult) and end.code != wire.SUCCESS:
                raise end.error(self._name)
        return f"the log-in works, and {len(bases)} of {len(bases)} bases can be seen"

    async def close(self) -> None:
        """Say goodbye to the directory."""
        await self._kept.close()

    def _wanted(self, query: Query, model: Model) -> bytes | None:
        """Return the filter for what is searched; None for what no entry can hold."""
        text = query.number if query.by_caller else query.value
        if not text:
            raise ProviderRefused(f"{self._name}: there is nothing to search by")
        attributes = self._attributes(query, model)
        if not _can_be_sent(text):
            return None
        # Directories store `+43 664/123 45-67` as it was typed, and compare it as text.
        if query.by_caller and not self._settings.exact:
            return one_of(_holds_number(attribute, text) for attribute in attributes)
        return one_of(equal(attribute, text) for attribute in attributes)

    def _attributes(self, query: Query, model: Model) -> list[str]:
        """Return the attributes to look in: that of the route's field, else those of numbers, else that of the id."""
        names = [query.field] if query.field else model.numbers if query.by_caller else ["id"] if model.fields else []
        found = [model.fields.get(name, name) for name in names if name in model.fields or name != "id"]
        if not found:
            missing = "'numbers'" if query.by_caller else "the field 'id'"
            raise ProviderRefused(f"{self._name}: nothing says where to look: the model '{model.name}' lacks {missing}")
        return found

    def _check(self, end: LdapEntry | LdapResult | None, query: Query) -> None:
        """Raise when the search has failed. Too many entries are an answer, unless the caller may be among the rest."""
        assert isinstance(end, LdapResult)
        # The caller may be among those that were cut off; of a value any match is as good.
        if end.code == wire.TOO_MANY and query.by_caller:
            raise ProviderMisread(f"{self._name}: more entries fit the caller's number than the search may give")
        if end.code not in (wire.SUCCESS, wire.TOO_MANY):
            raise end.error(self._name)

    async def _open(self) -> OpenLink[LdapEntry | LdapResult | None]:
        return await open_link(self._settings.address, self._greet)

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> OpenLink[LdapEntry | LdapResult | None]:
        """Go on within TLS where that is wanted, then log in: in this order, or the password would be in the clear."""
        settings = self._settings
        # Before the log-in: a password must not cross the network in the clear.
        if settings.start_tls is not None:
            await self._do(reader, writer, wire.start_tls(self._kept.number()))
            await _refuse_more(reader)
            await writer.start_tls(settings.start_tls, server_hostname=settings.address.host)
        if settings.user:
            await self._do(reader, writer, wire.bind(self._kept.number(), settings.user, settings.password))
        return OpenLink(reader, writer, wire.read_message, self._give_up, wire.unbind(self._kept.number()))

    async def _do(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(request)
        heard = await wire.read_message(reader)
        if not isinstance(heard.message, LdapResult):
            raise ProviderMisread(f"{self._name}: what answers is not an LDAP server")
        if heard.message.code != wire.SUCCESS:
            raise heard.message.error(self._name)

    def _give_up(self, which: str) -> bytes:
        return wire.abandon(self._kept.number(), which)


async def _refuse_more(reader: asyncio.StreamReader) -> None:
    """Refuse what came in the clear behind the answer to StartTLS: somebody wants it to be taken for encrypted."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await reader.read(1)
            raise ValueError("the directory said more before TLS than it may")


def _can_be_sent(text: str) -> bool:
    """Return whether an entry can hold it: no value is empty, and half a surrogate pair is not a character."""
    # Spaces are not significant (RFC 4518, 2.6.1): nothing would be left to compare.
    return not text.isspace() and not re.search(r"[\ud800-\udfff]", text)


def _holds_number(attribute: str, number: str) -> bytes:
    """Match a number however it is written: its digits in their order, with anything between them.

    Too much is found that way, and checked behind us. A short number would find everything: it must be the whole value.
    """
    digits = re.sub(r"[^0-9]", "", plain_text(number))
    # With so few digits "in their order, with anything between" is nearly every number.
    if len(digits) < LAST_FEWEST:
        return equal(attribute, number)
    return holds_in_order(attribute, digits)


def _record(entry: LdapEntry, model: Model) -> Record:
    """Return the record of an entry. What it does not have, or does not show us, is None."""
    names = model.fields or {name: name for name in entry.values}
    fields = {ours: _value(theirs.lower(), entry.values.get(theirs.lower(), [])) for ours, theirs in names.items()}
    # Without an id of the operator's choice the DN names the entry: it is unique by definition.
    return record_of(fields, model.record_url, entry.dn)


def _value(attribute: str, raw: Sequence[bytes]) -> Value:
    """Return the text of a value, a tuple of several; what is not text, such as a picture, is left out."""
    found = tuple(text for value in raw if (text := _text(attribute, value)) is not None)
    return found if len(found) > 1 else found[0] if found else None


def _text(attribute: str, value: bytes) -> str | None:
    if attribute == "objectguid" and len(value) == 16:  # Active Directory's id, as its own tools write it
        return str(uuid.UUID(bytes_le=value))
    try:
        return clean_text(value.decode())
    except UnicodeDecodeError:
        return None
