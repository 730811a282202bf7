"""One PBX that is told what to do, over the connection on which it is followed, and over its REST interface."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import aiohttp
from yarl import URL

from routing_engine.asterisk.ami import AmiClient
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.ports import JsonField
from routing_engine.errors import PbxDown
from routing_engine.settings.pbx import AriKeys

#: How long a phone that is to ring is waited for: its channel is there within milliseconds, or there is none.
BEGIN_S = 5.0
#: A phone that refuses at once: what tells of its channel goes another way in Asterisk, and may come behind the answer.
BEHIND_S = 0.3
_REST_S = 5.0
#: A person who clicks does not wait as long as a look-up in the background.
_ACTION_S = 5.0


class BegunChannels:
    """Who waits until a channel is there, or cannot be. `hear` every event.

    An answer that says so is believed when nothing is heard of the channel within `behind_s` seconds.
    """

    def __init__(self, behind_s: float = BEHIND_S) -> None:
        self._behind_s = behind_s
        self._awaited: dict[str, asyncio.Future[bool]] = {}

    def expect(self, channel: str) -> asyncio.Future[bool]:
        """Return what becomes true once there is a channel with this id, and false where there will be none."""
        found = self._awaited[channel] = asyncio.get_running_loop().create_future()
        found.add_done_callback(lambda _: self._awaited.pop(channel, None))
        return found

    def hear(self, message: AmiMessage) -> None:
        """Look whether an event says so."""
        if not self._awaited:
            return
        begun = self._awaited.get(message.get("Uniqueid", "")) or self._awaited.get(message.get("DestUniqueid", ""))
        if begun is None:
            return
        # `queued` is answered for a phone that does not exist as well: only this event tells.
        if message.get("Event") == "OriginateResponse" and message.get("Response") != "Success":
            asyncio.get_running_loop().call_later(self._behind_s, _settle, begun, False)
        else:
            _settle(begun, True)


def _settle(begun: asyncio.Future[bool], there: bool) -> None:
    if not begun.done():
        begun.set_result(there)


class HeardContacts:
    """Where phones are registered, as far as it was heard (class `system`): what Asterisk calls each contact.

    Source: res_pjsip_registrar, which names a contact by its address of record and the digest of its URI.
    """

    def __init__(self) -> None:
        self._contacts: dict[str, str] = {}

    def hear(self, message: AmiMessage) -> None:
        """Learn what an event says of a contact."""
        if message.get("Event") != "ContactStatus":
            return
        endpoint, uri = message.get("EndpointName", ""), message.get("URI", "")
        contact = f"{message.get('AOR', '')};@{hashlib.md5(uri.encode(), usedforsecurity=False).hexdigest()}"
        if message.get("ContactStatus") != "Removed":
            self._contacts[endpoint] = contact
        elif self._contacts.get(endpoint) == contact:
            # The one of before is removed after the new one has come.
            del self._contacts[endpoint]

    def of(self, endpoint: str) -> str | None:
        """Return the contact of an endpoint; None where nothing was heard of one."""
        return self._contacts.get(endpoint)


class LocalCommands:
    """Keeps the port `PbxCommands`, on the connection that `client` has. `close` it. `hear` every event."""

    def __init__(self, client: AmiClient, ari: AriKeys | None) -> None:
        self._client, self._ari = client, ari
        self._begun, self._contacts = BegunChannels(), HeardContacts()
        self._session: aiohttp.ClientSession | None = None

    @property
    def reachable(self) -> bool:
        """Whether it can be told something now."""
        return self._client.connected

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        """Do as the port says."""
        try:
            return await self._client.action(name, timeout_s=_ACTION_S, **fields)
        except OSError as error:
            raise PbxDown(type(error).__name__) from error

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        """Do as the port says."""
        begun = self._begun.expect(channel)
        try:
            await self.action("Originate", {**fields, "ChannelId": channel, "Async": "true"})
            async with asyncio.timeout(BEGIN_S):
                return await begun
        except TimeoutError:
            raise PbxDown("nothing was heard of the phone") from None
        finally:
            begun.cancel()

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        """Do as the port says."""
        if self._ari is None:
            raise PbxDown("the PBX has no 'ari'")
        try:
            # Not followed: what is sent may be a password.
            url = URL(f"{self._ari.address}/ari{path}", encoded=True)
            async with self._open(self._ari).request(method, url, json=body, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PbxDown(type(error).__name__) from error

    async def unregister(self, endpoint: str) -> None:
        """Do as the port says."""
        contact = self._contacts.of(endpoint)
        if contact is not None:
            await self.rest("DELETE", f"/asterisk/config/dynamic/res_pjsip/contact/{quote(contact, safe='')}")

    def hear(self, message: AmiMessage) -> None:
        """Learn from an event of the connection."""
        self._begun.hear(message)
        self._contacts.hear(message)

    async def close(self) -> None:
        """Close the connection of the REST interface; the other one is its owner's."""
        if self._session is not None:
            await self._session.close()

    def _open(self, ari: AriKeys) -> aiohttp.ClientSession:
        if self._session is None:
            who = {"Authorization": aiohttp.encode_basic_auth(ari.user, ari.secret, "utf-8")}
            times = aiohttp.ClientTimeout(total=_REST_S)
            self._session = aiohttp.ClientSession(headers=who, timeout=times, cookie_jar=aiohttp.DummyCookieJar())
        return self._session
