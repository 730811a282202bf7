"""One PBX that is told what to do, over the connection on which it is followed, and over its REST interface."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp

from routing_engine.asterisk.ami import AmiClient
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.ports import JsonField
from routing_engine.errors import PbxDown
from routing_engine.settings.pbx import AriKeys

#: How long a phone that is to ring is waited for: its channel is there within milliseconds, or there is none.
BEGIN_S = 5.0
_REST_S = 5.0
#: A person who clicks does not wait as long as a look-up in the background.
_ACTION_S = 5.0


class BegunChannels:
    """Who waits until a channel is there, or cannot be. `hear` every event."""

    def __init__(self) -> None:
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
        if begun is None or begun.done():
            return
        # `queued` is answered for a phone that does not exist as well: only this event tells.
        begun.set_result(message.get("Event") != "OriginateResponse" or message.get("Response") == "Success")


class LocalCommands:
    """Keeps the port `PbxCommands`, on the connection that `client` has. `close` it."""

    def __init__(self, client: AmiClient, begun: BegunChannels, ari: AriKeys | None) -> None:
        self._client, self._begun, self._ari = client, begun, ari
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
            url = f"{self._ari.address}/ari{path}"
            async with self._open(self._ari).request(method, url, json=body, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PbxDown(type(error).__name__) from error

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
